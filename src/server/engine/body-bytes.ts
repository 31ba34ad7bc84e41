/** Bytes of a body or a blob as text, the way Go reads UTF-8: each byte that is no part of a character becomes one U+FFFD. */

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** U+FFFD as it is; where Go's JSON writes it for bytes that are no text, it is written as an escape instead. */
const replacement = '\ufffd';

/** How many bytes the character at `at` has; 0 where the bytes are none. */
function measureCharacter(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const second = bytes[at + 1] ?? 0;
  // No overlong forms, no surrogates, nothing beyond U+10FFFF: told by the second byte.
  const lowest = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const highest = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return 0;
  for (let index = 2; index < length; index++) {
    if (((bytes[at + index] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  return length;
}

/** `bytes` as text, in runs of valid characters with `mark` for each byte between them. */
function decodeMarked(bytes: Uint8Array, mark: string): string {
  const parts: string[] = [];
  let start = 0;
  let at = 0;
  while (at < bytes.length) {
    const length = measureCharacter(bytes, at);
    if (length === 0) {
      if (at > start) parts.push(strict.decode(bytes.subarray(start, at)));
      parts.push(mark);
      start = at + 1;
    }
    at += Math.max(length, 1);
  }
  if (at > start) parts.push(strict.decode(bytes.subarray(start, at)));
  return parts.join('');
}

/** Whether all of it is UTF-8, in the text or undefined. */
function decodeStrictly(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Text of `bytes`; never fails. */
export function decodeText(bytes: Uint8Array): string {
  return decodeStrictly(bytes) ?? decodeMarked(bytes, replacement);
}

/** Text of a blob in which bytes that are no text are `mark`, so that its writer can tell them from a U+FFFD that was in it. */
export function decodeBlob(bytes: Uint8Array, mark: string): string {
  return decodeStrictly(bytes) ?? decodeMarked(bytes, mark);
}
