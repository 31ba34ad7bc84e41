/** The stages that fill a batch: records into the builder, refused rows beside it, vectors into it. No row that was read is left out of the count. */
import { SluiceError } from '../../errors.ts';
import type { EmbedRefusal } from '../../embed/embedder.ts';
import { measureReject, type Batch, type Reject } from '../../rows/batch.ts';
import { dropRows, withVectors } from '../../rows/batch-edit.ts';
import { keepRows, pickColumns } from '../../rows/batch-keys.ts';
import type { Scalar } from '../../rows/schema.ts';
import type { Stretch } from '../../source/source.ts';
import { listLaneEmbeds, type LaneEmbed } from '../lane/lane.ts';
import { mirroredVectorShare } from '../plan/lane-size.ts';
import type { Event } from './protocol.ts';
import { spareUnfit } from '../lane/sync.ts';
import { stampOrigin } from '../lane/row-origin.ts';
import { compareCut } from './compare.ts';
import { isHeld, takeRecords, waitForResume } from './hold.ts';
import { emptyHand, isCancellation, readStop, timeStage, type Cut, type Run } from './run.ts';

/** Reads one stretch; cuts the batch when it is full, at the shard's end and at a stop. */
export async function readStretch(run: Run): Promise<Event> {
  const { lane } = run;
  await lane.breathe?.();
  if (lane.stopping.aborted) return endEarly(run);
  const held = isHeld(run);
  if (held !== undefined) return holdShard(run, held);
  const next = await pullRecords(run);
  if (next === 'stopped') return endEarly(run);
  if (next === 'end') return cutBatch(run, true);
  const taken = await takeRecords(run, next);
  if (taken === undefined) return endEarly(run);
  const refusedCount = addRecords(run, taken);
  if (isFull(run)) return cutFull(run);
  return refusedCount > 0 ? 'refused' : 'read';
}

/** The stretch that was put by, or the next one of the source. */
async function pullRecords(run: Run): Promise<Stretch | 'end' | 'stopped'> {
  const { lane, pending, reader } = run;
  run.pending = undefined;
  if (pending !== undefined) return pending;
  try {
    const result = await timeStage(lane, 'read', () => reader.next());
    if (result.done !== true) return result.value;
  } catch (error) {
    if (isCancellation(error, lane.stopping)) return 'stopped';
    throw error;
  }
  // A reader that was told to stop may end before its shard does. Only an end that nobody asked for is the shard's.
  return lane.stopping.aborted ? 'stopped' : 'end';
}

function addRecords(run: Run, records: Stretch): number {
  const { hand, lane } = run;
  const readCount = records.rowCount + records.rejects.length;
  if (records.end.row - hand.end.row !== readCount) {
    throw brokenCount(run, `the source yielded ${readCount} rows where its position moved by ${records.end.row - hand.end.row}`);
  }
  const startedMs = lane.clock.now();
  const unfit = lane.builder.add(records);
  lane.observe({ kind: 'stage', stage: 'check', ms: lane.clock.now() - startedMs });
  for (const reject of records.rejects) holdReject(run, reject);
  for (const reject of holdSpared(run, records, unfit)) holdReject(run, reject);
  hand.readCount += readCount;
  hand.byteCount += records.byteCount;
  hand.end = records.end;
  return records.rejects.length + unfit.length;
}

/** In mode sync a row that does not fit spares the row of its key. */
function holdSpared({ hand, lane: { sync } }: Run, records: Stretch, unfit: readonly Reject[]): readonly Reject[] {
  if (sync === undefined || unfit.length === 0 || records.kind === 'checked') return unfit;
  const { spared, rejects } = spareUnfit(sync, records, unfit);
  if (spared.rowCount > 0) hand.spared.push(spared);
  return rejects;
}

function holdReject({ hand }: Run, reject: Reject): void {
  hand.rejects.push(reject);
  hand.rejectBytes += measureReject(reject);
}

/** Full by rows or by the bytes that the batch will hold: values, refused rows, and the vectors that the embedding stage will add. */
function isFull({ hand, lane }: Run): boolean {
  const { builder, limits } = lane;
  const rowCount = builder.rowCount + hand.rejects.length;
  const bytes = builder.byteCount + hand.rejectBytes + builder.rowCount * embeddedRowBytes(lane);
  if (lane.flow?.isEnough(hand.readCount, hand.byteCount) === true) return true;
  return rowCount >= limits.maxBatchRows || bytes >= limits.maxBatchBytes || hand.rejectBytes >= limits.maxRejectBytes;
}

function embeddedRowBytes(lane: Run['lane']): number {
  const { columns, sync } = lane;
  const widths = listLaneEmbeds(lane).map(({ into, stage }) => columns[into]?.dimensions ?? stage.identity.dimensions);
  const bytes = 4 * widths.reduce((sum, width) => sum + width, 0);
  return sync === undefined ? bytes : bytes * mirroredVectorShare;
}

/**
 * A full batch is the shard's last when nothing follows it, which saves a transaction per shard. A stream is not asked:
 * it may let its next row wait for hours, and the batch with it.
 */
async function cutFull(run: Run): Promise<Event> {
  if (run.claim.shard.end === undefined || run.lane.stopping.aborted) return cutBatch(run, false);
  const next = await pullRecords(run);
  if (typeof next !== 'string') run.pending = next;
  return cutBatch(run, next === 'end');
}

