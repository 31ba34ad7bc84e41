/** The word that somebody meant, among those that there are. */

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

/** A longer word is no slip of the hand; comparing it would only take time. */
const maxLength = 64;

/** The nearest of the words; undefined where none is near: a third of the letters may differ, underscores and case do not count. */
export function findNearest(word: string, words: readonly string[]): string | undefined {
  if (word.length > maxLength) return undefined;
  const plain = word.toLowerCase().replaceAll('_', '-');
  let best: { readonly word: string; readonly edits: number } | undefined;
  for (const candidate of words) {
    const edits = countEdits(plain, candidate.toLowerCase());
    if (best === undefined || edits < best.edits) best = { word: candidate, edits };
  }
  return best !== undefined && best.edits <= Math.max(1, Math.floor(Math.max(plain.length, best.word.length) / 3)) ? best.word : undefined;
}
