/** Arrow's schema: the types of a file's columns, and which type each becomes. @see https://arrow.apache.org/docs/format/Columnar.html */
import type { ColumnType } from '../../rows/schema.ts';
import { readByte, readInt, readLong, readShort, readTable, readTables, readText, type Table } from './flatbuffer.ts';

/** Fractions of a second that a unit counts, as a power of ten. */
export type TimeUnit = 0 | 3 | 6 | 9;

export type ArrowType =
  | { readonly kind: 'null' | 'bool' | 'struct' | 'map' }
  | { readonly kind: 'int'; readonly bits: number; readonly isSigned: boolean }
  | { readonly kind: 'float'; readonly bits: number }
  | { readonly kind: 'text' | 'binary'; readonly isLarge: boolean; readonly isView: boolean }
  | { readonly kind: 'fixed_binary'; readonly width: number }
  | { readonly kind: 'decimal'; readonly bits: number; readonly scale: number }
  | { readonly kind: 'date'; readonly bits: number }
  | { readonly kind: 'time'; readonly bits: number; readonly unit: TimeUnit }
  | { readonly kind: 'timestamp'; readonly unit: TimeUnit; readonly hasZone: boolean }
  | { readonly kind: 'duration'; readonly unit: TimeUnit }
  | { readonly kind: 'list'; readonly isLarge: boolean }
  | { readonly kind: 'fixed_list'; readonly size: number }
  | { readonly kind: 'unread'; readonly name: string; readonly buffers: number };

export interface Field {
  readonly name: string;
  readonly type: ArrowType;
  readonly isNullable: boolean;
  readonly children: readonly Field[];
  /** The column holds indexes into the dictionary of this id. */
  readonly dictionary: { readonly id: number; readonly index: Extract<ArrowType, { kind: 'int' }> } | undefined;
  /** `arrow.uuid`, `arrow.json`, … */
  readonly extension: string | undefined;
}

/** Fields in all; wider tables are taken for a damaged file. */
const maxFields = 65_536;
const maxDepth = 64;

/** @throws RangeError for a schema that is damaged or written in the other byte order */
export function readSchema(table: Table): readonly Field[] {
  if (readShort(table, 0, 0) !== 0) throw new RangeError('its numbers are big-endian');
  const budget = { fields: maxFields };
  return readTables(table, 1).map((field) => readField(field, budget, 0));
}

function readField(table: Table, budget: { fields: number }, depth: number): Field {
  if (--budget.fields < 0 || depth > maxDepth) throw new RangeError('the schema nests too deeply or has too many fields');
  const dictionary = readTable(table, 4);
  return {
    name: readText(table, 0) ?? '',
    isNullable: readByte(table, 1, 0) !== 0,
    type: readType(readByte(table, 2, 0), readTable(table, 3)),
    children: readTables(table, 5).map((child) => readField(child, budget, depth + 1)),
    dictionary: dictionary === undefined ? undefined : { id: readLong(dictionary, 0), index: readIndexType(readTable(dictionary, 1)) },
    extension: readTables(table, 6).flatMap((pair) => (readText(pair, 0) === 'ARROW:extension:name' ? [readText(pair, 1) ?? ''] : []))[0],
  };
}

function readIndexType(table: Table | undefined): Extract<ArrowType, { kind: 'int' }> {
  return table === undefined ? { kind: 'int', bits: 32, isSigned: true } : readInteger(table);
}

function readInteger(table: Table): Extract<ArrowType, { kind: 'int' }> {
  const bits = readInt(table, 0, 0);
  if (![8, 16, 32, 64].includes(bits)) throw new RangeError('an integer has no known width');
  return { kind: 'int', bits, isSigned: readByte(table, 1, 0) !== 0 };
}

const timeUnits: readonly TimeUnit[] = [0, 3, 6, 9];

function readUnit(table: Table, index: number, otherwise: number): TimeUnit {
  const unit = timeUnits[readShort(table, index, otherwise)];
  if (unit === undefined) throw new RangeError('a time has no known unit');
  return unit;
}

const floatBits = [16, 32, 64];

