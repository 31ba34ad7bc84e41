/** Reads and converts shards as a load would, and notes what is found; nothing is written anywhere but keys in a temporary file. The same for a thread and the caller's. */
import { rejectCodes, type Batch, type Position, type Reject, type RejectClass } from '../rows/batch.ts';
import { createBatchBuilder, type BatchBuilder } from '../rows/builder.ts';
import type { Column, Scalar } from '../rows/schema.ts';
import { openTextField } from '../rows/text-fill.ts';
import type { Records, Shard, Source, TextRecords } from '../source/source.ts';
import { addBatch, createStatistics, type ColumnStatistics } from './column-statistics.ts';
import { createKeyCollector, type CollectorOptions, type KeyCollector, type KeyRecords } from './key-records.ts';
import { measureRun, runTypes, type KeyRun } from './key-runs.ts';
import { addTextCells } from './text-cells.ts';
import { findUnembeddable, type TextCheck } from './text-check.ts';

/** What is looked for; plain data. */
export interface ScanPlan {
  readonly columns: readonly Column[];
  /** Indexes of the key's columns; empty: keys are not compared. */
  readonly key: readonly number[];
  readonly hasStatistics: boolean;
  /** Index of a column that is the whole key: comparing the keys tells how many different values it has, and no estimate is made. */
  readonly countedByKey: number | undefined;
  /** Columns of texts that are to be embedded. */
  readonly texts: readonly TextCheck[];
  /** Places of a cause that are kept of each shard. */
  readonly positions: number;
  readonly records: CollectorOptions;
}

/** A row in its shard. */
export interface ShardPlace {
  readonly shard: number;
  readonly row: number;
  readonly line: number;
  readonly offset: number;
}

/** As in the ledger: rows with the same code and column, under the message of the first. There are at most as many as codes times columns. */
export interface ShardCause {
  readonly class: RejectClass;
  readonly code: string;
  readonly column: string | undefined;
  message: string;
  count: number;
  readonly places: ShardPlace[];
}

/** What one shard was found to hold; plain data. */
export interface ShardFindings {
  readonly shard: number;
  readonly read: number;
  readonly rejected: number;
  /** Of the source, for progress. */
  readonly bytes: number;
  readonly end: Position;
  readonly causes: readonly ShardCause[];
  readonly runs: readonly KeyRun[];
  /** It was read to its end. */
  readonly isWhole: boolean;
}

/** What a lane found in all of its shards. */
export interface LaneFindings {
  readonly statistics: readonly ColumnStatistics[];
  readonly records: KeyRecords;
}

/** A shard's rows, all of them or those of some runs: then only their keys' digests are taken. */
export interface ScanRequest {
  readonly shard: Shard;
  readonly ranges?: readonly { readonly from: number; readonly to: number }[] | undefined;
}

/** Rows of a batch: as many as a load's, so that the same memory is used again and again. */
const batchRows = 8_192;
const batchBytes = 4 * 1024 * 1024;

export interface Scanner {
  scan(request: ScanRequest, signal: AbortSignal): Promise<ShardFindings>;
  end(): LaneFindings;
  /** Of a scanner that will not come to its end. */
  close(): void;
}

/** How a batch is looked at: `told` are columns, by index, whose statistics are taken from the bytes of its stretches. */
interface Way {
  readonly builder: BatchBuilder;
  readonly told: ReadonlySet<number>;
}

interface Scanning {
  readonly plan: ScanPlan;
  readonly byValues: Way;
  /** For stretches of delimited text in ASCII: no string is made of a text that nothing else asks for. */
  readonly byBytes: Way;
  readonly statistics: readonly ColumnStatistics[];
  readonly collector: KeyCollector;
}

function openWays({ columns, key, texts }: ScanPlan): Pick<Scanning, 'byBytes' | 'byValues'> {
  const told = new Set(columns.flatMap(({ type }, index) => (type === 'text' ? [index] : [])));
  const asked = new Set([...key, ...texts.map(({ column }) => column)]);
  // A text fits every column of texts but for a null in one that takes none; what is to be embedded stays empty in a batch.
  const left = columns.map((column, index) =>
    told.has(index) && !asked.has(index) && column.isNullable ? { ...column, isEmbedded: true } : column,
  );
  return {
    byValues: { builder: createBatchBuilder(columns), told: new Set() },
    byBytes: { builder: createBatchBuilder(left), told },
  };
}

