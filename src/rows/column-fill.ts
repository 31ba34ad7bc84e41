/** Fills columns from columns: values that have the form already are copied, vectors with one `set`, all others converted as those of objects are. */
import type { ColumnRecords } from '../source/source.ts';
import type { ColumnValues } from './batch.ts';
import { readCell } from './column-records.ts';
import type { ScalarFill } from './fill.ts';
import { setConverted, setNull } from './fill.ts';
import type { ColumnType, Scalar, ScalarType } from './schema.ts';
import { checkJson } from './text-value.ts';
import type { Unfit } from './unfit.ts';
import { convertValue } from './value.ts';
import type { VectorStore } from './vector.ts';
import { copyVectors, setNullVector, setVector } from './vector.ts';

/** One field of a stretch. */
export interface ColumnField {
  readonly values: ColumnValues;
  /** As the source says; undefined where it does not know. */
  readonly type: ColumnType | undefined;
  readonly rowCount: number;
}

/** The field of a stretch; undefined where it has none of that name. */
export function openColumnField(records: ColumnRecords, name: string): ColumnField | undefined {
  const index = records.fields.indexOf(name);
  const values = records.values[index];
  return values === undefined ? undefined : { values, type: records.types?.[index], rowCount: records.rowCount };
}

/** Fills a scalar column and answers the estimated bytes of what was added. */
export function fillFromColumn(field: ColumnField, type: ScalarType, fill: ScalarFill): number {
  const { rowCount, values } = field;
  const convert = field.type === 'json' && type === 'json' ? convertJsonText : convertPlain;
  let byteCount = 0;
  for (let row = 0; row < rowCount; row++) {
    const value = readCell(values, row);
    if (value === null || value === undefined) setNull(fill, row);
    else byteCount += setConverted(fill, row, convert(type, value));
  }
  return byteCount;
}

/** A value that has the form of its type already is itself; the others go the way of values in objects. */
function convertPlain(type: ScalarType, value: unknown): Scalar | Unfit {
  if (type === 'integer' && typeof value === 'number' && Number.isSafeInteger(value)) return value + 0;
  if (type === 'real' && typeof value === 'number' && Number.isFinite(value)) return value;
  if (type === 'text' && typeof value === 'string' && value.isWellFormed()) return value;
  return convertValue(type, value, noText);
}

/** A column of JSON holds JSON's text: as a value of an object it would become a string of JSON. */
function convertJsonText(type: ScalarType, value: unknown): Scalar | Unfit {
  return typeof value === 'string' ? checkJson(value) : convertPlain(type, value);
}

function noText(): undefined {
  return undefined;
}

/** Fills a vector column; room must have been reserved. */
export function fillVectorsFromColumn(field: ColumnField, store: VectorStore, fill: Pick<ScalarFill, 'isNullable' | 'refuse'>): void {
  const { rowCount, values } = field;
  if (values.kind === 'vector' && values.dimensions === store.dimensions) {
    copyVectors(store, { values, rowCount }, fill);
    return;
  }
  for (let row = 0; row < rowCount; row++) {
    const value = readCell(values, row);
    if (value === null || value === undefined) {
      setNullVector(store, fill, row);
      continue;
    }
    const unfit = setVector(store, value);
    if (unfit !== undefined) fill.refuse(row, unfit);
  }
}
