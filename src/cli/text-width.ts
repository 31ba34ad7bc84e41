/** How many terminal cells a text takes, and cutting it to fit. Text from data is made harmless first: no control character reaches the terminal. */
import { stripVTControlCharacters } from 'node:util';

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
/** Only printable ASCII: a cell each. The usual case, 50 times faster than segmenting. */
const plain = /^[\x20-\x7e]*$/;
const zeroWidth = /^[\p{Mark}\p{Format}\p{Control}]+$/u;
const emoji = /\p{Emoji_Presentation}|\uFE0F/u;

/** First and last code points that East Asian Width (Unicode 16) calls wide or full width; gaps inside hold no assigned narrow character. */
const wideRanges: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x17000, 0x18cff],
  [0x1b000, 0x1b2ff],
  [0x20000, 0x3fffd],
];

/** Cells that `text` takes; colour codes take none. */
export function measureWidth(text: string): number {
  const bare = stripVTControlCharacters(text);
  if (plain.test(bare)) return bare.length;
  let width = 0;
  for (const { segment } of segmenter.segment(bare)) width += measureGrapheme(segment);
  return width;
}

function measureGrapheme(grapheme: string): number {
  if (zeroWidth.test(grapheme)) return 0;
  if (emoji.test(grapheme)) return 2;
  const code = grapheme.codePointAt(0) ?? 0;
  return wideRanges.some(([first, last]) => code >= first && code <= last) ? 2 : 1;
}

/** Cuts plain text to at most `maxWidth` cells, with `…` where something is missing. Not for text with colour codes. */
export function cutText(text: string, maxWidth: number): string {
  if (text.length <= maxWidth && plain.test(text)) return text;
  // A grapheme is at least one UTF-16 unit, but a cell may be many: segment no more than could be seen, however long the text is.
  const seen = text.slice(0, maxWidth * 16 + 16);
  let width = 0;
  let kept = 0;
  for (const { segment, index } of segmenter.segment(seen)) {
    width += measureGrapheme(segment);
    if (width > maxWidth) return maxWidth > 0 ? `${seen.slice(0, kept).trimEnd()}…` : '';
    if (width <= maxWidth - 1) kept = index + segment.length;
  }
  return seen.length < text.length ? `${seen.slice(0, kept)}…` : text;
}

/** Fills with spaces up to `width` cells. */
export function padText(text: string, width: number, side: 'left' | 'right' = 'right'): string {
  const fill = ' '.repeat(Math.max(0, width - measureWidth(text)));
  return side === 'left' ? fill + text : text + fill;
}

/** Makes text of unknown origin fit one line: control characters become spaces, so that data can neither move the cursor nor break a table. */
export function flattenText(text: string): string {
  return stripVTControlCharacters(text).replace(/[\p{Control}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu, ' ');
}
