/** Text that comes in chunks and can be read once: stdin, pipes, Node and web streams, iterables of bytes or strings. What a sample has seen is kept for the read. */
import { SluiceError } from '../../errors.ts';
import type { Position } from '../../rows/batch.ts';
import { ByteWindow, type ByteInput } from '../text/byte-window.ts';
import { createCancelCheck, Waiter } from '../cancellation.ts';
import type { PulledIterator } from './iteration.ts';
import { assembleSample, headSample, peekRows } from '../sample.ts';
import type { Records, ReadOptions, Sample, Shard, Source } from '../source.ts';
import { readStretches, stretchLimits, type Head, type TextFormat } from '../text/text-format.ts';

/** Once a line is there, the sample waits this long for more: a pipe may be fed by hand or by a slow program, and the load should begin. */
const sampleWaitMs = 2_000;

export interface StreamInput {
  readonly name: string;
  readonly format: TextFormat;
  readonly chunks: PulledIterator;
}

/** Opens a stream of text as a source of one shard. Nothing is read before `sample` or `read`. */
export function createStreamSource(input: StreamInput): Source {
  const stream = new TextStream(input);
  return {
    name: input.name,
    format: input.format.name,
    byteCount: undefined,
    isSeekable: false,
    descriptor: undefined,
    sample: (signal) => stream.sample(signal),
    shards: () => listOneShard(),
    read: (_shard, from, options) => stream.read(from, options),
    changed: async () => [],
    close: () => input.chunks.close(),
  };
}

/** The whole of a source that has no parts. */
export async function* listOneShard(end?: number): AsyncGenerator<Shard, void, undefined> {
  yield { ordinal: 0, file: 0, start: 0, ...(end === undefined ? {} : { end }), head: '', tail: '' };
}

/** One stream, its window and what is known of its head. The window goes from the sample on to the read, so nothing is read twice or lost. */
class TextStream {
  private readonly input: StreamInput;
  private readonly chunks: ChunkInput;
  private readonly window: ByteWindow;
  private head: Head | undefined;

  constructor(input: StreamInput) {
    const { name, format, chunks } = input;
    this.input = input;
    this.chunks = new ChunkInput(chunks, name);
    this.window = new ByteWindow(this.chunks, { offset: 0, maxRowBytes: format.maxRowBytes, capacityBytes: headSample.maxBytes });
  }

  /** The first rows. They stay in the window. */
  async sample(signal: AbortSignal | undefined): Promise<Sample> {
    const { format, name } = this.input;
    return this.waiting(signal, async () => {
      const head = await this.readHead();
      await this.gatherSample();
      const base = { offset: this.window.offset, row: 0, line: head.lines };
      let records = peekRows(this.window, base, { format, head, reread: undefined });
      while (records === undefined && !this.window.isFinal && this.window.byteCount <= format.maxRowBytes) {
        createCancelCheck(name, signal)();
        await this.window.fill();
        records = peekRows(this.window, base, { format, head, reread: undefined });
      }
      return assembleSample(head.fields, records === undefined ? [] : [records]);
    });
  }

  /** Rows from a position on, which must not be before what was read already. */
  async *read(from: Position, options: ReadOptions): AsyncGenerator<Records, void, undefined> {
    const { format, name } = this.input;
    const waiter = new Waiter(name, options.signal);
    this.chunks.waiter = waiter;
    try {
      const head = await this.readHead();
      const isAtHead = from.offset < head.byteCount;
      const start = isAtHead ? { offset: head.byteCount, row: from.row, line: from.line + head.lines } : from;
      await this.skipTo(start.offset);
      yield* readStretches(this.window, {
        tokenizer: format.createTokenizer(head, stretchLimits, options.columns),
        maxRowBytes: format.maxRowBytes,
        from: start,
        headBytes: start.offset - from.offset,
        reread: undefined,
        checkCancelled: createCancelCheck(name, options.signal),
      });
    } finally {
      waiter.close();
    }
  }

  /** Runs `work` with its waits for the stream bound to the signal. */
  private async waiting<Result>(signal: AbortSignal | undefined, work: () => Promise<Result>): Promise<Result> {
    const waiter = new Waiter(this.input.name, signal);
    this.chunks.waiter = waiter;
    try {
      return await work();
    } finally {
      waiter.close();
    }
  }

  private async readHead(): Promise<Head> {
    this.head ??= await this.input.format.readHead(this.window, this.input.name);
    return this.head;
  }

