/** A file of text that is read through an origin (compressed, or behind an HTTP server) as one file of a set: its head, its sample, its parts, its rows. */
import type { Position } from '../../rows/batch.ts';
import { ByteWindow, fitCapacity } from '../text/byte-window.ts';
import { createCancelCheck } from '../cancellation.ts';
import type { DecompressionProgress } from './compression.ts';
import type { FilePart } from '../file-format.ts';
import type { MemberFile } from './member-file.ts';
import { assembleSample, sampleHead, samplePlace, type SampledFile } from '../sample.ts';
import type { ReadOptions, Records, Sample, Shard } from '../source.ts';
import { findCuts } from '../text/split.ts';
import { fitStretch, readStretches, type Head, type TextFormat } from '../text/text-format.ts';
import type { OpenInput, TextOrigin } from './text-origin.ts';

/** Bytes that are read to find the first row. */
const headBytes = 64 * 1024;
/** Text is about so many times larger than it is when compressed: JSON Lines by gzip 5 to 12 times. */
const usualRatio = 12;

/** Opens the file: what stands before its first row is read. The origin is closed with the file, or at once when it can't be opened. */
export async function openTextFile(origin: TextOrigin, format: TextFormat): Promise<MemberFile> {
  const file = new TextFile(origin, format);
  try {
    return await file.open();
  } catch (error) {
    await file.close();
    throw error;
  }
}

class TextFile {
  private readonly origin: TextOrigin;
  private readonly format: TextFormat;
  /** Inputs that are being read. */
  private readonly inputs = new Set<OpenInput>();
  private head: Head = { fields: undefined, byteCount: 0, lines: 0 };

  constructor(origin: TextOrigin, format: TextFormat) {
    this.origin = origin;
    this.format = format;
  }

  async open(): Promise<MemberFile> {
    const { format, origin } = this;
    const { input, window } = this.openWindow(0, undefined, Math.min(headBytes, fitCapacity(this.estimateText())));
    this.head = await format.readHead(window, origin.name);
    await this.closeInput(input);
    const isWhole = this.isUncut();
    return {
      fields: this.head.fields ?? [],
      declared: [],
      rowCount: undefined,
      byteCount: origin.byteCount,
      digest: origin.digest,
      isWhole,
      sample: (signal) => this.sample(signal),
      parts: (targetBytes, signal) => this.cut(targetBytes, signal),
      read: (part, from, options) => this.read(part, from, options),
      close: () => this.close(),
    };
  }

  async close(): Promise<void> {
    for (const input of this.inputs) await this.closeInput(input);
    await this.origin.close();
  }

  /** Where quoted newlines have to be followed from the start, finding the cuts would fetch the whole file a second time. */
  private isUncut(): boolean {
    const { format, head, origin } = this;
    return (
      origin.isWhole || origin.textBytes === undefined || format.describeRows(head) !== undefined || format.openCutter?.(head) !== undefined
    );
  }

  private async sample(signal: AbortSignal | undefined): Promise<Sample> {
    const { format, head, origin } = this;
    const checkCancelled = createCancelCheck(origin.name, signal);
    const inputs: OpenInput[] = [];
    const file: SampledFile = {
      format,
      head,
      size: origin.textBytes ?? Infinity,
      reread: origin.reread,
      openWindow: (start, capacityBytes) => {
        const { input, window } = this.openWindow(start, undefined, capacityBytes);
        inputs.push(input);
        return window;
      },
    };
    try {
      checkCancelled();
      const first = await sampleHead(file);
      const stretches = first === undefined ? [] : [first];
      const found = assembleSample(head.fields, stretches);
      if (first !== undefined && !this.isUncut() && origin.textBytes !== undefined && first.end.offset < origin.textBytes) {
        const place = { offset: origin.textBytes - 1, notBefore: first.end.offset, meanRowBytes: found.meanRowBytes ?? headBytes };
        const last = await samplePlace(file, place);
        if (last !== undefined && last.rowCount > 0) return assembleSample(head.fields, [first, last]);
      }
      // Rows are estimated from the size of the file as it is stored.
      const ratio = inputs[0]?.progress?.ratio ?? 1;
      return { ...found, meanRowBytes: found.meanRowBytes === undefined ? undefined : found.meanRowBytes * ratio };
    } finally {
      for (const input of inputs) await this.closeInput(input);
    }
  }

