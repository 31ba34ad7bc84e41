/** The commit: rows, rejects and the shard's mark in one transaction, or nothing. */
import { emptyDigest } from '../../ledger/digest.ts';
import type { Batch, Reject } from '../../rows/batch.ts';
import { dropRows } from '../../rows/batch-edit.ts';
import { advanceShard, insertReject, selectShard } from '../../ledger/statements.ts';
import type { CommitUnit, Mark, Outcome, RejectKeeping, Statement } from '../driver.ts';
import { prepareOnce, transactSqlite } from './connect.ts';
import { isForeignKeyError, orphanRefusal, type Refusal } from './errors.ts';
import { findOrphans } from './orphans.ts';
import { noteSeen, type Repeated, type SeenWriter } from './seen.ts';
import { keepBatch, readyBatch, type ReadyBatch } from './waiting-table.ts';
import { RolledBackByBlock, RolledBackByRow, writeBatch, type TableWriter, type Written } from './write.ts';

/** Thrown inside the transaction when the shard has another owner. */
class Fenced extends Error {}

/** Thrown inside the transaction with the rows whose deferred foreign keys do not hold. */
class OrphanRows extends Error {
  readonly rows: readonly number[];

  constructor(rows: readonly number[]) {
    super('rows without a parent');
    this.rows = rows;
  }
}

export interface CommitRequest extends CommitUnit {
  readonly writer: TableWriter;
  /** Mode sync: where the keys seen are noted. */
  readonly seen: SeenWriter | undefined;
  /** Of rows that wait to be published: the batch as it was laid out before its turn, if it was. */
  readonly ready?: ReadyBatch | undefined;
  readonly keeping: RejectKeeping;
  readonly signal: AbortSignal | undefined;
}

const nothingRepeated: Repeated = { batch: new Map(), kept: new Map() };

interface Attempt {
  /** Rows that ended an earlier attempt's transaction. */
  readonly excluded: Map<number, Refusal>;
  isRowwise: boolean;
  checksForeignKeys: boolean;
}

/**
 * Commits a batch. Each failed attempt either excludes at least one more row or turns to single rows, so there are at most `rowCount + 2` attempts.
 * @throws SLUICE_TARGET_… ; nothing is written then
 */
export async function commitBatch(request: CommitRequest): Promise<Outcome> {
  const attempt: Attempt = { excluded: new Map(), isRowwise: false, checksForeignKeys: false };
  for (;;) {
    try {
      return await attemptCommit(request, attempt);
    } catch (error) {
      if (error instanceof Fenced) return { kind: 'fenced' };
      if (!learnFrom(error, attempt)) throw error;
    }
  }
}

function learnFrom(error: unknown, attempt: Attempt): boolean {
  if (error instanceof RolledBackByBlock) {
    if (attempt.isRowwise) return false;
    attempt.isRowwise = true;
    return true;
  }
  if (error instanceof RolledBackByRow) {
    attempt.excluded.set(error.row, error.refusal);
    return true;
  }
  if (error instanceof OrphanRows) {
    for (const row of error.rows) {
      attempt.excluded.set(row, orphanRefusal);
    }
    return true;
  }
  if (isForeignKeyError(error) && !attempt.checksForeignKeys) {
    attempt.isRowwise = true;
    attempt.checksForeignKeys = true;
    return true;
  }
  return false;
}

async function attemptCommit(request: CommitRequest, attempt: Attempt): Promise<Outcome> {
  const { writer, batch, kept, mark, signal } = request;
  return transactSqlite(
    writer.link,
    () => {
      // Asked before the rows are written: those of an owner that was presumed dead are there already, and would all be refused for it.
      if (!isOwned(writer, mark)) throw new Fenced();
      const repeated = request.seen === undefined ? nothingRepeated : noteSeen(request.seen, request);
      const excluded = new Map([...attempt.excluded, ...repeated.batch]);
      const written = isWaiting(writer) ? keepRows(request, excluded) : writeBatch(writer, batch, { ...attempt, excluded });
      const orphans = attempt.checksForeignKeys ? findOrphans(writer, batch, written) : [];
      if (orphans.length > 0) throw new OrphanRows(orphans);
      const rejects = [...request.rejects, ...listRefused(batch, written.refused), ...listRefused(kept, repeated.kept)];
      const skipped = written.skipped + (kept?.rowCount ?? 0) - repeated.kept.size;
      for (const reject of rejects) run(writer, insertReject(mark, reject, request.keeping));
      const counts = {
        written: written.written,
        skipped,
        rejected: rejects.length,
        added: written.added,
        digest: written.digest,
      };
      if (run(writer, advanceShard(mark, counts)) !== 1) throw new Fenced();
      return { kind: 'committed', written: written.written, skipped, rejects } as const;
    },
    signal,
  );
}

function isWaiting({ settings }: TableWriter): boolean {
  return settings.publish === 'move';
}

/** Rows that wait count as written, and none as new: what the table makes of them shows when they are published. */
function keepRows({ writer, batch, ready, mark }: CommitRequest, refused: Map<number, Refusal>): Written {
  const kept = dropRows(
    batch,
    [...refused.keys()].toSorted((a, b) => a - b),
  );
  keepBatch(writer.link, { table: writer.plan.writesTo, shard: mark.shard }, ready?.batch === kept ? ready : readyBatch(kept));
  return { written: kept.rowCount, skipped: 0, added: 0, digest: emptyDigest(), refused, rowids: new Map() };
}

/** Whether the shard still stands where the mark begins, under the mark's epoch. */
function isOwned({ link }: TableWriter, { load, shard, epoch, from }: Mark): boolean {
  const { sql, parameters } = selectShard(load, shard);
  const row = prepareOnce(link, sql).get(...parameters);
  return (
    row !== undefined &&
    row['state'] !== 'done' &&
    Number(row['epoch']) === epoch &&
    Number(row['next_offset']) === from.offset &&
    Number(row['next_row']) === from.row
  );
}

function run(writer: TableWriter, statement: Statement): number {
  return Number(prepareOnce(writer.link, statement.sql).run(...statement.parameters).changes);
}

function listRefused(batch: Batch | undefined, refused: ReadonlyMap<number, Refusal>): readonly Reject[] {
  if (batch === undefined) return [];
  const rows = [...refused.keys()].sort((a, b) => a - b);
  return rows.flatMap((row) => {
    const refusal = refused.get(row);
    return refusal === undefined ? [] : [toReject(batch, row, refusal)];
  });
}

export function toReject({ places }: Batch, row: number, refusal: Refusal): Reject {
  return {
    code: refusal.code,
    message: refusal.message,
    ...(refusal.column === undefined ? {} : { column: refusal.column }),
    row: places.rows[row] ?? 0,
    offset: places.offsets[row] ?? 0,
    line: places.lines[row] ?? 0,
    raw: places.raw(row),
  };
}