/** Types by their number in Arrow's `Schema.fbs`. */
const types: Readonly<Record<number, (table: Table) => ArrowType>> = {
  1: () => ({ kind: 'null' }),
  2: readInteger,
  3: (table) => ({ kind: 'float', bits: floatBits[readShort(table, 0, 0)] ?? invalid('a float has no known width') }),
  4: () => ({ kind: 'binary', isLarge: false, isView: false }),
  5: () => ({ kind: 'text', isLarge: false, isView: false }),
  6: () => ({ kind: 'bool' }),
  7: (table) => ({ kind: 'decimal', bits: readDecimalBits(table), scale: readScale(table) }),
  8: (table) => ({ kind: 'date', bits: readShort(table, 0, 1) === 0 ? 32 : 64 }),
  9: (table) => ({ kind: 'time', unit: readUnit(table, 0, 1), bits: readInt(table, 1, 32) === 64 ? 64 : 32 }),
  10: (table) => ({ kind: 'timestamp', unit: readUnit(table, 0, 0), hasZone: (readText(table, 1) ?? '') !== '' }),
  11: (table) => ({ kind: 'unread', name: readShort(table, 0, 0) === 0 ? 'interval of months' : 'interval', buffers: 2 }),
  12: () => ({ kind: 'list', isLarge: false }),
  13: () => ({ kind: 'struct' }),
  14: (table) => ({ kind: 'unread', name: 'union', buffers: readShort(table, 0, 0) === 0 ? 1 : 2 }),
  15: (table) => ({ kind: 'fixed_binary', width: readSize(table) }),
  16: (table) => ({ kind: 'fixed_list', size: readSize(table) }),
  17: () => ({ kind: 'map' }),
  18: (table) => ({ kind: 'duration', unit: readUnit(table, 0, 1) }),
  19: () => ({ kind: 'binary', isLarge: true, isView: false }),
  20: () => ({ kind: 'text', isLarge: true, isView: false }),
  21: () => ({ kind: 'list', isLarge: true }),
  22: () => ({ kind: 'unread', name: 'run-end encoded', buffers: 0 }),
  23: () => ({ kind: 'binary', isLarge: false, isView: true }),
  24: () => ({ kind: 'text', isLarge: false, isView: true }),
  25: () => ({ kind: 'unread', name: 'list view', buffers: 3 }),
  26: () => ({ kind: 'unread', name: 'list view', buffers: 3 }),
};

function readType(number: number, table: Table | undefined): ArrowType {
  const read = types[number];
  if (read === undefined || table === undefined) throw new RangeError('a column has no known type');
  return read(table);
}

function invalid(what: string): never {
  throw new RangeError(what);
}

function readDecimalBits(table: Table): number {
  const bits = readInt(table, 2, 128);
  return [32, 64, 128, 256].includes(bits) ? bits : invalid('a decimal has no known width');
}

function readScale(table: Table): number {
  const scale = readInt(table, 1, 0);
  return Math.abs(scale) <= 1_000 ? scale : invalid('the scale of a decimal is out of range');
}

/** Bytes of a value, or elements of a list, of one size: 16 MiB at most, as rows are. */
function readSize(table: Table): number {
  const size = readInt(table, 0, 0);
  return size >= 0 && size <= 16 * 1024 * 1024 ? size : invalid('the size of a value is out of range');
}

/** Whether a column is made of lists of floats, which can be vectors. */
export function isFloatList({ children, dictionary, type }: Field): boolean {
  return (
    dictionary === undefined &&
    (type.kind === 'list' || type.kind === 'fixed_list') &&
    children[0]?.type.kind === 'float' &&
    children[0].dictionary === undefined
  );
}

const columnTypes: Readonly<Record<ArrowType['kind'], ColumnType>> = {
  null: 'text',
  bool: 'boolean',
  struct: 'json',
  map: 'json',
  int: 'integer',
  float: 'real',
  text: 'text',
  binary: 'bytes',
  fixed_binary: 'bytes',
  decimal: 'decimal',
  date: 'date',
  time: 'text',
  timestamp: 'timestamp',
  duration: 'integer',
  list: 'json',
  fixed_list: 'json',
  unread: 'json',
};

/** The type that a column becomes; lists of floats may become vectors instead. */
export function toColumnType({ extension, type }: Field): ColumnType {
  if (extension === 'arrow.uuid' && type.kind === 'fixed_binary' && type.width === 16) return 'uuid';
  if (extension === 'arrow.json' && type.kind === 'text') return 'json';
  return columnTypes[type.kind];
}
