/** The word that somebody meant, among those that there are: keys of a file, options of a call, names of tables and columns. */

/** Edits (a letter put in, left out, exchanged or swapped with its neighbour) between two words; Damerau's distance between adjacent letters. */
function countEdits(left: string, right: string): number {
  let before: number[] = [];
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let at = 1; at <= left.length; at++) {
    const next = [at];
    for (let to = 1; to <= right.length; to++) {
      const isSame = left[at - 1] === right[to - 1];
      let edits = Math.min((row[to] ?? 0) + 1, (next[to - 1] ?? 0) + 1, (row[to - 1] ?? 0) + (isSame ? 0 : 1));
      if (at > 1 && to > 1 && left[at - 1] === right[to - 2] && left[at - 2] === right[to - 1])
        edits = Math.min(edits, (before[to - 2] ?? 0) + 1);
      next.push(edits);
    }
    [before, row] = [row, next];
  }
  return row[right.length] ?? 0;
}

/** Longer names are compared by their beginning: the table of edits grows with the square. */
const maxLength = 128;

/** `max_rejects`, `max-rejects` and `maxRejects` are one name, written as a table, a command line and a program have it. */
function fold(word: string): string {
  return word.slice(0, maxLength).toLowerCase().replaceAll(/[_-]/gu, '');
}

/** The nearest of the words; undefined where none is near: a third of the letters may differ; case, underscores and hyphens do not count. */
export function findNearest(word: string, words: readonly string[]): string | undefined {
  const plain = fold(word);
  let best: { readonly word: string; readonly edits: number; readonly length: number } | undefined;
  for (const candidate of words) {
    const folded = fold(candidate);
    const edits = countEdits(plain, folded);
    if (best === undefined || edits < best.edits) best = { word: candidate, edits, length: folded.length };
  }
  return best !== undefined && best.edits <= Math.max(1, Math.floor(Math.max(plain.length, best.length) / 3)) ? best.word : undefined;
}
