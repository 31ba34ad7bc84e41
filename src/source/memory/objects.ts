/** Rows that are objects in memory: arrays, and iterables that give one object after another. Places count rows, as there are no bytes. */
import type { Position, Reject } from '../../rows/batch.ts';
import { createCancelCheck, Waiter } from '../cancellation.ts';
import { SluiceError } from '../../errors.ts';
import type { PulledIterator } from './iteration.ts';
import { collectFields, headSample, samplePlaces } from '../sample.ts';
import type { ReadOptions, Sample, Shard, Source, ValueRecords } from '../source.ts';
import { listOneShard } from './stream.ts';
import { writeRowText } from '../row-text.ts';

type Row = Readonly<Record<string, unknown>>;

/** A stretch is this much of memory, as a stretch of text is of input. */
const stretchBytes = 512 * 1024;
const maxStretchRows = 8_192;
/** Rows taken before the first estimate of their size. */
const firstRows = 64;
const placeRows = 100;
/** What a batch keeps of a row's place. */
const placeBytes = 24;

/** An array of objects as a source. It is read where it stands: it must not be changed before the load has ended. */
export function createArraySource(rows: readonly unknown[]): Source {
  const name = 'array';
  return {
    ...describeObjects(name),
    isSeekable: true,
    sample: async () => sampleArray(rows),
    shards: (targetBytes) => cutArray(rows, targetBytes),
    countRows: async ({ end = rows.length, start }) => end - start,
    read: (shard, from, options) => readArray(rows, { shard, from }, createCancelCheck(name, options.signal)),
    close: async () => undefined,
  };
}

/** An iterable of objects as a source. Each row has to be an object of its own: it is still read after the next one was asked for. */
export function createIterableSource(name: string, rows: PulledIterator): Source {
  const stream = new ObjectStream(name, rows);
  return {
    ...describeObjects(name),
    isSeekable: false,
    sample: (signal) => stream.sample(signal),
    shards: () => listOneShard(),
    read: (_shard, from, options) => stream.read(from, options),
    close: () => rows.close(),
  };
}

function describeObjects(name: string): Pick<Source, 'name' | 'format' | 'byteCount' | 'descriptor' | 'changed'> {
  return { name, format: 'objects', byteCount: undefined, descriptor: undefined, changed: async () => [] };
}

async function* cutArray(rows: readonly unknown[], targetBytes: number): AsyncGenerator<Shard, void, undefined> {
  const { byteCount } = makeRecords(rows.slice(0, headSample.maxRows), 0);
  const meanBytes = Math.max(1, byteCount / Math.max(1, Math.min(rows.length, headSample.maxRows)));
  const count = Math.max(firstRows, Math.floor(targetBytes / (meanBytes + placeBytes)));
  for (let start = 0, ordinal = 0; ordinal === 0 || start < rows.length; start += count, ordinal++) {
    yield { ordinal, file: 0, start, end: Math.min(rows.length, start + count), head: '', tail: '' };
  }
}

interface ArrayPart {
  readonly shard: Shard;
  readonly from: Position;
}

async function* readArray(
  rows: readonly unknown[],
  { shard, from }: ArrayPart,
  checkCancelled: () => void,
): AsyncGenerator<ValueRecords, void, undefined> {
  const end = shard.end ?? rows.length;
  let at = from.offset;
  let wanted = firstRows;
  while (at < end) {
    checkCancelled();
    const records = makeRecords(rows.slice(at, Math.min(at + wanted, end)), at, shard.start);
    yield records;
    at = records.end.offset;
    wanted = chooseRowCount(records);
  }
}

/** The first rows, and some of places in equal distances to the end. */
function sampleArray(rows: readonly unknown[]): Sample {
  const stretches = [makeRecords(rows.slice(0, headSample.maxRows), 0)];
  for (let place = 1; place <= samplePlaces; place++) {
    const start = Math.floor((rows.length * place) / samplePlaces) - placeRows;
    if (start >= stretches.at(-1)!.end.offset) stretches.push(makeRecords(rows.slice(start, start + placeRows), start));
  }
  return { fields: collectFields(stretches), stretches, meanRowBytes: undefined, estimatedRows: rows.length };
}

/** The rows of an iterable, each taken once: a row that was taken for a sample waits for the read. */
class ObjectStream {
  private readonly name: string;
  private readonly rows: PulledIterator;
  /** Rows that were taken from the iterable and that nobody has read yet: a sample's, or those of a read that was cancelled. */
  private waiting: unknown[] = [];
  private pending: Promise<IteratorResult<unknown>> | undefined;
  /** Ordinal of the next row that a read would get. */
  private at = 0;

  constructor(name: string, rows: PulledIterator) {
    this.name = name;
    this.rows = rows;
  }

  async sample(signal: AbortSignal | undefined): Promise<Sample> {
    const waiter = new Waiter(this.name, signal);
    try {
      await this.gather(headSample.maxRows, waiter);
    } finally {
      waiter.close();
    }
    const stretches = [makeRecords(this.waiting.slice(), this.at)];
    return { fields: collectFields(stretches), stretches, meanRowBytes: undefined };
  }

