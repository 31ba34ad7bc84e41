/** Looks at the first bytes of a text: passes a byte order mark, and refuses what is empty or no UTF-8 text at all. */
import { SluiceError } from '../errors.ts';
import type { ByteWindow } from './byte-window.ts';

const utf8Mark = [0xef, 0xbb, 0xbf] as const;

/** First bytes of what is often passed off as text, and what turns it into text. */
const foreignStarts: readonly { readonly bytes: readonly number[]; readonly what: string; readonly hint: string }[] = [
  { bytes: [0xff, 0xfe], what: 'UTF-16 text', hint: 'Convert it first: iconv -f UTF-16 -t UTF-8.' },
  { bytes: [0xfe, 0xff], what: 'UTF-16 text', hint: 'Convert it first: iconv -f UTF-16 -t UTF-8.' },
  { bytes: [0x1f, 0x8b], what: 'compressed by gzip', hint: 'Leave --compression out, or name it: --compression gzip.' },
  {
    bytes: [0x28, 0xb5, 0x2f, 0xfd],
    what: 'compressed by zstd',
    hint: 'Leave --compression out, or name it: --compression zstd.',
  },
  { bytes: [0x50, 0x41, 0x52, 0x31], what: 'a Parquet file', hint: 'Leave --format out, or say --format parquet.' },
];

/** An input that begins with this many blank bytes is not taken for an empty one: looking further would mean to hold it all. */
const maxBlankBytes = 64 * 1024;

/**
 * Returns how many bytes a byte order mark takes at the window's start: 3 or 0.
 * @throws SLUICE_SOURCE_EMPTY if there is nothing but blanks; SLUICE_FORMAT_UNKNOWN if it is another encoding or a known binary format.
 */
export async function readTextStart(window: ByteWindow, name: string): Promise<number> {
  while (!window.isFinal && window.byteCount < maxBlankBytes && (window.byteCount < 4 || isBlank(withoutMark(window.view()))))
    await window.fill();
  const view = window.view();
  const foreign = foreignStarts.find((start) => startsWith(view, start.bytes));
  if (foreign !== undefined) throw new SluiceError('SLUICE_FORMAT_UNKNOWN', `${name} is ${foreign.what}`, { hint: foreign.hint });
  const text = withoutMark(view);
  if (window.isFinal && isBlank(text)) {
    throw new SluiceError('SLUICE_SOURCE_EMPTY', `${name} is empty`, {
      hint: 'Check what was to write it; a load of no rows is not made by mistake.',
    });
  }
  return view.length - text.length;
}

function withoutMark(view: Buffer): Buffer {
  return startsWith(view, utf8Mark) ? view.subarray(utf8Mark.length) : view;
}

function startsWith(view: Buffer, bytes: readonly number[]): boolean {
  return bytes.every((byte, at) => view[at] === byte);
}

function isBlank(view: Buffer): boolean {
  return view.every((byte) => byte === 32 || (byte >= 9 && byte <= 13));
}
