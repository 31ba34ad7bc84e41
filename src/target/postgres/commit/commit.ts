/** The commit: the shard's mark, rows and rejects in one transaction, or nothing. The mark comes first, so that an owner who was presumed dead is stopped before its rows meet the new owner's. */
import { emptyDigest } from '../../../ledger/digest.ts';
import { advanceShard, selectShard, type CommitCounts } from '../../../ledger/statements.ts';
import { SluiceError } from '../../../errors.ts';
import type { CommitUnit, Mark, Outcome } from '../../driver.ts';
import { LinkLostError } from '../../link.ts';
import { correctCounts, countInserted, createTally, equalCounts, toCounts, type Tally } from './counts.ts';
import { insertRows } from './insert.ts';
import { mergeRows } from './merge.ts';
import { listRejects, writeRejects } from './rejects.ts';
import { beginBatch, createTransaction, Fenced, readRunOptions, type BatchTransaction } from './transaction.ts';
import type { TableWriter } from './writer.ts';
import { noteSeen, repeatedKey } from '../mirror/seen.ts';
import type { Refusal } from '../refusal.ts';
import { retryConflicts } from './conflict-retry.ts';
import { checkBatch } from '../wire/encode.ts';
import { queryStatement, runStatement } from '../ledger.ts';
import type { PgLink } from '../link.ts';
import type { Sending } from './write-copy.ts';
import { listAllRows } from './write-insert.ts';

export { openWriter, type TableWriter } from './writer.ts';

/**
 * Commits a batch: five answers of the server when nothing is refused.
 * @throws LinkLostError, `landed: unknown` only when it broke under COMMIT; SLUICE_TARGET_BUSY after deadlocks again and again; other errors as they came. Nothing is written then
 */
export async function commitBatch(writer: TableWriter, unit: CommitUnit, signal: AbortSignal | undefined): Promise<Outcome> {
  return retryConflicts(writer.link.place, () => attemptCommit(writer, unit, signal), signal);
}

async function attemptCommit(writer: TableWriter, unit: CommitUnit, signal: AbortSignal | undefined): Promise<Outcome> {
  const tally = createTally();
  for (const [row, refusal] of checkBatch(writer.columns, unit.batch)) tally.refused.set(row, refusal);
  const all = listAllRows(unit.batch);
  const fitting = tally.refused.size === 0 ? all : all.filter((row) => !tally.refused.has(row));
  const noted = foresee(writer, unit, fitting);
  const kept = new Map<number, Refusal>();
  const transaction = createTransaction(writer, advanceShard(unit.mark, noted), signal);
  let outcome: Outcome;
  try {
    await beginBatch(transaction);
    const rows = await noteKeys({ transaction, unit, kept }, fitting, tally);
    const foreseen = rows === fitting ? noted : foresee(writer, unit, rows);
    if (rows.length > 0) await writeRows({ writer, transaction, batch: unit.batch, shard: unit.mark.shard, foreseen }, rows, tally);
    outcome = await accountFor({ writer, transaction, unit, noted, kept }, tally);
  } catch (error) {
    await rollBack(writer.link, error);
    if (error instanceof Fenced) return { kind: 'fenced' };
    throw isLost(error) ? new LinkLostError('no', error.message, { cause: error.cause ?? error }) : error;
  }
  await writer.link.query('COMMIT', [], readRunOptions(transaction));
  return outcome;
}

/** Mode sync: notes the keys as seen, refuses those that were seen before, and answers the rows that are left to write. */
async function noteKeys({ transaction, unit, kept }: Noting, rows: Int32Array, tally: Tally): Promise<Int32Array> {
  const { seen } = transaction.writer;
  if (seen === undefined) {
    // In a table that the load itself fills a row that is there already came with an earlier row of the source.
    for (let row = 0; row < (unit.kept?.rowCount ?? 0); row++) kept.set(row, repeatedKey);
    return rows;
  }
  const repeated = await noteSeen(transaction, seen, unit);
  for (const [row, refusal] of repeated.batch) if (!tally.refused.has(row)) tally.refused.set(row, refusal);
  for (const [row, refusal] of repeated.kept) kept.set(row, refusal);
  tally.skipped += (unit.kept?.rowCount ?? 0) - kept.size;
  return repeated.batch.size === 0 ? rows : rows.filter((row) => !repeated.batch.has(row));
}

