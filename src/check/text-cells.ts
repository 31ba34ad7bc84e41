/** Texts of delimited text, looked at where they stand in the bytes: of a short name a string's characters cost four times what its bytes do. */
import { readTextValue, type TextField } from '../rows/text-fill.ts';
import { addTexts, type ColumnStatistics } from './column-statistics.ts';
import { addDistinctAscii } from './distinct.ts';
import { isBetweenByBytes, openTextRange, readAscii, widenTextRange } from './text-range.ts';

/** Adds a field of a stretch that is all ASCII, but for the rows at `misfits`: what {@link addTexts} adds of the same texts. */
export function addTextCells(into: ColumnStatistics, field: TextField, misfits: ReadonlySet<number>): void {
  const { buffer, index, nullText, records } = field;
  const { ends, fields, quoting, rowCount, starts } = records;
  const { distinct } = into;
  const range = openTextRange(into.min, into.max);
  let [lengths, minLength, maxLength] = [0, into.minLength, into.maxLength];
  const text = { buffer, view: new DataView(buffer.buffer, buffer.byteOffset, buffer.length), start: 0, end: 0 };
  // Cells that may be null or hold doubled quotes are read as a load reads them.
  const others: (string | null)[] = [];
  for (let row = 0, cell = index; row < rowCount; row++, cell += fields.length) {
    if (misfits.size > 0 && misfits.has(row)) continue;
    const start = starts[cell] as number;
    const end = ends[cell] as number;
    const length = end - start;
    const kind = quoting[cell];
    if (kind === 2 || (kind === 0 && length === nullText.length)) {
      others.push(readTextValue(field, row));
      continue;
    }
    lengths += length;
    if (length < minLength) minLength = length;
    if (length > maxLength) maxLength = length;
    text.start = start;
    text.end = end;
    if (!isBetweenByBytes(range, text)) widenTextRange(range, readAscii(text));
    if (distinct !== undefined) addDistinctAscii(distinct, text);
  }
  Object.assign(into, { min: range.min, max: range.max, minLength, maxLength });
  into.lengths += lengths;
  if (others.length > 0) addTexts(into, others);
}
