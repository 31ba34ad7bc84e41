/** The commit: rows, rejects and the shard's mark in one request with one transaction. A request whose answer is lost is never sent again before the ledger was asked. */
import { toReject } from '../sqlite/commit.ts';
import { SluiceError } from '../../errors.ts';
import type { Batch, Reject } from '../../rows/batch.ts';
import { advanceShard, insertReject, selectShard } from '../../ledger/statements.ts';
import type { CommitUnit, Mark, Outcome, RejectKeeping } from '../driver.ts';
import { readLanded } from '../link.ts';
import { BodyTooLarge, readRows, toResultRows, toStatementError, writeStatement } from './answer.ts';
import { readBudget, shrinkBudget } from './budget.ts';
import { createRowEncoder, toSqlValue } from './encode.ts';
import type { RqliteLink } from './link.ts';
import { findReadied, forgetReadied, type Readied } from './ready.ts';
import { forgetMirrorRun, noteKeys, openMirrorRun, pickKept, type Mirror, type MirrorRun } from './mirror.ts';
import { preparePiece, type Piece, type PreparedPiece } from './pieces.ts';
import { advance, cutMark, findProgress, forgetProgress, pickRejects, type Pending, type Progress } from './progress.ts';
import { readRefusal } from './refusal.ts';
import { guardChanges, runTransaction, writeBound, type TransactionEnd } from './transaction.ts';
import { measureRow, type RowRun, type TableWriter } from './writer.ts';

/** Rows that are looked at singly in one request: their statements are about 200 bytes longer each than in a block. */
const maxSingles = 1000;

/** How often others may change keys between a look and the commit. */
const maxRaces = 8;

export interface CommitRequest extends CommitUnit {
  readonly writer: TableWriter;
  readonly mirror: Mirror | undefined;
  readonly keeping: RejectKeeping;
  readonly signal: AbortSignal | undefined;
}

interface Committing {
  readonly request: CommitRequest;
  readonly run: RowRun;
  readonly progress: Progress;
  races: number;
  readonly mirrored: MirrorRun | undefined;
  /** Laid out before the turn came. */
  readonly readied: readonly Readied[];
}

export function openRun(writer: TableWriter, batch: Batch): RowRun {
  const keys = writer.plan.key
    .map((name) => batch.columns.findIndex((column) => column.name === name))
    .filter((index) => index >= 0)
    .map((index) => {
      const data = batch.values[index];
      return data?.kind === 'scalar' ? data.values.map(toSqlValue) : [];
    });
  return { ...writer, batch, encoder: createRowEncoder(batch, writer.declaredTypes), keys };
}

/**
 * Commits a batch, in as many requests as its size and its bad rows need; the ledger's position moves with each.
 * @throws LinkLostError: the same batch may be committed again after `settle`, over this or another connection; SLUICE_TARGET_…
 */
export async function commitBatch(request: CommitRequest): Promise<Outcome> {
  const { writer, batch } = request;
  const ready = findReadied(batch);
  const run = ready === undefined ? openRun(writer, batch) : { ...ready.run, ...writer };
  const progress = findProgress(request);
  const mirrored = request.mirror === undefined ? undefined : await openMirrorRun(request.mirror, request);
  for (const [row, refusal] of mirrored?.repeated ?? []) progress.excluded.set(row, refusal);
  const committing: Committing = { request, run, progress, races: 0, mirrored, readied: ready?.pieces ?? [] };
  if (progress.pending !== undefined && !(await settlePending(writer.link, progress))) return fence(batch);
  while (!progress.isDone) {
    if (!(await commitPiece(committing))) return fence(batch);
  }
  forgetProgress(batch);
  forgetReadied(batch);
  forgetMirrorRun(batch);
  return { kind: 'committed', written: progress.written, skipped: progress.skipped, rejects: progress.rejects };
}

function fence(batch: Batch): Outcome {
  forgetMirrorRun(batch);
  forgetProgress(batch);
  forgetReadied(batch);
  return { kind: 'fenced' };
}

/** Asks the ledger for a request whose end is not known. `false`: another owner has moved the shard. */
async function settlePending(link: RqliteLink, progress: Progress): Promise<boolean> {
  const { pending } = progress;
  if (pending === undefined) return true;
  const answer = await settleMark(link, pending.mark);
  if (answer === 'landed') advance(progress, pending);
  progress.pending = undefined;
  return answer !== 'fenced';
}

