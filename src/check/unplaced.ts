/** A check without a target: the plan of a table that would be made new, in a database that nobody opens for writing and that is never there. */
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SluiceError } from '../errors.ts';
import { prepareLoad, type Prepared } from '../load/plan/plan.ts';
import type { LoadOptions, LoadPlan } from '../load/options.ts';

/** Everything that `load` takes; without `to` and `table` the input is looked at alone. */
export interface UnplacedOptions extends Omit<LoadOptions, 'to' | 'table'> {
  /** Target URL; goes with `table`. Without both, columns have the types that a new table would give them. */
  readonly to?: string | undefined;
  readonly table?: string | undefined;
}

export const unplacedNote =
  'No table was named: the columns have the types that a new table would give them. Name one (--to and --table) to check against it.';

/** As `prepareLoad` for a plan. @throws SLUICE_USAGE for one of `to` and `table` without the other */
export async function prepareUnplaced(options: UnplacedOptions): Promise<Prepared> {
  const { to, table } = options;
  if (to !== undefined && table !== undefined) return prepareLoad({ ...options, to, table }, 'plan');
  if (to !== undefined || table !== undefined) {
    throw new SluiceError('SLUICE_USAGE', `${to === undefined ? 'table' : 'to'} is given without ${to === undefined ? 'to' : 'table'}.`, {
      hint: 'Name both, or none of them to look at the input alone.',
    });
  }
  // A plan opens no file that is not there; what is asked of a target means nothing without one.
  const nowhere = `sqlite:${encodeURI(path.join(tmpdir(), `sluice-${randomUUID()}.db`)).replaceAll('?', '%3F')}`;
  const prepared = await prepareLoad({ ...options, to: nowhere, table: 'rows', target: undefined }, 'plan');
  return { ...prepared, plan: forgetPlace(prepared.plan) };
}

/** The plan without what it says of the database that is none. */
function forgetPlace(plan: LoadPlan): LoadPlan {
  const { table, decisions, warnings } = plan;
  return {
    ...plan,
    target: '',
    table: { ...table, table: '', writesTo: '', ddl: [], deferredIndexes: [], decisions: [], settings: {} },
    decisions: decisions.filter((decision) => !table.decisions.includes(decision)),
    warnings: [...warnings, unplacedNote],
  };
}
