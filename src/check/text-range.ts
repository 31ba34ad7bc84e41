/** The least and the greatest of many texts. Two texts are compared by a call of the engine; most texts are told to be neither by their first characters. */

/** Characters of the least and the greatest that are looked at before the engine is asked. */
const heldUnits = 32;
/** Behind the end of a text: a shorter one comes first. */
const noUnit = -1;

export interface TextRange {
  min: string | undefined;
  max: string | undefined;
  readonly leastUnits: Int32Array;
  readonly greatestUnits: Int32Array;
}

export function openTextRange(min: unknown, max: unknown): TextRange {
  const range: TextRange = {
    min: undefined,
    max: undefined,
    leastUnits: new Int32Array(heldUnits),
    greatestUnits: new Int32Array(heldUnits),
  };
  if (typeof min === 'string') setLeast(range, min);
  if (typeof max === 'string') setGreatest(range, max);
  return range;
}

function setLeast(range: TextRange, text: string): void {
  range.min = text;
  holdUnits(range.leastUnits, text);
}

function setGreatest(range: TextRange, text: string): void {
  range.max = text;
  holdUnits(range.greatestUnits, text);
}

function holdUnits(units: Int32Array, text: string): void {
  for (let at = 0; at < heldUnits; at++) units[at] = at < text.length ? text.charCodeAt(at) : noUnit;
}

/** Whether a text is surely neither the least nor the greatest: where it first differs from one of them, it lies between both. */
export function isBetween({ greatestUnits, leastUnits, max }: TextRange, text: string): boolean {
  if (max === undefined) return false;
  const end = Math.min(text.length, heldUnits);
  for (let at = 0; at < end; at++) {
    const unit = text.charCodeAt(at);
    const [least, greatest] = [leastUnits[at] as number, greatestUnits[at] as number];
    if (unit !== least || unit !== greatest) return unit > least && unit < greatest;
  }
  return false;
}

/** Takes a text in. */
export function widenTextRange(range: TextRange, text: string): void {
  if (range.min === undefined || text < range.min) setLeast(range, text);
  if (range.max === undefined || text > range.max) setGreatest(range, text);
}
