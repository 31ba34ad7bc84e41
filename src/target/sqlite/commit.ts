/** The commit: rows, rejects and the shard's mark in one transaction, or nothing. */
import type { Batch, Reject } from '../../rows/batch.ts';
import { advanceShard, insertReject } from '../../ledger/statements.ts';
import type { Mark, Outcome, RejectKeeping, Statement } from '../driver.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { prepareOnce, transactSqlite } from './connect.ts';
import { isSqliteError, type Refusal } from './errors.ts';
import { RolledBackByBlock, RolledBackByRow, writeBatch, type TableWriter, type Written } from './write.ts';

/** SQLITE_CONSTRAINT_FOREIGNKEY, thrown by COMMIT when a deferred foreign key does not hold. */
const foreignKeyCode = 787;

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

export interface CommitRequest {
  readonly writer: TableWriter;
  readonly batch: Batch;
  readonly rejects: readonly Reject[];
  readonly mark: Mark;
  readonly keeping: RejectKeeping;
  readonly signal: AbortSignal | undefined;
}

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
      attempt.excluded.set(row, { code: 'REFUSED_FOREIGN_KEY', message: 'SQLite: FOREIGN KEY constraint failed', column: undefined });
    }
    return error.rows.length > 0;
  }
  if (isForeignKeyError(error) && !attempt.checksForeignKeys) {
    attempt.isRowwise = true;
    attempt.checksForeignKeys = true;
    return true;
  }
  return false;
}

function isForeignKeyError(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return isSqliteError(cause) && cause.errcode === foreignKeyCode;
}

async function attemptCommit(request: CommitRequest, attempt: Attempt): Promise<Outcome> {
  const { writer, batch, mark, signal } = request;
  return transactSqlite(
    writer.link,
    () => {
      const written = writeBatch(writer, batch, attempt);
      if (attempt.checksForeignKeys) throwOrphans(writer, written);
      const rejects = [...request.rejects, ...listRefused(batch, written.refused)];
      for (const reject of rejects) run(writer, insertReject(mark, reject, request.keeping));
      const counts = { written: written.written, skipped: written.skipped, rejected: rejects.length, added: written.added, digest: written.digest };
      if (run(writer, advanceShard(mark, counts)) !== 1) throw new Fenced();
      return { kind: 'committed', written: written.written, skipped: written.skipped, rejects } as const;
    },
    signal,
  );
}

function run(writer: TableWriter, statement: Statement): number {
  return Number(prepareOnce(writer.link, statement.sql).run(...statement.parameters).changes);
}

function listRefused(batch: Batch, refused: ReadonlyMap<number, Refusal>): readonly Reject[] {
  const rows = [...refused.keys()].sort((a, b) => a - b);
  return rows.flatMap((row) => {
    const refusal = refused.get(row);
    return refusal === undefined ? [] : [toReject(batch, row, refusal)];
  });
}

function toReject({ places }: Batch, row: number, refusal: Refusal): Reject {
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

/** Deferred foreign keys are only checked by COMMIT, which does not name the rows; this finds them among the rows just written. */
function throwOrphans({ link, plan }: TableWriter, written: Written): void {
  const orphans = new Set(link.db.prepare(`PRAGMA foreign_key_check(${quoteIdentifier(plan.writesTo)})`).all().map((row) => String(row['rowid'])));
  const rows = [...written.rowids].filter(([, rowid]) => orphans.has(String(rowid))).map(([row]) => row);
  if (rows.length > 0) throw new OrphanRows(rows);
}