/** Whether a mark is in the ledger. A shard within the mark, which several requests brought there, counts as not landed: the commit goes on from there. */
export async function settleMark(link: RqliteLink, mark: Mark): Promise<'landed' | 'not_landed' | 'fenced'> {
  const { sql, parameters } = selectShard(mark.load, mark.shard);
  const [row] = toResultRows(await readRows(link, writeStatement(sql, parameters)));
  if (row === undefined || Number(row['epoch']) !== mark.epoch) return 'fenced';
  const isThere = Number(row['next_offset']) === mark.to.offset && Number(row['next_row']) === mark.to.row;
  return isThere && (!mark.isLast || row['state'] === 'done') ? 'landed' : 'not_landed';
}

/** The next request as it was laid out, unless what was learnt since makes another of it. */
function findPiece({ run, progress, readied }: Committing): Readied | undefined {
  const isPlain = progress.singles === undefined && progress.excluded.size === 0 && progress.maxRows === Number.MAX_SAFE_INTEGER;
  if (!isPlain) return undefined;
  const budget = readBudget(run.link.address.label);
  return readied.find(({ piece, budget: laidOutFor }) => piece.from === progress.row && laidOutFor === budget);
}

/** The rows of the next request. */
function cutPiece({ run, progress, request }: Committing): Piece {
  const from = progress.row;
  const { singles } = progress;
  const isSingle = run.settings.isRowwise || (singles !== undefined && from >= singles.from);
  const end = isSingle ? (singles?.to ?? request.batch.rowCount) : (singles?.from ?? request.batch.rowCount);
  const most = Math.min(progress.maxRows, isSingle ? maxSingles : Number.MAX_SAFE_INTEGER, end - from);
  const budget = readBudget(run.link.address.label) / (isSingle ? 2 : 1);
  let bytes = 0;
  let to = from;
  while (to < from + most) {
    bytes += measureRow(run, to);
    if (to > from && bytes > budget) break;
    to++;
  }
  return { from, to, isSingle };
}

/** Sends one piece. `false`: the shard is another owner's. */
async function commitPiece(committing: Committing): Promise<boolean> {
  const { run, progress, request } = committing;
  const readied = findPiece(committing);
  const piece = readied?.piece ?? cutPiece(committing);
  let prepared: PreparedPiece;
  let sent: Sent;
  let end: TransactionEnd;
  try {
    prepared = readied?.prepared ?? (await preparePiece(run, piece, { excluded: progress.excluded, signal: request.signal }));
    sent = writeRequest(committing, piece, prepared);
    progress.pending = sent.pending;
    const more = readied === undefined ? undefined : { bytes: readied.bytes, count: prepared.rows.length };
    end = await runTransaction(run.link, sent.statements, { signal: request.signal, skipsParsing: true, more });
  } catch (error) {
    learnFromError(committing, piece, error);
    return true;
  }
  if (end.kind === 'committed') {
    advance(progress, sent.pending);
    return true;
  }
  progress.pending = undefined;
  if (end.kind === 'refused') refuseAtCommit(committing, piece, end.error);
  else if (end.index === 1) return takeFence(committing, sent.pending);
  else learnFromFailure(committing, piece, { error: end.error, index: end.index, offset: sent.offset, prepared });
  return true;
}

/** The fence may have met our own earlier send, whose answer was lost: within an epoch nobody else moves the shard, so the ledger tells by where it stands. */
async function takeFence({ run, progress }: Committing, pending: Pending): Promise<boolean> {
  if (!progress.hasTwin || (await settleMark(run.link, pending.mark)) !== 'landed') return false;
  advance(progress, pending);
  return true;
}

interface Sent {
  readonly statements: readonly string[];
  /** Statements before those of the piece. */
  readonly offset: number;
  readonly pending: Pending;
}

