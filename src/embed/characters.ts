/** What a character is to the hash embedder. The classes are a fixed table and not `\p{…}`, which grows with every Unicode version and would move vectors. */

/** Ends a word and is nothing itself: blanks, controls, punctuation. */
export const SEPARATOR = 0;
/** Part of a word that blanks set off from the next. */
export const LETTER = 1;
/** Of a script written without blanks: Han, Kana, Thai, Lao, Khmer, Myanmar, Tibetan. */
export const UNSPACED = 2;
/** A symbol that means something alone: emoji, arrows, currency, mathematics. */
export const SYMBOL = 3;
/** Changes the look of the character before it and is passed over: combining accents, joiners, variation selectors. */
export const IGNORED = 4;

/** First and last code unit of each stretch that is not LETTER, above ASCII. Later stretches win. */
const stretches: readonly (readonly [number, number, number])[] = [
  [0x80, 0xbf, SEPARATOR],
  [0xa2, 0xa9, SYMBOL],
  [0xac, 0xac, SYMBOL],
  [0xad, 0xad, IGNORED],
  [0xae, 0xb1, SYMBOL],
  [0xb5, 0xb5, LETTER],
  [0xd7, 0xd7, SYMBOL],
  [0xf7, 0xf7, SYMBOL],
  [0x300, 0x36f, IGNORED],
  [0x37e, 0x37e, SEPARATOR],
  [0x387, 0x387, SEPARATOR],
  [0x55a, 0x55f, SEPARATOR],
  [0x589, 0x58a, SEPARATOR],
  [0x5be, 0x5be, SEPARATOR],
  [0x5c0, 0x5c0, SEPARATOR],
  [0x5c3, 0x5c3, SEPARATOR],
  [0x5f3, 0x5f4, SEPARATOR],
  [0x60c, 0x60d, SEPARATOR],
  [0x61b, 0x61f, SEPARATOR],
  [0x640, 0x640, IGNORED],
  [0x66a, 0x66d, SEPARATOR],
  [0x6d4, 0x6d4, SEPARATOR],
  [0x964, 0x965, SEPARATOR],
  [0xe01, 0xe4e, UNSPACED],
  [0xe3f, 0xe3f, SYMBOL],
  [0xe5a, 0xe5b, SEPARATOR],
  [0xe81, 0xeff, UNSPACED],
  [0xf00, 0xf0a, SYMBOL],
  [0xf0b, 0xf14, SEPARATOR],
  [0xf40, 0xfbc, UNSPACED],
  [0x1000, 0x109f, UNSPACED],
  [0x104a, 0x104f, SEPARATOR],
  [0x1361, 0x1368, SEPARATOR],
  [0x1680, 0x1680, SEPARATOR],
  [0x1780, 0x17d3, UNSPACED],
  [0x17d4, 0x17da, SEPARATOR],
  [0x1800, 0x180a, SEPARATOR],
  [0x180b, 0x180f, IGNORED],
  [0x2000, 0x206f, SEPARATOR],
  [0x200b, 0x200f, IGNORED],
  [0x2060, 0x2064, IGNORED],
  [0x20a0, 0x20cf, SYMBOL],
  [0x20d0, 0x20ff, IGNORED],
  [0x2190, 0x2bff, SYMBOL],
  [0x2e00, 0x2e7f, SEPARATOR],
  [0x2e80, 0x2fff, UNSPACED],
  [0x3000, 0x303f, SEPARATOR],
  [0x3005, 0x3007, UNSPACED],
  [0x3040, 0x312f, UNSPACED],
  [0x30fb, 0x30fb, SEPARATOR],
  [0x3190, 0x4dbf, UNSPACED],
  [0x4dc0, 0x4dff, SYMBOL],
  [0x4e00, 0x9fff, UNSPACED],
  [0xd800, 0xdfff, SYMBOL],
  [0xe000, 0xf8ff, SYMBOL],
  [0xf900, 0xfaff, UNSPACED],
  [0xfe00, 0xfe0f, IGNORED],
  [0xfe10, 0xfe6f, SEPARATOR],
  [0xfeff, 0xfeff, IGNORED],
  [0xff00, 0xff0f, SEPARATOR],
  [0xff66, 0xff9d, UNSPACED],
  [0xfff0, 0xffff, SYMBOL],
];

function makeClasses(): Uint8Array {
  const table = new Uint8Array(0x10000).fill(LETTER);
  table.fill(SEPARATOR, 0, 0x80);
  table.fill(LETTER, 0x30, 0x3a);
  table.fill(LETTER, 0x41, 0x5b);
  table.fill(LETTER, 0x61, 0x7b);
  for (const [first, last, kind] of stretches) table.fill(kind, first, last + 1);
  return table;
}

let classes: Uint8Array | undefined;

/** The class of a code point. Above the basic plane: Han is UNSPACED, pictographs are SYMBOL, tags and selectors are IGNORED, the rest LETTER. */
export function classOf(codePoint: number): number {
  classes ??= makeClasses();
  if (codePoint < 0x10000) return classes[codePoint] ?? SEPARATOR;
  if (codePoint >= 0x20000 && codePoint < 0x40000) return UNSPACED;
  if (codePoint >= 0x1f000 && codePoint < 0x20000) return codePoint >= 0x1f3fb && codePoint <= 0x1f3ff ? IGNORED : SYMBOL;
  return codePoint >= 0xe0000 ? IGNORED : LETTER;
}

/** For each ASCII code: its lower case if it is part of a word, else 0. */
export const asciiFold: Uint8Array = Uint8Array.from({ length: 128 }, (_, code) => {
  const isUpper = code >= 0x41 && code <= 0x5a;
  const isPart = isUpper || (code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39);
  return isPart ? (isUpper ? code + 32 : code) : 0;
});

/**
 * Texts that differ in case or in Unicode form alone become equal. Upper case first, because only it unites ß with ss; no locale decides. NFKC and case
 * mappings of assigned characters do not change between Unicode versions.
 */
export function foldText(text: string): string {
  return text.normalize('NFKC').toUpperCase().toLowerCase().replaceAll('ς', 'σ').normalize('NFKC');
}
