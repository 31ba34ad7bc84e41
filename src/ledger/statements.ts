/** The ledger's SQL as data, written once for every SQL target: each function returns statements for a driver to run. */
import { rejectCodes, type Reject } from '../rows/batch.ts';
import type { Shard } from '../source/source.ts';
import type { Mark, RejectKeeping, Statement } from '../target/driver.ts';
import type { KeyDigest } from './digest.ts';

/** What a new load brings into the ledger. */
export interface NewLoad {
  readonly load: string;
  readonly label: string | undefined;
  readonly fingerprint: string;
  readonly source: string;
  readonly table: string;
  readonly mode: string;
  /** JSON of what a resume needs. */
  readonly plan: string;
  readonly parent: string | undefined;
  readonly totalBytes: number | undefined;
  readonly baseRows: number | undefined;
  readonly baseDigest: string | undefined;
  /** How many loads with this fingerprint the ledger held when this one was decided on. */
  readonly earlierCount: number;
}

/** Counts of one commit. */
export interface CommitCounts {
  readonly written: number;
  readonly skipped: number;
  readonly rejected: number;
  /** Keys that were not in the table before. */
  readonly added: number;
  readonly digest: KeyDigest;
}

function now(): string {
  return new Date().toISOString();
}

/** Begins a load. It must change one row: two processes that decide on the same load at the same moment can't both begin it. */
export function insertLoad(load: NewLoad): Statement {
  const at = now();
  return {
    sql: `INSERT INTO sluice_loads (load, label, fingerprint, state, source, target_table, mode, plan, parent, total_bytes, base_rows, base_digest, sessions, started_at, updated_at)
SELECT ?, ?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ? WHERE (SELECT count(*) FROM sluice_loads WHERE fingerprint = ?) = ?`,
    parameters: [
      load.load,
      load.label ?? null,
      load.fingerprint,
      load.source,
      load.table,
      load.mode,
      load.plan,
      load.parent ?? null,
      load.totalBytes ?? null,
      load.baseRows ?? null,
      load.baseDigest ?? null,
      at,
      at,
      load.fingerprint,
      load.earlierCount,
    ],
    mustChange: 1,
  };
}

export function insertShard(load: string, shard: Shard): Statement {
  return {
    sql: `INSERT INTO sluice_shards (load, shard, file, start_offset, end_offset, head, tail, state, epoch, next_offset, next_row, next_line, updated_at)
VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', 0, ?, 0, 0, ?)`,
    parameters: [load, shard.ordinal, shard.file, shard.start, shard.end ?? null, shard.head, shard.tail, shard.start, now()],
  };
}

/** Takes a shard from whoever had it: succeeds (changes one row) only if nobody claimed it since its epoch was read. */
export function claimShard(load: string, shard: number, claim: { readonly epoch: number; readonly owner: string }): Statement {
  return {
    sql: `UPDATE sluice_shards SET epoch = epoch + 1, state = 'claimed', owner = ?, updated_at = ? WHERE load = ? AND shard = ? AND epoch = ? AND state <> 'done'`,
    parameters: [claim.owner, now(), load, shard, claim.epoch],
  };
}

/** The owner is at work: its lease begins anew. */
export function touchShards(load: string, owner: string): Statement {
  return {
    sql: `UPDATE sluice_shards SET updated_at = ? WHERE load = ? AND owner = ? AND state <> 'done'`,
    parameters: [now(), load, owner],
  };
}

/** Gives the owner's unfinished shards back, so that another process need not wait for its lease. */
export function releaseShards(load: string, owner: string): Statement {
  return {
    sql: `UPDATE sluice_shards SET owner = NULL, state = 'waiting' WHERE load = ? AND owner = ? AND state <> 'done'`,
    parameters: [load, owner],
  };
}

/** Moves a shard's position together with its rows. It must change exactly one row, else the caller rolls everything back: another owner has the shard. */
export function advanceShard(mark: Mark, counts: CommitCounts): Statement {
  return {
    sql: `UPDATE sluice_shards SET state = ?, next_offset = ?, next_row = ?, next_line = ?,
  read_count = read_count + ?, written_count = written_count + ?, skipped_count = skipped_count + ?, rejected_count = rejected_count + ?,
  byte_count = byte_count + ?, text_count = text_count + ?, distinct_count = distinct_count + ?, cached_count = cached_count + ?, embedded_count = embedded_count + ?,
  added_count = added_count + ?, key_high = (key_high + ?) % 4294967296, key_low = (key_low + ?) % 4294967296, updated_at = ?
WHERE load = ? AND shard = ? AND epoch = ? AND next_offset = ? AND next_row = ? AND state <> 'done'`,
    parameters: [
      mark.isLast ? 'done' : 'claimed',
      mark.to.offset,
      mark.to.row,
      mark.to.line,
      mark.readCount,
      counts.written,
      counts.skipped,
      counts.rejected,
      mark.byteCount,
      mark.embedded.texts,
      mark.embedded.distinct,
      mark.embedded.cached,
      mark.embedded.embedded,
      counts.added,
      counts.digest.high,
      counts.digest.low,
      now(),
      mark.load,
      mark.shard,
      mark.epoch,
      mark.from.offset,
      mark.from.row,
    ],
  };
}

/** Notes beside a shard's position what a batch of statements needs to go on there; its `tail` holds it. */
export function noteShard(load: string, shard: number, note: string): Statement {
  return { sql: `UPDATE sluice_shards SET tail = ? WHERE load = ? AND shard = ?`, parameters: [note, load, shard] };
}

export function selectShard(load: string, shard: number): Statement {
  return {
    sql: `SELECT state, epoch, next_offset, next_row, next_line FROM sluice_shards WHERE load = ? AND shard = ?`,
    parameters: [load, shard],
  };
}