/** Makes a scanner for one lane; the source is its own. */
export function createScanner(source: Source, plan: ScanPlan): Scanner {
  const scanning: Scanning = {
    plan,
    ...openWays(plan),
    statistics: plan.columns.map((_, index) => createStatistics(index !== plan.countedByKey)),
    collector: createKeyCollector(plan.records),
  };
  return {
    scan: (request, signal) => scanShard(source, scanning, { ...request, signal }),
    end: () => ({ statistics: scanning.statistics, records: scanning.collector.end() }),
    close: () => scanning.collector.close(),
  };
}

/** One shard at work. */
interface Work extends ScanRequest {
  readonly causes: Map<string, ShardCause>;
  readonly runs: KeyRun[];
  read: number;
  rejected: number;
  bytes: number;
  end: Position;
  /** Of the batch at hand, from its first stretch on. */
  way: Way;
}

async function scanShard(
  source: Source,
  scanning: Scanning,
  request: ScanRequest & { readonly signal: AbortSignal },
): Promise<ShardFindings> {
  const { shard, ranges, signal } = request;
  const from: Position = { offset: shard.start, row: 0, line: 0 };
  const work: Work = { shard, ranges, causes: new Map(), runs: [], read: 0, rejected: 0, bytes: 0, end: from, way: scanning.byValues };
  const { plan } = scanning;
  const stretches = source.read(shard, from, { columns: plan.columns, signal });
  let isWhole = false;
  try {
    for await (const records of stretches) {
      addStretch(scanning, work, records);
      const { byteCount, rowCount } = work.way.builder;
      if (rowCount >= batchRows || byteCount >= batchBytes) closeBatch(scanning, work);
    }
    isWhole = !signal.aborted;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  closeBatch(scanning, work);
  const { causes, runs, read, rejected, bytes, end } = work;
  return { shard: shard.ordinal, read, rejected, bytes, end, causes: [...causes.values()], runs, isWhole };
}

function addStretch(scanning: Scanning, work: Work, records: Records): void {
  const { plan } = scanning;
  const isTold = plan.hasStatistics && work.ranges === undefined && records.kind === 'text' && records.isAscii;
  const way = isTold ? scanning.byBytes : scanning.byValues;
  if (way !== work.way) closeBatch(scanning, work);
  work.way = way;
  const unfit = way.builder.add(records);
  if (isTold) tellTexts(scanning, records, unfit);
  work.read += records.rowCount + records.rejects.length;
  work.bytes += records.byteCount;
  work.end = records.end;
  if (work.ranges !== undefined) return;
  for (const reject of records.rejects) noteReject(work, reject, plan.positions);
  for (const reject of unfit) noteReject(work, reject, plan.positions);
}

function tellTexts({ byBytes, plan, statistics }: Scanning, records: TextRecords, unfit: readonly Reject[]): void {
  const refused = new Set(unfit.map(({ row }) => row));
  const misfits = new Set<number>();
  if (refused.size > 0) records.places.rows.forEach((row, index) => refused.has(row) && misfits.add(index));
  for (const column of byBytes.told) {
    const index = records.fields.indexOf(plan.columns[column]?.field ?? '');
    const into = statistics[column];
    if (into === undefined) continue;
    const rowCount = records.rowCount - misfits.size;
    into.rows += rowCount;
    if (index >= 0) addTextCells(into, openTextField(records, index), misfits);
    else into.nulls += rowCount;
  }
}

function noteReject(work: Work, reject: Pick<Reject, 'code' | 'column' | 'message' | 'row' | 'line' | 'offset'>, positions: number): void {
  const { code, column, message, row, line, offset } = reject;
  work.rejected++;
  const key = JSON.stringify([code, column]);
  let cause = work.causes.get(key);
  if (cause === undefined) {
    cause = { class: rejectCodes[code], code, column, message, count: 0, places: [] };
    work.causes.set(key, cause);
  }
  cause.count++;
  if (cause.places.length < positions) cause.places.push({ shard: work.shard.ordinal, row, line, offset });
}

function closeBatch({ collector, plan, statistics }: Scanning, work: Work): void {
  const { builder, told } = work.way;
  if (builder.rowCount === 0) return;
  const batch = builder.take();
  if (work.ranges === undefined) {
    if (plan.hasStatistics) addBatch(statistics, batch, told);
    const refused = noteUnembeddable(plan, work, batch);
    if (plan.key.length > 0) addKeys({ collector, plan }, work, { batch, refused });
  } else addRanges({ collector, plan }, work.ranges, { batch, shard: work.shard.ordinal });
  builder.reuse(batch);
}

/** A row is refused once, for the first of its texts that can't be embedded. */
function noteUnembeddable({ positions, texts }: ScanPlan, work: Work, batch: Batch): ReadonlySet<number> {
  const refused = new Set<number>();
  for (const text of texts) {
    for (const reject of findUnembeddable(text, batch)) {
      if (refused.has(reject.index)) continue;
      refused.add(reject.index);
      noteReject(work, reject, positions);
    }
  }
  return refused;
}

/** Decimals and timestamps have several spellings of one value: zeros behind the point say nothing. */
function normaliseKey({ type }: Column, values: readonly Scalar[]): readonly Scalar[] {
  if (type !== 'decimal' && type !== 'timestamp') return values;
  return values.map((value) => (typeof value === 'string' ? value.replace(/(\.\d*?)0+(Z?)$/u, '$1$2').replace(/\.(Z?)$/u, '$1') : value));
}

function readKeys(plan: ScanPlan, batch: Batch): readonly (readonly Scalar[])[] {
  return plan.key.map((index) => {
    const data = batch.values[index];
    return data?.kind === 'scalar' ? normaliseKey(plan.columns[index] as Column, data.values) : [];
  });
}

interface KeyedBatch {
  readonly batch: Batch;
  readonly refused: ReadonlySet<number>;
}

type Keyed = Pick<Scanning, 'collector' | 'plan'>;

/** A batch whose keys ascend is one run; of another each key is noted. A row that can't be embedded is rejected before its key counts. */
function addKeys({ collector, plan }: Keyed, work: Work, { batch, refused }: KeyedBatch): void {
  const keys = readKeys(plan, batch);
  const { places, rowCount } = batch;
  const [from, to] = [places.rows[0] as number, places.rows[rowCount - 1] as number];
  const shard = work.shard.ordinal;
  const isOrdered = runTypes.has(plan.columns[plan.key[0] as number]?.type ?? '');
  const run = isOrdered ? measureRun(keys[0] ?? []) : undefined;
  if (run?.isAscending === true && refused.size === 0) {
    extendRun(work.runs, { shard, from, to, ...run });
    return;
  }
  // A run without an order overlaps with nothing that could be asked for: all keys of such a column are noted.
  if (run !== undefined) work.runs.push({ shard, from, to, ...run, isAscending: false });
  for (let row = 0; row < rowCount; row++) {
    if (!refused.has(row)) collector.add(keys, row, { shard, row: places.rows[row] as number });
  }
}

/** Runs that follow each other in a shard are one, so that a sorted file has about one a shard. */
function extendRun(runs: KeyRun[], run: KeyRun): void {
  const last = runs.at(-1);
  if (last?.isAscending === true && run.min > last.max) runs[runs.length - 1] = { ...last, to: run.to, max: run.max };
  else runs.push(run);
}

function addRanges(
  { collector, plan }: Keyed,
  ranges: NonNullable<ScanRequest['ranges']>,
  { batch, shard }: { batch: Batch; shard: number },
): void {
  const keys = readKeys(plan, batch);
  for (let index = 0; index < batch.rowCount; index++) {
    const row = batch.places.rows[index] as number;
    if (ranges.some(({ from, to }) => from <= row && row <= to)) collector.add(keys, index, { shard, row });
  }
}
