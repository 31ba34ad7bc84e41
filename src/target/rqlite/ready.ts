/** Lays the rows of a batch out as requests before the turn to commit them comes, so that the server works while this side encodes. Only where nothing need be asked first. */
import { addKeyRange, emptyDigest } from '../../ledger/digest.ts';
import type { Batch } from '../../rows/batch.ts';
import { readBudget } from './budget.ts';
import type { Piece, PreparedPiece } from './pieces.ts';
import { createSink, pushBytes, pushComma, pushText, type ByteSink } from './row-bytes.ts';
import { writeInsertText, type RowRun } from './writer.ts';

/** A piece of a batch, ready but for its mark. */
export interface Readied {
  readonly piece: Piece;
  readonly prepared: PreparedPiece;
  /** The statements as they stand in the request, with commas between. */
  readonly bytes: Buffer;
  /** What a request could hold when it was laid out. */
  readonly budget: number;
}

interface ReadiedBatch {
  readonly run: RowRun;
  readonly pieces: readonly Readied[];
}

const readiedBatches = new WeakMap<Batch, ReadiedBatch>();

/** Lays a batch out. Rows that have to be looked at, or met by their keys, are left to the commit. */
export function readyBatch(run: RowRun): void {
  const { batch, encoder, plan, settings } = run;
  const isPlain = plan.mode === 'insert' || plan.mode === 'replace';
  const mayReady = isPlain && !settings.isRowwise && encoder.refused.size === 0 && !encoder.hasDetours;
  const pieces: Readied[] = [];
  for (let from = 0; mayReady && from < batch.rowCount; from = pieces.at(-1)?.piece.to ?? batch.rowCount) {
    pieces.push(layOutPiece(run, from));
  }
  readiedBatches.set(batch, { run, pieces });
}

/** What was made ready of a batch, for a commit over whatever link there is now. */
export function findReadied(batch: Batch): ReadiedBatch | undefined {
  return readiedBatches.get(batch);
}

export function forgetReadied(batch: Batch): void {
  readiedBatches.delete(batch);
}

/** Room for the values of one statement, kept by the thread: it is used up before anything else runs. */
const block: ByteSink = createSink(256 * 1024);

/** As many rows from here on as a request may hold. */
function layOutPiece(run: RowRun, from: number): Readied {
  const { batch, settings } = run;
  const budget = readBudget(run.link.address.label);
  const size = Math.max(1, settings.rowsPerStatement);
  const request = createSink(Math.min(budget, 64 * batch.rowCount) + 4096);
  const rows: (readonly number[])[] = [];
  let to = from;
  while (to < batch.rowCount && (to === from || request.length < budget)) {
    const end = pushBlock(run, { from: to, to: Math.min(batch.rowCount, to + size), left: budget - request.length }, request);
    rows.push(Array.from({ length: end - to }, (_, at) => to + at));
    to = end;
  }
  const digest = emptyDigest();
  if (settings.tracksKeys) addKeyRange(digest, run.keys, { from, to });
  const count = to - from;
  const prepared = { statements: [], rows, written: count, skipped: 0, added: count, digest, refused: new Map() };
  return { piece: { from, to, isSingle: false }, prepared, bytes: request.bytes.subarray(0, request.length), budget };
}

/** One statement, of at least one row and as many as fit; returns the row behind its last. */
function pushBlock(
  run: RowRun,
  { from, to, left }: { readonly from: number; readonly to: number; readonly left: number },
  request: ByteSink,
): number {
  const placeholders = 2 * run.plan.columns.length + 2;
  block.length = 0;
  let row = from;
  while (row < to && (row === from || block.length + (row - from) * placeholders < left)) {
    if (row > from) pushComma(block);
    run.encoder.pushValues(block, row++);
  }
  if (request.length > 0) pushComma(request);
  pushText(request, `[${writeInsertText(run, row - from, '')},`);
  pushBytes(request, block.bytes.subarray(0, block.length));
  pushText(request, ']');
  return row;
}