interface Noting {
  readonly transaction: BatchTransaction;
  readonly unit: CommitUnit;
  /** Filled with the kept rows that are refused. */
  readonly kept: Map<number, Refusal>;
}

/** Whether rows find their way by their key; rows that are moved at the end do so then. */
function isMerging({ plan, settings }: TableWriter): boolean {
  return settings.publish !== 'move' && (plan.mode === 'upsert' || plan.mode === 'skip');
}

/** What the mark says before the rows are written: what it will be when nothing is refused, so that it need not be corrected. */
function foresee(writer: TableWriter, { batch, rejects }: CommitUnit, rows: Int32Array): CommitCounts {
  if (isMerging(writer)) return { written: 0, skipped: 0, rejected: 0, added: 0, digest: emptyDigest() };
  const tally = createTally();
  countInserted(tally, writer, { batch, rows, taken: rows.length });
  return toCounts(tally, rejects.length + batch.rowCount - rows.length);
}

async function writeRows(sending: Sending, rows: Int32Array, tally: Tally): Promise<void> {
  await (isMerging(sending.writer) ? mergeRows(sending, rows, tally) : insertRows(sending, rows, tally));
}

interface Accounting {
  readonly writer: TableWriter;
  readonly transaction: BatchTransaction;
  readonly unit: CommitUnit;
  readonly noted: CommitCounts;
  /** Refused ones of the kept rows. */
  readonly kept: ReadonlyMap<number, Refusal>;
}

/** Writes the rejects, and corrects the mark's counts where the rows fared otherwise than foreseen. */
async function accountFor({ writer, transaction, unit, noted, kept }: Accounting, tally: Tally): Promise<Outcome> {
  const { batch, mark } = unit;
  const { written, skipped, refused } = tally;
  const rowCount = batch.rowCount + (unit.kept?.rowCount ?? 0);
  const settledCount = written + skipped + refused.size + kept.size;
  if (settledCount !== rowCount) {
    throw new SluiceError(
      'SLUICE_INTERNAL',
      `The server accounted for ${settledCount} of ${rowCount} rows of a batch of shard ${mark.shard}.`,
      {
        hint: 'Nothing of the batch was written. Please report it with the definition of the table.',
      },
    );
  }
  const rejects = [...unit.rejects, ...listRejects(batch, refused), ...(unit.kept === undefined ? [] : listRejects(unit.kept, kept))];
  await writeRejects(transaction, rejects, { mark, keeping: writer.keeping });
  const counts = toCounts(tally, unit.rejects.length + kept.size);
  if (!equalCounts(noted, counts)) await runStatement(writer.link, correctCounts(mark, noted, counts), { signal: transaction.signal });
  return { kind: 'committed', written, skipped, rejects };
}

function isLost(error: unknown): error is LinkLostError {
  return error instanceof LinkLostError;
}

/** Ends the transaction after an error. COMMIT was not sent, so a link that breaks now breaks over nothing. */
async function rollBack(link: PgLink, cause: unknown): Promise<void> {
  if (link.isBroken) return;
  try {
    await link.script('ROLLBACK');
  } catch (error) {
    throw new LinkLostError('no', `The link to ${link.place} broke while a batch was taken back.`, {
      cause: new AggregateError([cause, error]),
    });
  }
}

/** After an unknown end, over a new connection: what the ledger says of the mark. */
export async function settleMark(link: PgLink, mark: Mark): Promise<'landed' | 'not_landed' | 'fenced'> {
  const [row] = await queryStatement(link, selectShard(mark.load, mark.shard));
  if (row === undefined || Number(row['epoch']) !== mark.epoch) return 'fenced';
  // With the mark's epoch still in force the position is either the one before or the one after it; an empty last commit shows in the state alone.
  const isThere = Number(row['next_offset']) === mark.to.offset && Number(row['next_row']) === mark.to.row;
  return isThere && (!mark.isLast || row['state'] === 'done') ? 'landed' : 'not_landed';
}
