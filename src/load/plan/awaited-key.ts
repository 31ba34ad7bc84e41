/** A table whose key another load put off and has yet to make: rows with equal keys would be noticed only when that load ends, so they are not let in before. */
import { readLoads, type LedgerLoad } from '../../ledger/reading.ts';
import { isOver } from '../../ledger/load-state.ts';
import type { Connection, TableDescription, TablePlan } from '../../target/driver.ts';
import { writeCommand, writeResumeCommand } from '../control/command-text.ts';
import type { LoadOptions } from '../options.ts';
import { listLivingOwners } from '../session/living-owners.ts';
import type { ColumnPlan } from './column-plan.ts';
import type { Earlier } from './earlier.ts';
import { parseRunPlan } from './run-plan.ts';

interface KeyRequest {
  readonly connection: Connection;
  readonly options: LoadOptions;
  readonly table: TablePlan;
  readonly description: TableDescription | undefined;
  readonly earlier: Earlier | undefined;
}

/** The columns with a problem, or a warning where the other load was given up, when the table waits for its key. */
export async function tellAwaitedKey(columns: ColumnPlan, request: KeyRequest): Promise<ColumnPlan> {
  const { connection, options, table, description, earlier } = request;
  // A table that is replaced comes with a key of its own, and one that has its key refuses doubled rows by itself.
  if (description === undefined || description.key.length > 0 || options.mode === 'replace') return columns;
  const found = (await readLoads(connection, table.table)).findLast((load) => load.load !== earlier?.load.load && isAwaited(load));
  if (found === undefined) return columns;
  const { load, plan, state } = found;
  const what = `its key (${parseRunPlan(plan, load).table.key.join(', ')}) off to its end`;
  const resume = `"${writeResumeCommand(options.to, load)}"`;
  if (state === 'cancelled') {
    const warning = `${table.table} has no key yet: load ${load}, which was cancelled, put ${what}. Rows with keys that are there already are not noticed before ${resume} makes it.`;
    return { ...columns, warnings: [...columns.warnings, warning] };
  }
  const [is, end] =
    (await listLivingOwners(connection, load)).length > 0 ? ['runs', 'Wait for its end'] : ['is unfinished', `Finish it with ${resume}`];
  const problem = `Load ${load} into ${table.table} ${is} and put ${what}: until then rows with equal keys are not noticed. ${end}, or give it up with "${writeCommand('cancel', options.to, load)}".`;
  return { ...columns, problems: [...columns.problems, problem] };
}

/** Written into the table itself: a key of a table that is built aside is that one's alone. */
function isAwaited({ load, mode, plan, state }: LedgerLoad): boolean {
  if (isOver(state) || mode === 'batch' || mode === 'delete') return false;
  const { table } = parseRunPlan(plan, load);
  return table.settings['defersKey'] === true && table.writesTo === table.table;
}
