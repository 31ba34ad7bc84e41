/** Reads the refused rows of a load, a page at a time: there may be very many. */
import type { RejectClass } from '../rows/batch.ts';
import type { RejectCause, RejectRecord } from '../load/options.ts';
import { count, maybeCount, maybeText, text } from './fields.ts';
import type { Reader } from './reading.ts';
import { rejectPlaces } from './schema.ts';
import { retryableRejects } from './statements.ts';

/** Rejects grouped by cause, most first; at most 100 causes. */
export async function readRejectCauses(reader: Reader, load: string): Promise<readonly RejectCause[]> {
  const rows = await reader.query({
    sql: `SELECT class, code, column_name, min(message) AS message, count(*) AS n FROM sluice_rejects WHERE load = ? GROUP BY class, code, column_name ORDER BY n DESC, code LIMIT 100`,
    parameters: [load],
  });
  return rows.map((row) => ({
    class: text(row, 'class') as RejectClass,
    code: text(row, 'code'),
    column: maybeText(row, 'column_name'),
    message: text(row, 'message'),
    count: count(row, 'n'),
  }));
}

/** How many open rejects of a load can be tried again as they were kept. */
export async function countRetryable(reader: Reader, load: string): Promise<number> {
  const rows = await reader.query({
    sql: `SELECT count(*) AS n FROM sluice_rejects WHERE load = ? AND ${retryableRejects}`,
    parameters: [load],
  });
  return Number(rows[0]?.['n'] ?? 0);
}

const rejectPage = 1000;

/** Open rejects of a load in the order of the input, a page at a time. With `retriedBy`, those that another load adopted. */
export async function* readRejects(
  reader: Reader,
  load: string,
  retriedBy?: string,
): AsyncGenerator<RejectRecord & { readonly shard: number; readonly shardRow: number }> {
  let shard = -1;
  let shardRow = -1;
  for (;;) {
    const rows = await reader.query({
      sql: `SELECT * FROM (${rejectPlaces}) places WHERE load = ? AND ${retriedBy === undefined ? 'retried_by IS NULL' : 'retried_by = ?'} AND (shard > ? OR (shard = ? AND shard_row > ?)) ORDER BY shard, shard_row LIMIT ?`,
      parameters: [load, ...(retriedBy === undefined ? [] : [retriedBy]), shard, shard, shardRow, rejectPage],
    });
    for (const row of rows) {
      shard = count(row, 'shard');
      shardRow = count(row, 'shard_row');
      yield {
        load,
        class: text(row, 'class') as RejectClass,
        code: text(row, 'code'),
        column: maybeText(row, 'column_name') ?? null,
        message: text(row, 'message'),
        file: String(count(row, 'file')),
        offset: count(row, 'byte_offset'),
        line: maybeCount(row, 'line_number') ?? null,
        row: maybeCount(row, 'row_number') ?? null,
        raw: maybeText(row, 'raw') ?? null,
        isCut: count(row, 'is_cut') === 1,
        shard,
        shardRow,
      };
    }
    if (rows.length < rejectPage) return;
  }
}

/** Whether the ledger holds a reject for this row of a shard. */
export async function isRejected(
  reader: Reader,
  load: string,
  row: { readonly shard: number; readonly shardRow: number },
): Promise<boolean> {
  const found = await reader.query({
    sql: `SELECT 1 AS found FROM sluice_rejects WHERE load = ? AND shard = ? AND shard_row = ?`,
    parameters: [load, row.shard, row.shardRow],
  });
  return found.length > 0;
}
