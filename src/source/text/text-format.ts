/** What a format of text must do, and the one loop that reads every such format: stretch after stretch, each ending between two rows. */
import { setImmediate } from 'node:timers/promises';
import { SluiceError } from '../../errors.ts';
import type { Position, Reject } from '../../rows/batch.ts';
import type { Column } from '../../rows/schema.ts';
import type { ByteWindow } from './byte-window.ts';
import type { CsvDialect } from './csv-scan.ts';
import type { ReadText } from './row-index.ts';
import type { Records } from '../source.ts';

/** What stands before the first row of a file. */
export interface Head {
  /** Names of the fields; undefined where each row names its own. */
  readonly fields: readonly string[] | undefined;
  readonly byteCount: number;
  readonly lines: number;
  /** Name, for messages, of a file whose rows are the elements of one JSON array; undefined for all others. */
  readonly array?: string | undefined;
}

/** A row that was passed over. */
export interface PassedRow {
  readonly byteCount: number;
  readonly lines: number;
}

/** Whole rows at the front of bytes. */
export interface PassedRows {
  readonly byteCount: number;
  readonly rows: number;
}

/** What is known of bytes that are counted: their place in the file, and what follows them. */
export interface CountedBytes {
  readonly offset: number;
  readonly isFinal: boolean;
  /** The file goes on behind the end. */
  readonly isCut: boolean;
}

/** Counts rows without reading their values. */
export interface RowCounter {
  /** The whole rows at the front, refused ones included; of no bytes if the first one is not whole. */
  count(view: Buffer, input: CountedBytes): PassedRows;
  /** Drops the row at the front, which is too long; by default that is its line. */
  passLong?(window: ByteWindow, isCut: boolean): Promise<PassedRow>;
}

/** Finds the ends of rows where no newline tells them. */
export interface RowCutter extends RowCounter {
  /** The same up to the first row that ends at or behind `upTo`. */
  passTo(view: Buffer, input: CountedBytes, upTo: number): PassedRows;
  passLong(window: ByteWindow, isCut: boolean): Promise<PassedRow>;
}

/** The bytes that a tokenizer works on; they begin at a row's start. */
export interface TokenizerInput {
  readonly view: Buffer;
  readonly base: Position;
  /** The input ends with the view. */
  readonly isFinal: boolean;
  /** The input is a part of a file that goes on behind it; `false` by default. */
  readonly isCut?: boolean | undefined;
  readonly readText: ReadText;
}

/** Cuts rows off the front of bytes. It may reuse the arrays of one stretch for the next. */
export interface Tokenizer {
  /** The rows at the front; `needs_more` if the first one is not whole (never when the input is final), `too_long` if it is longer than allowed. */
  take(input: TokenizerInput): Records | 'needs_more' | 'too_long';
  /** A stretch of nothing but a row that was passed over. */
  refuse(reject: Reject, end: Position, byteCount: number): Records;
  /** Drops the row at the front, which is too long; by default that is its line. */
  passLong?(window: ByteWindow, isCut: boolean): Promise<PassedRow>;
}

export interface StretchLimits {
  readonly maxRows: number;
  readonly maxBytes: number;
}

/** A format of text, with the options it was opened with. */
export interface TextFormat {
  readonly name: string;
  readonly maxRowBytes: number;
  /** Reads what stands before the first row, which is dropped from the window. `name` is for messages. */
  readHead(window: ByteWindow, name: string): Promise<Head>;
  /** `columns`: what the rows are for, where that is known; a tokenizer may read their values in the form that they take. */
  createTokenizer(head: Head, limits: StretchLimits, columns?: readonly Column[]): Tokenizer;
  /** How quoted newlines are told from the ends of rows; undefined where every newline ends a row. */
  describeRows(head: Head): CsvDialect | undefined;
  /** For a file whose rows are told apart from its start on only; undefined for the others. */
  openCutter?(head: Head): RowCutter | undefined;
  /** Counts the rows of a file of such a head. */
  openCounter(head: Head): RowCounter;
}

/** Limits of a stretch: 8,192 rows of 32 bytes are 256 KiB, and the places of one stretch are then 224 KiB. Half a window, so that most are full. */
export const stretchLimits: StretchLimits = { maxRows: 8_192, maxBytes: 256 * 1024 };

