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

/** Whether a text is surely neither the least nor the greatest: it differs from each, where it first does, toward the other. */
export function isBetween({ greatestUnits, leastUnits, max }: TextRange, text: string): boolean {
  return max !== undefined && compareUnits(text, leastUnits) > 0 && compareUnits(text, greatestUnits) < 0;
}

/** Above 0 for a text that comes behind the one whose first characters are held, below 0 for one before it, 0 where that is not told by them. */
function compareUnits(text: string, units: Int32Array): number {
  const end = Math.min(text.length, heldUnits);
  for (let at = 0; at < end; at++) {
    const ahead = text.charCodeAt(at) - (units[at] as number);
    if (ahead !== 0) return ahead;
  }
  return 0;
}

/** Bytes of a text in ASCII. */
export interface AsciiText {
  readonly buffer: Buffer;
  /** Of the same bytes. */
  readonly view: DataView;
  readonly start: number;
  readonly end: number;
}

/** {@link isBetween} of a text in ASCII, by its bytes. */
export function isBetweenByBytes({ greatestUnits, leastUnits, max }: TextRange, text: AsciiText): boolean {
  return max !== undefined && compareOctets(text, leastUnits) > 0 && compareOctets(text, greatestUnits) < 0;
}

function compareOctets({ buffer, end, start }: AsciiText, units: Int32Array): number {
  const count = Math.min(end - start, heldUnits);
  for (let at = 0; at < count; at++) {
    const ahead = (buffer[start + at] as number) - (units[at] as number);
    if (ahead !== 0) return ahead;
  }
  return 0;
}

export function readAscii({ buffer, end, start }: AsciiText): string {
  return buffer.toString('latin1', start, end);
}

/** Takes a text in. */
export function widenTextRange(range: TextRange, text: string): void {
  if (range.min === undefined || text < range.min) setLeast(range, text);
  if (range.max === undefined || text > range.max) setGreatest(range, text);
}
