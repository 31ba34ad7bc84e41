/** Settles rows with equal keys in a table whose key was put off: the first of each stays, the others become rejects, in one transaction with the ledger's counts. */
import { formatCount } from '../../../count-text.ts';
import { SluiceError } from '../../../errors.ts';
import { emptyDigest } from '../../../ledger/digest.ts';
import { insertReject, refuseWritten } from '../../../ledger/statements.ts';
import type { Batch } from '../../../rows/batch.ts';
import { quoteIdentifier, quoteList } from '../../sql-text.ts';
import type { DuplicateRepair, RejectKeeping, TablePlan } from '../../driver.ts';
import { createRowEncoder } from '../wire/encode.ts';
import { digestRows } from '../wire/key-hash.ts';
import { runStatement } from '../ledger.ts';
import type { PgLink } from '../link.ts';
import { quoteTable } from '../qualified-name.ts';
import { readWireColumns } from '../catalog/schema.ts';
import { readSettings } from '../settings.ts';
import { runInTransaction } from '../transaction.ts';
import type { Refusal } from '../refusal.ts';
import type { WireColumn } from '../wire-column.ts';
import { listRejects } from './rejects.ts';
import { listAllRows } from './write-insert.ts';

interface Repairing {
  readonly link: PgLink;
  readonly load: string;
  readonly plan: TablePlan;
  readonly columns: readonly WireColumn[];
}

/** Repeatable: rows that an earlier call has settled are no longer doubled, so nobody asks for them again. */
export async function repairDuplicates(
  link: PgLink,
  load: { readonly id: string; readonly plan: TablePlan },
  repair: DuplicateRepair,
): Promise<void> {
  const columns = await readWireColumns(link, load.plan.writesTo, load.plan.columns);
  const repairing: Repairing = { link, load: load.id, plan: load.plan, columns };
  await runInTransaction(link, async () => {
    const deletedCount = await deleteRows(repairing, repair.kept);
    refuseOthers(load.plan, deletedCount - countOwnRows(repair));
    for (const batch of repair.kept) await writeRows(repairing, batch);
    for (const refused of repair.refused) await refuseRows(repairing, refused, repair.keeping);
  });
}

/** All rows that have the keys of the batches, the first ones too: nothing in the table tells them apart. One statement, as each reads the whole table. */
async function deleteRows({ link, plan, columns }: Repairing, kept: readonly Batch[]): Promise<number> {
  const match = readKeyColumns(plan, columns)
    .map(({ column, type }, at) => `t.${quoteIdentifier(column.name)} = (k.key ->> ${at})::${type.name}`)
    .join(' AND ');
  const { rowCount } = await link.query(
    `DELETE FROM ${quoteTable(plan.writesTo)} t USING (SELECT jsonb_array_elements($1::text::jsonb) AS key) k WHERE ${match}`,
    [JSON.stringify(kept.flatMap((batch) => listKeys(plan, batch)))],
  );
  return rowCount;
}

function countOwnRows({ kept, refused }: DuplicateRepair): number {
  return [...kept, ...refused.map(({ batch }) => batch)].reduce((sum, { rowCount }) => sum + rowCount, 0);
}

/** While a key is put off, other loads and programs can write rows with the same keys. Which of them is right is not ours to say, so the transaction ends here. */
function refuseOthers({ key, table }: TablePlan, othersCount: number): void {
  if (othersCount <= 0) return;
  throw new SluiceError(
    'SLUICE_KEYS_DOUBLED',
    `While the key (${key.join(', ')}) of ${table} was put off, something else wrote ${formatCount(othersCount)} rows with keys that this load has too. All of them are there still.`,
    {
      hint: 'Delete those that are not wanted, then resume. Until a load has made its key at the end, nothing else should write into its table.',
    },
  );
}

function listKeys({ key, columns }: TablePlan, { values, rowCount }: Batch): readonly (readonly string[])[] {
  const indexes = key.map((name) => columns.findIndex((column) => column.name === name));
  const readText = (index: number, row: number): string => {
    const column = values[index];
    return column?.kind === 'scalar' ? String(column.values[row]) : '';
  };
  return Array.from({ length: rowCount }, (_, row) => indexes.map((index) => readText(index, row)));
}

async function writeRows({ link, plan, columns }: Repairing, batch: Batch): Promise<void> {
  const { format } = readSettings(plan);
  const encoder = createRowEncoder(columns, { format });
  const names = quoteList(plan.columns.map((column) => column.name));
  const sql = `COPY ${quoteTable(plan.writesTo)} (${names}) FROM STDIN WITH (FORMAT ${format})`;
  await link.copyIn(sql, encoder.pieces(batch, listAllRows(batch)));
}

async function refuseRows(
  { link, load, plan, columns }: Repairing,
  { shard, batch }: DuplicateRepair['refused'][number],
  keeping: RejectKeeping,
): Promise<void> {
  const rows = listAllRows(batch);
  const refusal = describeRepeat(plan);
  const refused = new Map(Array.from(rows, (row) => [row, refusal]));
  for (const reject of listRejects(batch, refused)) await runStatement(link, insertReject({ load, shard }, reject, keeping));
  const digest = readSettings(plan).tracksKeys ? digestRows(readKeyColumns(plan, columns), batch, rows) : emptyDigest();
  await runStatement(link, refuseWritten({ load, shard, count: batch.rowCount, digest }));
}

function describeRepeat({ key }: TablePlan): Refusal {
  const message = `The key (${key.join(', ')}) came before; found when the key of the table was made.`;
  return { code: 'REFUSED_UNIQUE', message, column: key.length === 1 ? key[0] : undefined };
}

function readKeyColumns({ key }: TablePlan, columns: readonly WireColumn[]): readonly WireColumn[] {
  return key.flatMap((name) => columns.filter(({ column }) => column.name === name));
}
