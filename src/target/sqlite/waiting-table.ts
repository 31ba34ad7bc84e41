/** The table in which batches wait to be published: one row a batch, by shard and first row, so that they are read back in the order of the input. */
import { SluiceError } from '../../errors.ts';
import type { Batch } from '../../rows/batch.ts';
import type { TablePlan } from '../driver.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { prepareOnce, type SqliteFile } from './connect.ts';
import { packBatch, unpackBatch } from './waiting-batch.ts';

/** The statement that makes it. */
export function writeWaitingDdl(name: string): string {
  return `CREATE TABLE IF NOT EXISTS ${quoteIdentifier(name)} (shard INTEGER NOT NULL, first_row INTEGER NOT NULL, row_count INTEGER NOT NULL, content BLOB NOT NULL, UNIQUE (shard, first_row))`;
}

/** Inside the transaction of a commit. A batch without rows is not kept. */
export function keepBatch(link: SqliteFile, { table, shard }: { readonly table: string; readonly shard: number }, ready: ReadyBatch): void {
  const { batch, packed } = ready;
  if (batch.rowCount === 0) return;
  prepareOnce(link, `INSERT INTO ${quoteIdentifier(table)} (shard, first_row, row_count, content) VALUES (?, ?, ?, ?)`).run(
    shard,
    batch.places.rows[0] ?? 0,
    batch.rowCount,
    packed,
  );
}

/** A batch with its blob: it is laid out before the commit's turn comes. */
export interface ReadyBatch {
  readonly batch: Batch;
  readonly packed: Uint8Array;
}

export function readyBatch(batch: Batch): ReadyBatch {
  return { batch, packed: packBatch(batch) };
}

/** A batch that waits, by its number in the table. */
export interface WaitingPlace {
  readonly id: number;
  readonly shard: number;
  readonly rowCount: number;
}

/** In the order of the input. The list is as long as the load had commits, and holds three numbers of each. */
export function listWaiting(link: SqliteFile, table: string): readonly WaitingPlace[] {
  const rows = link.db.prepare(`SELECT rowid AS id, shard, row_count FROM ${quoteIdentifier(table)} ORDER BY shard, first_row`).all();
  return rows.map((row) => ({ id: Number(row['id']), shard: Number(row['shard']), rowCount: Number(row['row_count']) }));
}

/** @throws SLUICE_TARGET_FAILED when it is gone */
export function readWaiting(link: SqliteFile, { writesTo, columns }: Pick<TablePlan, 'writesTo' | 'columns'>, { id }: WaitingPlace): Batch {
  const row = prepareOnce(link, `SELECT content FROM ${quoteIdentifier(writesTo)} WHERE rowid = ?`).get(id);
  const content = row?.['content'];
  if (content instanceof Uint8Array) return unpackBatch(content, columns);
  throw new SluiceError('SLUICE_TARGET_FAILED', `Rows that waited in ${writesTo} are gone from ${link.file}.`, {
    hint: 'Somebody deleted them: load again with --again.',
  });
}
