/** Columns of a batch as binary arrays, one parameter each, for `INSERT … SELECT … FROM unnest($1, $2 …)`. */
import type { Batch } from '../../../rows/batch.ts';
import { countFixedBytes, findValues, hasBinaryForm, openField } from './encode-field.ts';
import type { WriteField } from './encode-field.ts';
import type { EncodedParameter } from '../link.ts';
import { createBlock } from './block.ts';
import type { WireColumn, WireType } from '../wire-column.ts';
import { writeArrayHead } from './vector.ts';

/** Array types of the types that are built in, by oid (pg_type.dat; never renumbered). */
const builtinArrays: ReadonlyMap<number, number> = new Map([
  [16, 1000],
  [17, 1001],
  [19, 1003],
  [20, 1016],
  [21, 1005],
  [23, 1007],
  [25, 1009],
  [26, 1028],
  [114, 199],
  [650, 651],
  [700, 1021],
  [701, 1022],
  [829, 1040],
  [869, 1041],
  [1042, 1014],
  [1043, 1015],
  [1082, 1182],
  [1083, 1183],
  [1114, 1115],
  [1184, 1185],
  [1186, 1187],
  [1266, 1270],
  [1560, 1561],
  [1562, 1563],
  [1700, 1231],
  [2950, 2951],
  [3802, 3807],
]);

/** The oid of the array of a type; 0 where it is not known and the statement has to cast the parameter. */
export function findArrayOid(type: WireType): number {
  return type.arrayOid ?? builtinArrays.get(type.oid) ?? 0;
}

/** Whether values of the column can be elements of an array parameter: arrays can't, for an array of them would have two dimensions. */
export function hasArrayForm(wire: WireColumn): boolean {
  return !wire.type.isArray && hasBinaryForm(wire);
}

/** One array a column with the values of those rows of the batch, in that order. Rows must have passed `checkBatch`. */
export function encodeArrays(columns: readonly WireColumn[], batch: Batch, rows: Int32Array): readonly EncodedParameter[] {
  return columns.map((wire) => ({ typeOid: findArrayOid(wire.type), bytes: encodeArray(wire, batch, rows) }));
}

/** Starting guess of a value's bytes; where it falls short, the rows written so far tell better. */
const guessedBytes = 32;

function encodeArray(wire: WireColumn, batch: Batch, rows: Int32Array): Uint8Array {
  const values = findValues(batch, wire);
  const write = openField(wire, values);
  const fixedBytes = countFixedBytes(wire);
  const valueBytes = values.kind === 'vector' ? values.dimensions * 4 + 16 : guessedBytes;
  let size = 64 + rows.length * valueBytes;
  for (;;) {
    const end = writeArray(write, rows, { size, fixedBytes, elementOid: wire.type.oid });
    if (end instanceof Uint8Array) return end;
    size = end;
  }
}

interface ArrayMemory {
  readonly size: number;
  readonly fixedBytes: number;
  readonly elementOid: number;
}

/** The array without a length before it, or the size that it needs at least. */
function writeArray(write: WriteField, rows: Int32Array, { size, fixedBytes, elementOid }: ArrayMemory): Uint8Array | number {
  const block = createBlock(size, fixedBytes);
  // A flag that there may be nulls is enough: the server looks at each element.
  let at = writeArrayHead(block, 0, { elementOid, count: rows.length, hasNulls: true });
  for (let index = 0; index < rows.length; index++) {
    const end = at > block.limit ? -(size + 1) : write(block, at, rows[index] as number);
    // The mean so far and a fifth, but always enough for this row: each try gets further.
    if (end < 0) return Math.max(-end, Math.ceil((-end / (index + 1)) * rows.length * 1.2));
    at = end;
  }
  return block.bytes.subarray(4, at);
}