  /** Reads until the window holds a sample's rows or bytes, or the stream has ended, or enough has been waited for. */
  private async gatherSample(): Promise<void> {
    const { window } = this;
    // The deadline begins with the first whole line: before that there is nothing to go on with.
    let deadline: number | undefined;
    let lines = countLines(window.view());
    while (!window.isFinal && window.byteCount < headSample.maxBytes && lines < headSample.maxRows) {
      if (lines > 0) deadline ??= performance.now() + sampleWaitMs;
      if (deadline !== undefined && !(await this.chunks.isReadyWithin(deadline - performance.now()))) return;
      const before = window.byteCount;
      await window.fill();
      lines += countLines(window.view().subarray(before));
    }
  }

  /** Reads past what an earlier session has loaded. */
  private async skipTo(offset: number): Promise<void> {
    const { window } = this;
    const { name } = this.input;
    if (offset < window.offset) {
      throw new SluiceError('SLUICE_SOURCE_READ', `${name} can't be read a second time, from byte ${offset} on`, {
        hint: 'Feed the same stream again from its start and resume.',
      });
    }
    while (window.offset < offset) {
      if (window.byteCount === 0) await window.fill();
      if (window.byteCount === 0) {
        throw new SluiceError(
          'SLUICE_SOURCE_CHANGED',
          `${name} ends at byte ${window.offset}, before byte ${offset}, up to which it was loaded`,
          {
            hint: 'Feed the same stream again from its start.',
          },
        );
      }
      window.advance(Math.min(window.byteCount, offset - window.offset));
    }
  }
}

function countLines(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) lines++;
  return lines;
}

/** The bytes of an iterator of chunks. A chunk is asked for only when the one before is used up, so the producer is held back. */
class ChunkInput implements ByteInput {
  /** What is there is handed on: the next chunk may be long in coming. */
  readonly lowBytes = 1;
  waiter: Waiter | undefined;
  private readonly name: string;
  private readonly chunks: PulledIterator;
  private rest: Buffer = Buffer.alloc(0);
  /** First half of a character whose second half is in the next string. */
  private half = '';
  private pending: Promise<Buffer | undefined> | undefined;

  constructor(chunks: PulledIterator, name: string) {
    this.chunks = chunks;
    this.name = name;
  }

  async read(target: Buffer, at: number, length: number): Promise<number> {
    while (this.rest.length === 0) {
      // Kept until it has arrived: a cancelled wait must not lose a chunk.
      this.pending ??= this.pull();
      const chunk = await (this.waiter?.wait(this.pending) ?? this.pending);
      this.pending = undefined;
      if (chunk === undefined) return 0;
      this.rest = chunk;
    }
    const count = Math.min(length, this.rest.length);
    this.rest.copy(target, at, 0, count);
    this.rest = this.rest.subarray(count);
    return count;
  }

  /** Whether the next read need not wait, at the latest after `ms`. */
  async isReadyWithin(ms: number): Promise<boolean> {
    if (this.rest.length > 0) return true;
    this.pending ??= this.pull();
    const isReady = this.pending.then(() => true);
    let timer: NodeJS.Timeout | undefined;
    const isLate = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, Math.max(0, ms), false);
    });
    try {
      return await (this.waiter?.wait(Promise.race([isReady, isLate])) ?? Promise.race([isReady, isLate]));
    } finally {
      clearTimeout(timer);
    }
  }

  /** The next chunk as bytes; undefined at the end. */
  private async pull(): Promise<Buffer | undefined> {
    const result = await this.chunks.next();
    if (result.done !== true) return this.toBytes(result.value);
    const last = this.half;
    this.half = '';
    return last === '' ? undefined : encodeText(last);
  }

  private toBytes(chunk: unknown): Buffer {
    if (typeof chunk === 'string') return this.encodeChunk(chunk);
    const before = this.half;
    this.half = '';
    if (!ArrayBuffer.isView(chunk)) {
      throw new SluiceError('SLUICE_SOURCE_READ', `${this.name} gave a ${typeof chunk} where bytes or text were expected`, {
        hint: 'A source is made of rows or of text, not of both.',
      });
    }
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    return before === '' ? bytes : Buffer.concat([encodeText(before), bytes]);
  }

  private encodeChunk(chunk: string): Buffer {
    const text = this.half + chunk;
    const isSplit = /[\uD800-\uDBFF]$/.test(text);
    this.half = isSplit ? text.slice(-1) : '';
    return encodeText(isSplit ? text.slice(0, -1) : text);
  }
}

/** UTF-8 of a text. Half a character becomes a byte that is not UTF-8, so that its row is refused instead of being changed without a word. */
function encodeText(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text);
  const parts = text.split(/([\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF])/);
  return Buffer.concat(parts.map((part) => (part.isWellFormed() ? Buffer.from(part) : Buffer.from([0xff]))));
}
