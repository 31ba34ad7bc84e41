/**
 * Rows with equal keys in a table whose key was put off. They are found when the key is made; the input is then read a second time for those keys alone,
 * so that the first row of each stays, as it would have with the key in place, and every other one is a reject with its own place.
 */
import { SluiceError } from '../../errors.ts';
import { readShards } from '../../ledger/reading.ts';
import type { Batch } from '../../rows/batch.ts';
import { dropRows } from '../../rows/batch-edit.ts';
import { createBatchBuilder } from '../../rows/builder.ts';
import type { Scalar } from '../../rows/schema.ts';
import type { Shard } from '../../source/source.ts';
import type { DuplicateRepair } from '../../target/driver.ts';
import { maxDuplicateKeys, type DuplicateKeysError } from '../../target/link.ts';
import type { Session } from './session.ts';
import { formatCount } from '../../count-text.ts';

/** Reads the rows of the doubled keys again and hands them to the driver, which settles them in one transaction. */
export async function repairDuplicates(session: Session, { keys, message }: DuplicateKeysError): Promise<void> {
  const { connection, load, run } = session;
  if (connection.repairDuplicates === undefined) throw new SluiceError('SLUICE_INTERNAL', `${message} The driver can't repair that.`);
  await connection.repairDuplicates(load, run.table, await collectRows(session, keys));
}

async function collectRows(session: Session, keys: readonly (readonly Scalar[])[]): Promise<DuplicateRepair> {
  const { connection, load, run, source, signal } = session;
  const { columns, key } = run.table;
  const search: Search = {
    keyIndexes: key.map((name) => columns.findIndex((column) => column.name === name)),
    wanted: new Set(keys.map(writeKey)),
    seen: new Set(),
    refusedBefore: await readRefused(session),
  };
  const kept: Batch[] = [];
  const refused: { readonly shard: number; readonly batch: Batch }[] = [];
  let refusedCount = 0;
  for (const { shard } of await readShards(connection, load)) {
    const builder = createBatchBuilder(columns);
    for await (const records of source.read(shard, { offset: shard.start, row: 0, line: 0 }, { columns, signal })) {
      builder.add(records);
      const { first, others } = splitRows(builder.take(), shard, search);
      if (first !== undefined) kept.push(first);
      if (others === undefined) continue;
      refused.push({ shard: shard.ordinal, batch: others });
      refusedCount += others.rowCount;
      // One key may come any number of times: rows in memory are bounded, not only keys.
      if (refusedCount > maxDuplicateKeys) throw tooMany(run.table.table);
    }
  }
  return { kept, refused, keeping: run.keeping };
}

function tooMany(table: string): SluiceError {
  return new SluiceError('SLUICE_KEYS_DOUBLED', `More than ${formatCount(maxDuplicateKeys)} rows of the input repeat a key of ${table}.`, {
    hint: 'Check that --key names what tells rows apart. With --again --indexes keep the key is in place from the start, and repeats are refused as they come.',
  });
}

interface Search {
  readonly keyIndexes: readonly number[];
  readonly wanted: ReadonlySet<string>;
  readonly seen: Set<string>;
  /** Rows that are not in the table, whatever their key: `shard:row`. */
  readonly refusedBefore: ReadonlySet<string>;
}

function splitRows(batch: Batch, shard: Shard, search: Search): { readonly first: Batch | undefined; readonly others: Batch | undefined } {
  const firstRows: number[] = [];
  const otherRows: number[] = [];
  for (let row = 0; row < batch.rowCount; row++) {
    const text = writeKey(search.keyIndexes.map((index) => readValue(batch, index, row)));
    if (!search.wanted.has(text) || search.refusedBefore.has(`${shard.ordinal}:${batch.places.rows[row]}`)) continue;
    (search.seen.has(text) ? otherRows : firstRows).push(row);
    search.seen.add(text);
  }
  return { first: keepRows(batch, firstRows), others: keepRows(batch, otherRows) };
}

function readValue({ values }: Batch, index: number, row: number): Scalar {
  const column = values[index];
  return column?.kind === 'scalar' ? (column.values[row] ?? null) : null;
}

function keepRows(batch: Batch, rows: readonly number[]): Batch | undefined {
  if (rows.length === 0) return undefined;
  const kept = new Set(rows);
  return dropRows(
    batch,
    Array.from({ length: batch.rowCount }, (_, row) => row).filter((row) => !kept.has(row)),
  );
}

/** Equal for equal keys, whether a whole number comes as number or as bigint. */
function writeKey(key: readonly Scalar[]): string {
  return JSON.stringify(key.map(String));
}

async function readRefused({ connection, load }: Session): Promise<ReadonlySet<string>> {
  const rows = await connection.query({ sql: 'SELECT shard, shard_row FROM sluice_rejects WHERE load = ?', parameters: [load] });
  return new Set(rows.map((row) => `${String(row['shard'])}:${String(row['shard_row'])}`));
}