/** What is in hand is committed; then the lane waits for the end of the pause, or has read all that it may. */
async function holdShard(run: Run, held: 'paused' | 'limit'): Promise<Event> {
  if (held === 'limit') return run.hand.readCount > 0 ? cutFull(run) : 'limit_reached';
  if (run.hand.readCount > 0) return cutBatch(run, false);
  await waitForResume(run.lane);
  return 'read';
}

/** A stop: rows in hand are still committed; the lane begins nothing new. */
function endEarly(run: Run): Event {
  if (run.hand.readCount === 0) return readStop(run.lane);
  cutBatch(run, false);
  return 'drained';
}

function cutBatch(run: Run, isLast: boolean): Event {
  const { claim, hand, lane } = run;
  const batch = lane.builder.take();
  const { readCount, byteCount, end: to } = hand;
  const keptCount = batch.rowCount + hand.rejects.length;
  if (keptCount !== readCount) throw brokenCount(run, `the builder and the rejects hold ${keptCount} rows where ${readCount} were read`);
  const embedded = { texts: 0, distinct: 0, cached: 0, embedded: 0 };
  const { epoch, load, shard } = claim;
  const mark = { load, shard: shard.ordinal, epoch, from: run.position, to, isLast, readCount, byteCount, embedded };
  const stamped = lane.origin === undefined ? batch : stampOrigin(batch, lane.origin, claim);
  run.cut = { batch: stamped, rejects: sortByRow(hand.rejects), mark, ...(hand.spared.length === 0 ? {} : { spared: hand.spared }) };
  run.hand = emptyHand(to);
  return isLast ? 'read_end' : 'batch_full';
}

/** Compares the batch in hand with the target where the load mirrors its source, then embeds what is left of it. */
export async function embedBatch(run: Run): Promise<Event> {
  return (await compareCut(run)) ?? embedCut(run);
}

/** Fills the vectors of the batch in hand, column by column; a row whose text can't be embedded becomes a reject and its neighbours stay. */
async function embedCut(run: Run): Promise<Event> {
  const { lane } = run;
  let refusedCount = 0;
  try {
    for (const embed of listLaneEmbeds(lane)) refusedCount += await embedColumn(run, embed);
    return refusedCount > 0 ? 'refused' : 'embedded';
  } catch (error) {
    if (isCancellation(error, lane.aborting)) return readStop(lane);
    throw error;
  }
}

/** How many rows were refused. */
async function embedColumn(run: Run, { from, into, stage }: LaneEmbed): Promise<number> {
  const { cut, lane } = run;
  if (cut === undefined) throw new SluiceError('SLUICE_INTERNAL', 'There is no batch to embed.');
  if (cut.batch.rowCount === 0) return 0;
  const texts = readTexts(cut.batch, from);
  const answer = await timeStage(lane, 'embed', () => stage.embed(texts, lane.aborting));
  const batch = withVectors(cut.batch, into, answer);
  const mark = { ...cut.mark, embedded: addCounts(cut.mark.embedded, answer.counts) };
  run.cut = dropRefused(spareRefused({ ...cut, batch, mark }, answer.refusals, lane), answer.refusals, cut.batch.columns[from]?.name);
  return answer.refusals.length;
}

function addCounts(left: Cut['mark']['embedded'], right: Cut['mark']['embedded']): Cut['mark']['embedded'] {
  return {
    texts: left.texts + right.texts,
    distinct: left.distinct + right.distinct,
    cached: left.cached + right.cached,
    embedded: left.embedded + right.embedded,
  };
}

function readTexts(batch: Batch, column: number): (string | null)[] {
  const values = batch.values[column];
  if (values?.kind !== 'scalar') throw new SluiceError('SLUICE_INTERNAL', `Column ${column} of the batch holds no texts to embed.`);
  return values.values.map(readText);
}

function readText(value: Scalar): string | null {
  return value === null || typeof value === 'string' ? value : String(value);
}

function spareRefused(cut: Cut, refusals: readonly EmbedRefusal[], { sync }: Run['lane']): Cut {
  if (sync === undefined || refusals.length === 0) return cut;
  const rows = new Set(refusals.map((refusal) => refusal.index));
  const keys = keepRows(pickColumns(cut.batch, sync.key), (row) => rows.has(row));
  return { ...cut, spared: [...(cut.spared ?? []), keys] };
}

function dropRefused(cut: Cut, refusals: readonly EmbedRefusal[], column: string | undefined): Cut {
  if (refusals.length === 0) return cut;
  const indexes = refusals.map((refusal) => refusal.index).sort((a, b) => a - b);
  const unembeddable = refusals.map((refusal) => toReject(cut.batch, refusal, column));
  return { ...cut, batch: dropRows(cut.batch, indexes), rejects: sortByRow([...cut.rejects, ...unembeddable]) };
}

function toReject({ places }: Batch, { code, index, message }: EmbedRefusal, column: string | undefined): Reject {
  const [row, offset, line] = [places.rows[index] ?? 0, places.offsets[index] ?? 0, places.lines[index] ?? 0];
  return { code, message, row, offset, line, raw: places.raw(index), ...(column === undefined ? {} : { column }) };
}

function sortByRow(rejects: readonly Reject[]): readonly Reject[] {
  return rejects.length < 2 ? rejects : rejects.toSorted((a, b) => a.row - b.row);
}

function brokenCount({ claim }: Run, what: string): SluiceError {
  return new SluiceError('SLUICE_INTERNAL', `In shard ${claim.shard.ordinal}, ${what}.`, {
    hint: 'Nothing of this batch was written. Please report it with the format of the source.',
  });
}