  async *read(from: Position, options: ReadOptions): AsyncGenerator<ValueRecords, void, undefined> {
    const waiter = new Waiter(this.name, options.signal);
    const checkCancelled = createCancelCheck(this.name, options.signal);
    try {
      await this.skipTo(from.offset, waiter);
      let wanted = firstRows;
      for (;;) {
        checkCancelled();
        const rows = await this.take(wanted, waiter);
        if (rows.length === 0) return;
        const records = makeRecords(rows, this.at - rows.length);
        wanted = chooseRowCount(records);
        yield records;
      }
    } finally {
      waiter.close();
    }
  }

  /** The next rows; none at the end. */
  private async take(count: number, waiter: Waiter): Promise<readonly unknown[]> {
    await this.gather(count, waiter);
    const rows = this.waiting.length > count ? this.waiting.splice(0, count) : this.waiting;
    if (rows === this.waiting) this.waiting = [];
    this.at += rows.length;
    return rows;
  }

  /** Takes rows until `count` are waiting or the iterable has ended. */
  private async gather(count: number, waiter: Waiter): Promise<void> {
    while (this.waiting.length < count) {
      // A promise is kept until its row has arrived: a cancelled wait must not lose it.
      const next = this.pending ?? this.rows.next();
      if (next instanceof Promise) this.pending = next;
      const result = next instanceof Promise ? await waiter.wait(next) : next;
      this.pending = undefined;
      if (result.done === true) return;
      this.waiting.push(result.value);
    }
  }

  /** Takes the rows that an earlier session has loaded, and drops them. */
  private async skipTo(row: number, waiter: Waiter): Promise<void> {
    if (row < this.at) {
      throw new SluiceError('SLUICE_SOURCE_READ', `the ${this.name} can't be read a second time, from row ${row} on`, {
        hint: 'Give the same rows again from the first one and resume.',
      });
    }
    while (this.at < row) {
      const rows = await this.take(Math.min(maxStretchRows, row - this.at), waiter);
      if (rows.length > 0) continue;
      throw new SluiceError(
        'SLUICE_SOURCE_CHANGED',
        `the ${this.name} ends after ${this.at} rows, before row ${row}, up to which it was loaded`,
        {
          hint: 'Give the same rows again from the first one.',
        },
      );
    }
  }
}

/** Rows for the next stretch, from the size of those in this one. */
function chooseRowCount(records: ValueRecords): number {
  const meanBytes = records.byteCount / Math.max(1, records.rowCount + records.rejects.length);
  return Math.max(1, Math.min(maxStretchRows, Math.floor(stretchBytes / Math.max(1, meanBytes))));
}

/** Makes records of rows whose first one has the ordinal `first`; within its shard rows are counted from `start`. */
function makeRecords(rows: readonly unknown[], first: number, start = 0): ValueRecords {
  const values: Row[] = [];
  const ordinals = new Float64Array(rows.length);
  const rejects: Reject[] = [];
  for (let at = 0; at < rows.length; at++) {
    const row = rows[at];
    const ordinal = first + at;
    // Ordinals are written up to the rows that are kept, and the rest is cut off below.
    if (isRow(row)) ordinals[values.push(row) - 1] = ordinal;
    else
      rejects.push({
        code: 'ROW_NOT_AN_OBJECT',
        message: describeNoRow(row),
        row: ordinal - start,
        offset: ordinal,
        line: ordinal - start,
        raw: writeRowText(row),
      });
  }
  const offsets = ordinals.subarray(0, values.length);
  const places = start === 0 ? offsets : offsets.map((ordinal) => ordinal - start);
  const end = first + rows.length;
  return {
    kind: 'values',
    isJsonText: false,
    values,
    rowCount: values.length,
    rejects,
    places: { offsets, rows: places, lines: places, raw: (row) => writeRowText(values[row]) },
    end: { offset: end, row: end - start, line: end - start },
    byteCount: estimateBytes(values),
  };
}

function isRow(row: unknown): row is Row {
  return typeof row === 'object' && row !== null && !Array.isArray(row) && !ArrayBuffer.isView(row);
}

/** What stands in a row's place, without its value. */
function describeNoRow(row: unknown): string {
  if (row === null) return 'the row is null, not an object';
  if (Array.isArray(row) || ArrayBuffer.isView(row)) return 'the row is an array, not an object';
  return `the row is of type ${typeof row}, not an object`;
}

/** Rows of which one is measured: a look at every row would cost as much as a row's share of an insert. */
const measuredEvery = 32;

/** Bytes of memory that rows take, as far as a stretch's size needs to be known. */
function estimateBytes(values: readonly Row[]): number {
  let bytes = 0;
  let measured = 0;
  for (let row = 0; row < values.length; row += measuredEvery, measured++) {
    for (const value of Object.values(values[row]!)) bytes += estimateValueBytes(value);
  }
  return measured === 0 ? 0 : Math.ceil((bytes / measured) * values.length);
}

function estimateValueBytes(value: unknown): number {
  if (typeof value === 'string') return 16 + value.length;
  if (ArrayBuffer.isView(value)) return 16 + value.byteLength;
  return Array.isArray(value) ? 16 + 8 * value.length : 16;
}
