/** Looks at the first bytes of a text: passes a byte order mark, and refuses what is empty or no UTF-8 text at all. */
import { SluiceError } from '../../errors.ts';
import type { ByteWindow } from './byte-window.ts';
import { findForeignStart } from './foreign-start.ts';

const utf8Mark = [0xef, 0xbb, 0xbf] as const;

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
  const foreign = findForeignStart(view);
  if (foreign !== undefined) throw new SluiceError('SLUICE_FORMAT_UNKNOWN', `${name} is ${foreign.what}`, { hint: foreign.hint });
  const text = withoutMark(view);
  if (window.isFinal && isBlank(text)) {
    throw emptyError(name);
  }
  return view.length - text.length;
}

/** For an input without a byte that could be a row's. */
export function emptyError(name: string): SluiceError {
  return new SluiceError('SLUICE_SOURCE_EMPTY', `${name} is empty`, {
    hint: 'Check what was to write it; a load of no rows is not made by mistake.',
  });
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
