/** Suggests the name that was probably meant. */

/** Edits allowed for a suggestion: two (two letters in the wrong order), or a third of a longer name. */
const minEdits = 2;
const maxEditShare = 1 / 3;

/** Longer names are compared by their beginning: the table of edits grows with the square. */
const maxComparedLength = 128;

/** The nearest of the known names, differences of case not counted; undefined when none is near. */
export function findNearestName(name: string, known: readonly string[]): string | undefined {
  const ranked = known.map((each) => ({ each, edits: countEdits(fold(name), fold(each)) })).sort((left, right) => left.edits - right.edits);
  const [best] = ranked;
  const allowed = Math.min(name.length - 1, Math.max(minEdits, Math.floor(name.length * maxEditShare)));
  return best !== undefined && best.edits <= allowed ? best.each : undefined;
}

function fold(name: string): string {
  return name.slice(0, maxComparedLength).toLowerCase();
}

/** Levenshtein's distance, row by row. */
function countEdits(left: string, right: string): number {
  let above = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const row = [i];
    for (let j = 1; j <= right.length; j++) {
      const replaced = above[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, above[j]! + 1, row[j - 1]! + 1));
    }
    above = row;
  }
  return above[right.length]!;
}
