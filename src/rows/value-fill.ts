/** Fills columns from JavaScript objects; where JSON.parse has lost digits or spelling, the value is read again from the row's own text. */
import type { ValueRecords } from '../source/source.ts';
import type { ScalarFill } from './fill.ts';
import { setConverted, setNull, slotBytes, stringOverheadBytes } from './fill.ts';
import type { MemberTexts } from './json-text.ts';
import { cutMembers } from './json-text.ts';
import type { Column, Scalar, ScalarType } from './schema.ts';
import type { Unfit } from './unfit.ts';
import { convertValue } from './value.ts';
import type { VectorStore } from './vector.ts';
import { setNullVector, setVector } from './vector.ts';

type Row = Readonly<Record<string, unknown>>;

/** One member of every row of a stretch. */
export interface ValueField {
  readonly records: ValueRecords;
  readonly name: string;
  /** True for `constructor`, `toString` …: a row without such a member must not get the one that every object inherits. */
  readonly isInherited: boolean;
  /** Exact JSON texts of the member, one per row, where the column always needs them. */
  readonly texts: MemberTexts | undefined;
}

/** Whether a column can't be made from what JSON.parse left: of a decimal each digit counts, of JSON each character. */
function needsText(column: Column): boolean {
  return column.type === 'json' || column.type === 'decimal';
}

/**
 * Opens the fields of several columns over one stretch. The columns that need the exact text share one scan per row, for `places.raw` may have to
 * read the file again.
 */
export function openValueFields(records: ValueRecords, columns: readonly Column[]): readonly ValueField[] {
  const needing = columns.filter(needsText);
  const names = [...new Set(needing.map((column) => column.field))];
  const texts = records.isJsonText && names.length > 0 ? cutTexts(records, needing, names) : [];
  return columns.map((column) => ({
    records,
    name: column.field,
    isInherited: column.field in Object.prototype,
    texts: needsText(column) ? texts[names.indexOf(column.field)] : undefined,
  }));
}

/** Per name, the exact texts of all rows. A row is read again only where a value has something to lose. */
function cutTexts(records: ValueRecords, columns: readonly Column[], names: readonly string[]): readonly MemberTexts[] {
  const texts = names.map((): MemberTexts => records.values.map(() => undefined));
  for (let row = 0; row < records.rowCount; row++) {
    const values = records.values[row] as Row;
    if (!columns.some((column) => losesText(column, values[column.field]))) continue;
    const cut = cutMembers(records.places.raw(row), names);
    for (let index = 0; index < names.length; index++) (texts[index] as MemberTexts)[row] = cut[index];
  }
  return texts;
}

function losesText(column: Column, value: unknown): boolean {
  return typeof value === 'number' || (column.type === 'json' && value !== null && value !== undefined);
}

/** The member of one row, as JSON.parse left it. */
export function readMember(field: ValueField, row: number): unknown {
  const values = field.records.values[row] as Row;
  return field.isInherited && !Object.hasOwn(values, field.name) ? undefined : values[field.name];
}

/** The exact JSON text of the member of one row; undefined for objects in memory. */
export function readMemberText(field: ValueField, row: number): string | undefined {
  if (!field.records.isJsonText) return undefined;
  return field.texts === undefined ? cutMembers(field.records.places.raw(row), [field.name])[0] : field.texts[row];
}

/** Fills a scalar column and answers the estimated bytes of what was added. */
export function fillFromValues(field: ValueField, type: ScalarType, fill: ScalarFill): number {
  if (type === 'integer') return fillIntegers(field, fill);
  if (type === 'real') return fillReals(field, fill);
  if (type === 'text') return fillTexts(field, fill);
  return fillConverted(field, type, fill);
}

function convertMember(field: ValueField, type: ScalarType, row: number): Scalar | Unfit {
  return convertValue(type, readMember(field, row), () => readMemberText(field, row));
}

/**
 * Below this a number that JSON.parse gives as an integer is taken as it is; above, digits of the source may have been rounded away, fractions
 * included, and the text is read again. (Below, only a fraction of 16 and more digits, 0.9999999999999999, can have vanished.)
 */
const firstDoubtful = 1e15;

function fillIntegers(field: ValueField, fill: ScalarFill): number {
  const { values } = fill;
  const { rowCount } = field.records;
  for (let row = 0; row < rowCount; row++) {
    const value = readMember(field, row);
    // Adding 0 turns -0 into 0.
    if (typeof value === 'number' && Number.isInteger(value) && value < firstDoubtful && value > -firstDoubtful) values[row] = value + 0;
    else if (value === null || value === undefined) setNull(fill, row);
    else setConverted(fill, row, convertMember(field, 'integer', row));
  }
  return rowCount * slotBytes;
}

function fillReals(field: ValueField, fill: ScalarFill): number {
  const { values } = fill;
  const { rowCount } = field.records;
  for (let row = 0; row < rowCount; row++) {
    const value = readMember(field, row);
    if (typeof value === 'number' && Number.isFinite(value)) values[row] = value;
    else if (value === null || value === undefined) setNull(fill, row);
    else setConverted(fill, row, convertMember(field, 'real', row));
  }
  return rowCount * slotBytes;
}

function fillTexts(field: ValueField, fill: ScalarFill): number {
  const { values } = fill;
  const { rowCount } = field.records;
  let byteCount = 0;
  for (let row = 0; row < rowCount; row++) {
    const value = readMember(field, row);
    if (typeof value === 'string' && value.isWellFormed()) {
      values[row] = value;
      byteCount += value.length * 2 + stringOverheadBytes;
    } else if (value === null || value === undefined) setNull(fill, row);
    else byteCount += setConverted(fill, row, convertMember(field, 'text', row));
  }
  return byteCount;
}

function fillConverted(field: ValueField, type: ScalarType, fill: ScalarFill): number {
  const { rowCount } = field.records;
  let byteCount = 0;
  for (let row = 0; row < rowCount; row++) {
    const value = readMember(field, row);
    if (value === null || value === undefined) setNull(fill, row);
    else byteCount += setConverted(fill, row, convertMember(field, type, row));
  }
  return byteCount;
}

/** Fills a vector column; room must have been reserved. */
export function fillVectorsFromValues(field: ValueField, store: VectorStore, fill: Pick<ScalarFill, 'isNullable' | 'refuse'>): void {
  const { rowCount } = field.records;
  for (let row = 0; row < rowCount; row++) {
    const value = readMember(field, row);
    if (value === null || value === undefined) {
      setNullVector(store, fill, row);
      continue;
    }
    const unfit = setVector(store, value);
    if (unfit !== undefined) fill.refuse(row, unfit);
  }
}