/** Mark and fence first: rows that an earlier send has brought must not look like refused ones. */
function writeRequest({ request, progress, mirrored }: Committing, piece: Piece, prepared: PreparedPiece): Sent {
  const { batch, keeping } = request;
  const mark = cutMark(progress, batch, piece.to);
  const isLastOfBatch = piece.to >= batch.rowCount;
  const refused = [...prepared.refused].sort(([left], [right]) => left - right).map(([row, refusal]) => toReject(batch, row, refusal));
  const kept = pickKept(request.kept, mirrored, { mark, isLastOfBatch });
  const rejects = [
    ...pickRejects(request.rejects, mark, isLastOfBatch),
    ...refused,
    ...kept.refused.map(([of, row, refusal]) => toReject(of, row, refusal)),
  ];
  const { written, added, digest } = prepared;
  const skipped = prepared.skipped + kept.count;
  const moved = advanceShard(mark, { written, skipped, rejected: rejects.length, added, digest });
  const statements = [
    writeBound(moved.sql, moved.parameters),
    guardChanges(1),
    ...rejects.map((reject) => {
      const { sql, parameters } = insertReject(mark, wellForm(reject), keeping);
      return writeBound(sql, parameters);
    }),
    ...(mirrored === undefined ? [] : noteKeys(mirrored, mark, isLastOfBatch)),
  ];
  const offset = statements.length;
  return {
    statements: [...statements, ...prepared.statements],
    offset,
    pending: { mark, nextRow: piece.to, share: { written, skipped, rejects } },
  };
}

/** What is kept of a row that holds half of a surrogate pair has a mark in its place. */
function wellForm(reject: Reject): Reject {
  return reject.raw === undefined ? reject : { ...reject, raw: reject.raw.toWellFormed() };
}

/** A request that was too large is cut; everything else is thrown, with what is pending where its end is unknown. */
function learnFromError({ run, progress }: Committing, piece: Piece, error: unknown): void {
  const { label } = run.link.address;
  if (error instanceof BodyTooLarge) {
    progress.pending = undefined;
    const sentBytes = Array.from({ length: piece.to - piece.from }, (_, at) => measureRow(run, piece.from + at)).reduce(
      (sum, bytes) => sum + bytes,
      0,
    );
    shrinkBudget(label, sentBytes);
    if (piece.to - piece.from > 1) {
      progress.maxRows = Math.max(1, Math.floor((piece.to - piece.from) / 2));
      return;
    }
    progress.excluded.set(piece.from, {
      code: 'REFUSED_TOO_BIG',
      message: 'The row is larger than the server takes in a request (413).',
      column: undefined,
    });
    return;
  }
  if (readLanded(error) === 'unknown') {
    progress.hasTwin = true;
    shrinkBudget(label, readBudget(label));
  } else progress.pending = undefined;
  throw error;
}

/** COMMIT checks foreign keys that are deferred and names no row: the piece is halved until it is one. */
function refuseAtCommit({ progress }: Committing, piece: Piece, error: string): void {
  const count = piece.to - piece.from;
  if (count > 1) {
    progress.maxRows = Math.floor(count / 2);
    return;
  }
  progress.excluded.set(piece.from, { code: 'REFUSED_FOREIGN_KEY', message: `SQLite: ${error}`, column: undefined });
}

interface Failure {
  readonly error: string;
  readonly index: number;
  readonly offset: number;
  readonly prepared: PreparedPiece;
}

/** The rows of the statement that failed are looked at singly; those before it are sent without them. */
function learnFromFailure(committing: Committing, piece: Piece, { error, index, offset, prepared }: Failure): void {
  const { run, progress } = committing;
  const rows = prepared.rows[index - offset];
  if (rows === undefined) throw toStatementError(run.link, error);
  const isGuard = /integer overflow/iu.test(error);
  if (!isGuard && readRefusal(error, run.settings.guardsRows) === undefined) throw toStatementError(run.link, error);
  if (piece.isSingle || isGuard) {
    committing.races += 1;
    if (committing.races > maxRaces) {
      throw new SluiceError(
        'SLUICE_TARGET_BUSY',
        `Others change keys of ${run.plan.table} in ${run.link.address.label} faster than rows are written.`,
        {
          hint: 'Resume when they are done.',
        },
      );
    }
    return;
  }
  const from = rows[0] ?? piece.from;
  // Upserts of keys that are there stand behind new rows of later places, so those are looked at with them.
  const isReordered = run.plan.mode === 'upsert' || run.plan.mode === 'skip';
  progress.singles = isReordered ? { from: piece.from, to: piece.to } : { from, to: Math.min(piece.to, (rows.at(-1) ?? from) + 1) };
}