export const insertRejectSql = `INSERT INTO sluice_rejects (load, shard, shard_row, byte_offset, shard_line, class, code, column_name, message, raw, is_cut)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

/** Cuts a text so that it has at most `maxBytes` bytes of UTF-8, never inside a character. */
function cutText(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return text;
  const bytes = Buffer.from(text.slice(0, maxBytes)).subarray(0, maxBytes);
  let end = bytes.length;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return new TextDecoder().decode(bytes.subarray(0, end)).replace(/\ufffd+$/u, '');
}

export function insertReject(mark: Pick<Mark, 'load' | 'shard'>, reject: Reject, keeping: RejectKeeping): Statement {
  const raw = keeping.keepsRows ? reject.raw : undefined;
  const kept = raw === undefined ? null : cutText(raw, keeping.maxBytes);
  return {
    sql: insertRejectSql,
    parameters: [
      mark.load,
      mark.shard,
      reject.row,
      reject.offset,
      reject.line,
      rejectCodes[reject.code],
      reject.code,
      reject.column ?? null,
      reject.message,
      kept,
      kept !== null && kept.length < (raw ?? '').length ? 1 : 0,
    ],
  };
}

/** Rows that counted as written and new turn out to be refused; the rows themselves are the caller's to delete, in the same transaction. */
export function refuseWritten(rows: {
  readonly load: string;
  readonly shard: number;
  readonly count: number;
  readonly digest: KeyDigest;
}): Statement {
  const { load, shard, count, digest } = rows;
  return {
    sql: `UPDATE sluice_shards SET written_count = written_count - ?, rejected_count = rejected_count + ?, added_count = added_count - ?,
  key_high = (key_high + 4294967296 - ?) % 4294967296, key_low = (key_low + 4294967296 - ?) % 4294967296 WHERE load = ? AND shard = ?`,
    parameters: [count, count, count, digest.high, digest.low, load, shard],
    mustChange: 1,
  };
}

/** Ends a session of a load. */
export function endLoad(load: string, state: string): Statement {
  const at = now();
  return {
    sql: `UPDATE sluice_loads SET state = ?, failure = NULL, updated_at = ?, ended_at = ? WHERE load = ? AND (state <> 'done' OR ? = 'done')`,
    parameters: [state, at, at, load, state],
  };
}

/** Ends a session that could not go on; a load that another session has finished meanwhile stays done. */
export function failLoad(load: string, failure: string): Statement {
  const at = now();
  return {
    sql: `UPDATE sluice_loads SET state = 'failed', failure = ?, updated_at = ?, ended_at = ? WHERE load = ? AND state <> 'done'`,
    parameters: [failure, at, at, load],
  };
}

/** Begins another session of a load. */
export function reopenLoad(load: string): Statement {
  return {
    sql: `UPDATE sluice_loads SET state = 'running', failure = NULL, sessions = sessions + 1, updated_at = ?, ended_at = NULL WHERE load = ?`,
    parameters: [now(), load],
  };
}

/**
 * Which open rejects can be tried again as they were kept. A row that could not be read is not one of them: its text would be refused again, or, with
 * an unclosed quote, would swallow the rows after it.
 */
export const retryableRejects = `retried_by IS NULL AND raw IS NOT NULL AND is_cut = 0 AND class <> 'unreadable'`;

/** Hands a load's open rejects, or those of them that can be tried again as they were kept, to the load that tries them again. */
export function adoptRejects(parent: string, child: string, onlyKept: boolean): Statement {
  const kept = onlyKept ? ` AND ${retryableRejects}` : '';
  return { sql: `UPDATE sluice_rejects SET retried_by = ? WHERE load = ? AND retried_by IS NULL${kept}`, parameters: [child, parent] };
}

export function recordIndex(load: string, index: { readonly name: string; readonly ddl: string }): Statement {
  return {
    sql: `INSERT INTO sluice_deferred_indexes (load, name, ddl) SELECT ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM sluice_deferred_indexes WHERE load = ? AND name = ?)`,
    parameters: [load, index.name, index.ddl, load, index.name],
  };
}

export function forgetIndex(load: string, name: string): Statement {
  return { sql: `DELETE FROM sluice_deferred_indexes WHERE load = ? AND name = ?`, parameters: [load, name] };
}

const publicationName = (load: string): string => `published ${load}`;

/** Of a load whose rows waited in a table of their own: they are visible. */
export function recordPublication(load: string): Statement {
  const name = publicationName(load);
  return {
    sql: `INSERT INTO sluice_meta (name, value) SELECT ?, 'yes' WHERE NOT EXISTS (SELECT 1 FROM sluice_meta WHERE name = ?)`,
    parameters: [name, name],
  };
}

export function findPublication(load: string): Statement {
  return { sql: `SELECT value FROM sluice_meta WHERE name = ?`, parameters: [publicationName(load)] };
}

/** What the ledger knows of a vector column: enough to embed a query the way its rows were. */
export interface VectorRecord {
  readonly table: string;
  readonly column: string;
  readonly dimensions: number;
  readonly metric: string;
  /** JSON of the embedder's spec and identity; undefined for vectors that came with the rows. */
  readonly embedder: string | undefined;
  readonly textColumn: string | undefined;
}

export function recordVector(vector: VectorRecord): Statement {
  return {
    sql: `INSERT INTO sluice_vectors (table_name, column_name, dimensions, metric, embedder, text_column) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (table_name, column_name) DO UPDATE SET dimensions = excluded.dimensions, metric = excluded.metric, embedder = excluded.embedder, text_column = excluded.text_column`,
    parameters: [vector.table, vector.column, vector.dimensions, vector.metric, vector.embedder ?? null, vector.textColumn ?? null],
  };
}
