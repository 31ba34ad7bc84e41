/** Sorts out the texts of one call: what can't be embedded is refused, what occurs twice is kept once, and each row knows its text. */
import type { EmbedRefusal, EmptyTextPolicy } from './embedder.ts';

export interface TextRules {
  readonly emptyText: EmptyTextPolicy;
  /** Goes before each text, and counts toward its length. */
  readonly prefix: string;
  readonly maxInputBytes: number;
}

export interface DistinctTexts {
  /** Each different text once, in the order of its first row. */
  readonly texts: readonly string[];
  /** The first row of each. */
  readonly rows: readonly number[];
  /** Rows with a text that an earlier row has: row and first row, in turn. */
  readonly repeats: readonly number[];
  readonly refusals: readonly EmbedRefusal[];
  readonly nulls: Uint8Array | undefined;
}

/** Whether there is nothing but white space; settled by the first character for most texts. */
function isBlank(text: string): boolean {
  const first = text.charCodeAt(0);
  return !(first > 32 && first < 127) && text.trim() === '';
}

/** Bytes of a text in UTF-8; counted only where it could matter, as three for each unit is the most there can be. */
function exceeds(text: string, maxBytes: number): boolean {
  return text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes;
}

function refuse(text: string | null, index: number, rules: TextRules): EmbedRefusal | undefined {
  if (text === null) return { index, code: 'TEXT_NULL', message: 'there is no text to embed' };
  if (isBlank(text)) return { index, code: 'TEXT_EMPTY', message: 'the text to embed is empty or only white space' };
  const room = rules.maxInputBytes - Buffer.byteLength(rules.prefix);
  if (exceeds(text, room))
    return { index, code: 'TEXT_TOO_LONG', message: `the text to embed is longer than the ${room} bytes that the embedder takes` };
  return undefined;
}

/** The texts that would be refused, alone. */
export function findRefusals(texts: readonly (string | null)[], rules: TextRules): readonly EmbedRefusal[] {
  return texts.flatMap((text, index) => {
    const refusal = refuse(text, index, rules);
    return refusal !== undefined && isRefused(refusal, rules) ? [refusal] : [];
  });
}

function isRefused({ code }: EmbedRefusal, { emptyText }: TextRules): boolean {
  return code === 'TEXT_TOO_LONG' || emptyText === 'reject';
}

/** Sorts out texts. A lone surrogate becomes U+FFFD here, as it would in UTF-8: cache, embedder and comparison see the same text. */
export function findDistinctTexts(texts: readonly (string | null)[], rules: TextRules): DistinctTexts {
  const firstRows = new Map<string, number>();
  const repeats: number[] = [];
  const refusals: EmbedRefusal[] = [];
  let nulls: Uint8Array | undefined;
  texts.forEach((text, index) => {
    const refusal = refuse(text, index, rules);
    if (refusal !== undefined && isRefused(refusal, rules)) {
      refusals.push(refusal);
    } else if (refusal !== undefined || text === null) {
      nulls ??= new Uint8Array(texts.length);
      nulls[index] = 1;
    } else {
      const wellFormed = text.toWellFormed();
      const firstRow = firstRows.get(wellFormed);
      if (firstRow === undefined) firstRows.set(wellFormed, index);
      else repeats.push(index, firstRow);
    }
  });
  return { texts: [...firstRows.keys()], rows: [...firstRows.values()], repeats, refusals, nulls };
}