/** Bytes of a row, at least: of rows that are shorter there are more stretches. */
const leastRowBytes = 16;

/** Limits for so many bytes: of 10,000 small files each would else be given memory for 8,192 rows, which took a third of the time of reading them. */
export function fitStretch(byteCount: number): StretchLimits {
  const maxRows = Math.max(64, Math.min(stretchLimits.maxRows, Math.ceil(byteCount / leastRowBytes)));
  return { ...stretchLimits, maxRows };
}

/** After this many bytes the loop lets other events of its thread run: 25 ms of small JSON rows (160 MB/s), so that a Ctrl-C is heard. */
const breathBytes = 4 * 1024 * 1024;

export interface Reading {
  readonly tokenizer: Tokenizer;
  readonly maxRowBytes: number;
  /** The place of the window's first byte. */
  readonly from: Position;
  /** Bytes before it that hold no rows (byte order mark, header line); the first stretch counts them as its own. */
  readonly headBytes: number;
  /** Reads bytes of the source again; undefined for a stream, whose bytes are kept instead. */
  readonly reread: ((offset: number, byteCount: number) => string) | undefined;
  /** The window ends with a shard, and the file goes on; `false` by default. */
  readonly isCut?: boolean | undefined;
  /** Throws once the reading is to stop. */
  readonly checkCancelled: () => void;
}

/** Yields the rows of a window from its first byte to its end. The arrays of a stretch are reused once the next one is asked for; its places are not. */
export async function* readStretches(window: ByteWindow, reading: Reading): AsyncGenerator<Records, void, undefined> {
  let position = reading.from;
  let { headBytes } = reading;
  let sinceBreath = 0;
  for (;;) {
    reading.checkCancelled();
    await window.refill();
    if (window.byteCount === 0) return;
    const text = holdText(window.view(), position.offset, reading.reread);
    const { isFinal } = window;
    const taken = reading.tokenizer.take({ view: window.view(), base: position, isFinal, isCut: reading.isCut, readText: text.read });
    if (taken === 'needs_more') {
      if (isFinal) throw new SluiceError('SLUICE_INTERNAL', `the last row at byte ${position.offset} was not read`);
      await window.fill();
      continue;
    }
    const records = taken === 'too_long' ? await passLongRow(window, position, reading) : taken;
    try {
      yield headBytes === 0 ? records : { ...records, byteCount: records.byteCount + headBytes };
      headBytes = 0;
    } finally {
      text.release(records.byteCount);
    }
    if (taken !== 'too_long') window.advance(records.byteCount);
    position = records.end;
    sinceBreath += records.byteCount;
    if (sinceBreath >= breathBytes) {
      sinceBreath = 0;
      await setImmediate();
    }
  }
}

/** What is wrong with a row over the limit. */
export function describeLongRow(maxRowBytes: number): string {
  return `the row is longer than ${maxRowBytes} bytes`;
}

async function passLongRow(window: ByteWindow, base: Position, reading: Reading): Promise<Records> {
  const { byteCount, lines } = (await reading.tokenizer.passLong?.(window, reading.isCut === true)) ?? {
    byteCount: await window.skipLine(),
    lines: 1,
  };
  const message = describeLongRow(reading.maxRowBytes);
  const end = { offset: base.offset + byteCount, row: base.row + 1, line: base.line + lines };
  return reading.tokenizer.refuse({ code: 'ROW_TOO_LONG', message, ...base }, end, byteCount);
}

/** Text of a stretch: out of its bytes while they are there, afterwards out of the source or out of a copy. */
export function holdText(
  view: Buffer,
  offset: number,
  reread: Reading['reread'],
): { read: ReadText; release: (byteCount: number) => void } {
  let held: Buffer | undefined = view;
  return {
    read: (start, end) => {
      if (held !== undefined) return held.toString('utf8', start, end);
      return reread === undefined ? '' : reread(offset + start, end - start);
    },
    release: (byteCount) => {
      held = reread === undefined ? Buffer.from(view.subarray(0, byteCount)) : undefined;
    },
  };
}