  private async *cut(targetBytes: number, signal: AbortSignal | undefined): AsyncGenerator<FilePart, void, undefined> {
    const { format, head, origin } = this;
    const { glance, textBytes } = origin;
    const none = { head: '', tail: '' };
    // An end that is not known is no reason to wait: a file comes as fast as it can, so it is the end of its bytes as they are stored.
    if (this.isUncut() || glance === undefined || textBytes === undefined) {
      yield { start: 0, end: textBytes ?? origin.byteCount ?? Number.MAX_SAFE_INTEGER, ...none, byteCount: origin.byteCount ?? 0 };
      return;
    }
    const { maxRowBytes } = format;
    const handles = { createInput: (_file: number, start: number, end: number) => glance(start, end) };
    const split = { handles, file: 0, size: textBytes, start: head.byteCount, maxRowBytes, dialect: undefined };
    const checkCancelled = createCancelCheck(origin.name, signal);
    let start = 0;
    for await (const end of findCuts(split, targetBytes)) {
      checkCancelled();
      yield { start, end, ...none, byteCount: end - start };
      start = end;
    }
    yield { start, end: textBytes, ...none, byteCount: textBytes - start };
  }

  private async *read(part: Pick<Shard, 'start' | 'end'>, from: Position, options: ReadOptions): AsyncGenerator<Records, void, undefined> {
    const { format, head, origin } = this;
    const isAtHead = from.offset < head.byteCount;
    const start = isAtHead ? { offset: head.byteCount, row: from.row, line: from.line + head.lines } : from;
    const byteCount = this.estimateText();
    const { input, window } = this.openWindow(start.offset, this.isUncut() ? undefined : part.end, fitCapacity(byteCount));
    try {
      const stretches = readStretches(window, {
        tokenizer: format.createTokenizer(head, fitStretch(byteCount), options.columns),
        maxRowBytes: format.maxRowBytes,
        from: start,
        headBytes: start.offset - from.offset,
        reread: origin.reread,
        isCut: !this.isUncut() && part.end !== undefined && origin.textBytes !== undefined && part.end < origin.textBytes,
        checkCancelled: createCancelCheck(origin.name, options.signal),
      });
      if (input.progress === undefined) yield* stretches;
      else yield* measureStored(stretches, input.progress, start.offset > head.byteCount);
    } finally {
      await this.closeInput(input);
    }
  }

  /** Bytes of the text, for the memory that reading it is given. */
  private estimateText(): number {
    const { byteCount = Infinity, textBytes } = this.origin;
    return textBytes ?? usualRatio * byteCount;
  }

  private openWindow(start: number, end: number | undefined, capacityBytes?: number): { input: OpenInput; window: ByteWindow } {
    const input = this.origin.open(start, end, capacityBytes !== undefined && capacityBytes <= headBytes);
    this.inputs.add(input);
    const capacity = capacityBytes === undefined ? {} : { capacityBytes };
    return { input, window: new ByteWindow(input, { offset: start, maxRowBytes: this.format.maxRowBytes, ...capacity }) };
  }

  private async closeInput(input: OpenInput): Promise<void> {
    this.inputs.delete(input);
    await input.close();
  }
}

/** Progress is told in bytes of the stored file: each stretch counts those that were used since the one before. */
async function* measureStored(
  stretches: AsyncIterable<Records>,
  progress: DecompressionProgress,
  isResumed: boolean,
): AsyncGenerator<Records, void, undefined> {
  let told: number | undefined = isResumed ? undefined : 0;
  for await (const records of stretches) {
    const now = progress.taken;
    // What was passed over was counted by the session that loaded it.
    told ??= now;
    yield { ...records, byteCount: now - told };
    told = now;
  }
}
