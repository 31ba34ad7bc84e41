/**
 * Guards a load against columns that are changed under it. Binary values carry no type: eight bytes of a bigint are a numeric too (0), and keys that were digested
 * as one type don't add up with those of another.
 */
import { SluiceError } from '../../../errors.ts';
import { quoteList } from '../../sql-text.ts';
import type { Statement, TablePlan } from '../../driver.ts';
import { catalogTimeoutMs } from '../catalog/table.ts';
import { readWireColumns } from '../catalog/schema.ts';
import type { PgLink } from '../link.ts';
import { quoteTable } from '../qualified-name.ts';
import { readSettings } from '../settings.ts';
import { nameTypes, type TypeNames, type WireColumn } from '../wire-column.ts';

/** What the loaded columns were when a writer was opened, and how a batch finds out that they still are. */
export interface ColumnGuard {
  /** For a transaction's start: takes the lock that COPY and INSERT take, so that nothing changes from here on. */
  readonly lock: string;
  /** Asked of the catalog: the table's oid, and number, name, type, typmod, collation and kind of each column. */
  readonly traits: string;
}

/** What of a writer is looked at. */
interface Guarded {
  readonly link: PgLink;
  readonly plan: TablePlan;
  readonly columns: readonly WireColumn[];
  readonly guard: ColumnGuard;
}

/** The table by its quoted name and its columns by theirs; one text that differs when any of them does. Null where the table is gone. */
const traitsSql = `(SELECT string_agg(concat_ws(' ', a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attcollation, a.attgenerated, a.attidentity), ',' ORDER BY a.attnum)
FROM pg_catalog.pg_attribute a WHERE a.attrelid = to_regclass(?::text) AND NOT a.attisdropped AND a.attname IN (SELECT json_array_elements_text(?::json)))`;

function listParameters({ writesTo, columns }: TablePlan): readonly [string, string] {
  return [quoteTable(writesTo), JSON.stringify(columns.map(({ name }) => name))];
}

async function readTraits(link: PgLink, plan: TablePlan): Promise<string> {
  let place = 0;
  const sql = `SELECT ${traitsSql.replaceAll('?', () => `$${String(++place)}`)} AS traits`;
  const { rows } = await link.query(sql, listParameters(plan), { timeoutMs: catalogTimeoutMs });
  return String(rows[0]?.['traits']);
}

/** Reads what the columns are now. Before their types are read: a change between the two then stops the first batch, where the other way round it would be taken for what was there. */
export async function openGuard(link: PgLink, plan: TablePlan): Promise<ColumnGuard> {
  // EXPLAIN takes the lock when it reads the statement, and needs the right to INSERT alone: LOCK TABLE wants it on the whole table, and not every relative has it.
  const names = plan.columns.map(({ name }) => name);
  const lock = `EXPLAIN (COSTS OFF) INSERT INTO ${quoteTable(plan.writesTo)} (${quoteList(names)}) VALUES (${names.map(() => 'DEFAULT').join(', ')})`;
  return { lock, traits: await readTraits(link, plan) };
}

/** Compares types with those that the load began with. @throws SLUICE_TARGET_FAILED for the first that is another */
export function checkPlannedTypes(link: PgLink, plan: TablePlan, columns: readonly WireColumn[]): void {
  const { columnTypes } = readSettings(plan);
  if (columnTypes !== undefined) refuseChanged(link, plan, listChanges(JSON.parse(columnTypes) as TypeNames, columns));
}

/** The mark, which changes no row when the columns are no longer the same. It rides on a statement that is sent anyway, after the lock: 0.3 ms in all, and no round trip. */
export function guardMark(mark: Statement, { plan, guard }: Pick<Guarded, 'plan' | 'guard'>): Statement {
  return { ...mark, sql: `${mark.sql} AND ${traitsSql} = ?`, parameters: [...mark.parameters, ...listParameters(plan), guard.traits] };
}

/** After a mark that changed no row, in its transaction. @throws SLUICE_TARGET_FAILED, SLUICE_COLUMN_UNKNOWN when that was for the columns */
export async function checkColumns({ link, plan, columns, guard }: Guarded): Promise<void> {
  if ((await readTraits(link, plan)) === guard.traits) return;
  refuseChanged(link, plan, listChanges(nameTypes(columns), await readWireColumns(link, plan.writesTo, plan.columns)));
  throw new SluiceError(
    'SLUICE_TARGET_FAILED',
    `The table ${plan.table} in ${link.place} was altered or replaced by another while it was loaded.`,
    {
      hint: 'Nothing of the batch was written. Resume, and the rest is written to the table as it is now; `sluice verify` tells whether the rows before are in it.',
    },
  );
}

function listChanges(before: TypeNames, columns: readonly WireColumn[]): readonly string[] {
  return Object.entries(nameTypes(columns)).flatMap(([name, is]) => {
    const was = before[name];
    return was === undefined || was === is ? [] : [`${name} was ${was} and is ${is}`];
  });
}

function refuseChanged({ place }: PgLink, { table }: TablePlan, changes: readonly string[]): void {
  if (changes.length === 0) return;
  throw new SluiceError(
    'SLUICE_TARGET_FAILED',
    `The table ${table} in ${place} has other column types than when the load began: ${changes.join(', ')}.`,
    {
      hint: 'Nothing was written since. Change them back and resume, or begin anew with --again.',
    },
  );
}
