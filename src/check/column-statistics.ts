/** What a column holds, gathered batch by batch over its arrays and merged over lanes. Its size grows neither with rows nor with values. */
import type { Batch, ScalarValues, VectorValues } from '../rows/batch.ts';
import type { Column, Scalar } from '../rows/schema.ts';
import {
  addDistinct,
  addDistinctNumber,
  addDistinctText,
  createDistinctCounter,
  countDistinct,
  mergeDistinct,
  type DistinctCounter,
} from './distinct.ts';
import type { ColumnFound } from './options.ts';
import { isBetween, openTextRange, widenTextRange } from './text-range.ts';

type Ordered = string | number | bigint;

/** Characters of a least or greatest value that are told. */
const shownCharacters = 64;

/** Types whose values have an order that a reader would expect. */
const orderedTypes: ReadonlySet<string> = new Set(['integer', 'real', 'text', 'timestamp', 'date', 'uuid']);

/** Statistics of one column; plain data, so that a thread can send them. */
export interface ColumnStatistics {
  rows: number;
  nulls: number;
  min: Ordered | undefined;
  max: Ordered | undefined;
  lengths: number;
  minLength: number;
  maxLength: number;
  trues: number;
  minNorm: number;
  maxNorm: number;
  zeros: number;
  /** Undefined for a column whose values are told apart elsewhere. */
  readonly distinct: DistinctCounter | undefined;
}

export function createStatistics(countsDistinct = true): ColumnStatistics {
  return {
    rows: 0,
    nulls: 0,
    min: undefined,
    max: undefined,
    lengths: 0,
    minLength: Infinity,
    maxLength: 0,
    trues: 0,
    minNorm: Infinity,
    maxNorm: 0,
    zeros: 0,
    distinct: countsDistinct ? createDistinctCounter() : undefined,
  };
}

/** Adds the rows of a batch, one column after another, but for those at `told`. A column that is embedded has no values yet. */
export function addBatch(
  statistics: readonly ColumnStatistics[],
  { columns, values, rowCount }: Batch,
  told: ReadonlySet<number> = new Set(),
): void {
  columns.forEach((column, index) => {
    const [into, data] = [statistics[index], values[index]];
    if (into === undefined || data === undefined || column.isEmbedded === true || told.has(index)) return;
    into.rows += rowCount;
    if (data.kind === 'vector') addVectors(into, data, rowCount);
    else if (orderedTypes.has(column.type)) addOrdered(into, data);
    else addOthers(into, data);
  });
}

function addOrdered(into: ColumnStatistics, { values }: ScalarValues): void {
  const first = values.find((value) => value !== null);
  if (typeof first === 'string') addTexts(into, values);
  else addNumbers(into, values);
}

function addNumbers(into: ColumnStatistics, values: readonly Scalar[]): void {
  const { distinct } = into;
  let [least, greatest] = [Infinity, -Infinity];
  for (const value of values) {
    if (typeof value === 'number') {
      if (value < least) least = value;
      if (value > greatest) greatest = value;
      if (distinct !== undefined) addDistinctNumber(distinct, value);
    } else if (value === null) into.nulls++;
    else {
      takeRange(into, value as Ordered, value as Ordered);
      if (distinct !== undefined) addDistinct(distinct, value);
    }
  }
  if (least <= greatest) takeRange(into, least, greatest);
}

function takeRange(into: ColumnStatistics, least: Ordered, greatest: Ordered): void {
  if (into.min === undefined || least < into.min) into.min = least;
  if (into.max === undefined || greatest > into.max) into.max = greatest;
}

/** Texts, and nulls among them; the rows themselves are the caller's to count. */
export function addTexts(into: ColumnStatistics, values: readonly Scalar[]): void {
  const { distinct } = into;
  const range = openTextRange(into.min, into.max);
  let [lengths, minLength, maxLength] = [0, into.minLength, into.maxLength];
  for (const value of values) {
    if (typeof value !== 'string') {
      into.nulls++;
      continue;
    }
    const { length } = value;
    lengths += length;
    if (length < minLength) minLength = length;
    if (length > maxLength) maxLength = length;
    if (!isBetween(range, value)) widenTextRange(range, value);
    if (distinct !== undefined) addDistinctText(distinct, value);
  }
  Object.assign(into, { min: range.min, max: range.max, minLength, maxLength });
  into.lengths += lengths;
}

function addOthers(into: ColumnStatistics, { values }: ScalarValues): void {
  for (const value of values) {
    if (value === null) {
      into.nulls++;
      continue;
    }
    if (typeof value === 'string' || value instanceof Uint8Array) addLength(into, value.length);
    if (value === true) into.trues++;
    if (into.distinct !== undefined) addDistinct(into.distinct, value);
  }
}

function addLength(into: ColumnStatistics, length: number): void {
  into.lengths += length;
  if (length < into.minLength) into.minLength = length;
  if (length > into.maxLength) into.maxLength = length;
}

function addVectors(into: ColumnStatistics, { dimensions, nulls, values }: VectorValues, rowCount: number): void {
  for (let row = 0; row < rowCount; row++) {
    if (nulls?.[row] === 1) {
      into.nulls++;
      continue;
    }
    const norm = measureNorm(values, row * dimensions, dimensions);
    if (norm === 0) into.zeros++;
    if (norm < into.minNorm) into.minNorm = norm;
    if (norm > into.maxNorm) into.maxNorm = norm;
  }
}

/** Four sums at once: each addition waits for the one before it. */
function measureNorm(values: Float32Array, start: number, count: number): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  let at = start;
  for (const end = start + count - 3; at < end; at += 4) {
    const [w, x, y, z] = [values[at] as number, values[at + 1] as number, values[at + 2] as number, values[at + 3] as number];
    a += w * w;
    b += x * x;
    c += y * y;
    d += z * z;
  }
  for (; at < start + count; at++) a += (values[at] as number) ** 2;
  return Math.sqrt(a + b + c + d);
}

export function mergeStatistics(into: ColumnStatistics, from: ColumnStatistics): void {
  into.rows += from.rows;
  into.nulls += from.nulls;
  into.lengths += from.lengths;
  into.trues += from.trues;
  into.zeros += from.zeros;
  if (from.min !== undefined && (into.min === undefined || from.min < into.min)) into.min = from.min;
  if (from.max !== undefined && (into.max === undefined || from.max > into.max)) into.max = from.max;
  into.minLength = Math.min(into.minLength, from.minLength);
  into.maxLength = Math.max(into.maxLength, from.maxLength);
  into.minNorm = Math.min(into.minNorm, from.minNorm);
  into.maxNorm = Math.max(into.maxNorm, from.maxNorm);
  if (into.distinct !== undefined && from.distinct !== undefined) mergeDistinct(into.distinct, from.distinct);
}

/** The statistics as the report tells them. `repeated`: of a column whose values were compared with each other, how many are there a second time. */
export function describeColumn(column: Column, found: ColumnStatistics, repeated: number | undefined): ColumnFound {
  const filled = found.rows - found.nulls;
  const hasLength = filled > 0 && found.minLength !== Infinity;
  const isVector = column.type === 'vector';
  return {
    name: column.name,
    type: column.type,
    rows: found.rows,
    nulls: found.nulls,
    min: showValue(found.min),
    max: showValue(found.max),
    length: hasLength ? { min: found.minLength, max: found.maxLength, mean: found.lengths / filled } : undefined,
    distinct: isVector
      ? undefined
      : found.distinct === undefined
        ? leave(filled, repeated)
        : Math.min(filled, countDistinct(found.distinct)),
    booleans: column.type === 'boolean' ? { trues: found.trues, falses: filled - found.trues } : undefined,
    vectors:
      isVector && filled > 0
        ? { dimensions: column.dimensions ?? 0, minNorm: found.minNorm, maxNorm: found.maxNorm, zeros: found.zeros }
        : undefined,
  };
}

function leave(filled: number, repeated: number | undefined): number | undefined {
  return repeated === undefined ? undefined : filled - repeated;
}

function showValue(value: Scalar | undefined): string | undefined {
  if (value === undefined || value === null) return undefined;
  const text = String(value);
  return text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text;
}
