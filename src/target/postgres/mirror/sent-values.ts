/** Values of a batch as parameters of one statement, and the SQL that turns each into exactly what its column would store. */
import type { Batch } from '../../../rows/batch.ts';
import { quoteIdentifier } from '../../sql-text.ts';
import type { CatalogColumn } from '../catalog/table.ts';
import { toWireType } from '../catalog/schema.ts';
import type { EncodedParameter } from '../link.ts';
import { encodeArrays, hasArrayForm } from '../wire/arrays.ts';
import { findValues } from '../wire/encode-field.ts';
import { openPrinter } from '../wire/encode-text.ts';
import type { WireColumn } from '../wire-column.ts';
import type { Column } from '../../../rows/schema.ts';

/** A column of the batch that meets one of the table. */
export interface SentColumn {
  readonly wire: WireColumn;
  readonly stored: CatalogColumn;
}

const textWire: WireColumn = {
  column: { name: 'text', field: 'text', type: 'text', isNullable: true },
  type: { name: 'text', oid: 25, typmod: -1, isArray: false, elementOid: 0, kind: 'base' },
};

export function pairColumn(column: Column, stored: CatalogColumn): SentColumn {
  return { wire: { column, type: toWireType(stored) }, stored };
}

/** One array a column with the values of those rows, in that order: binary where the type has such a form, else the text that the server would read. Rows must have passed `checkBatch`. */
export function encodeSent(columns: readonly SentColumn[], batch: Batch, rows: Int32Array): readonly EncodedParameter[] {
  return columns.flatMap(({ wire }) => {
    if (hasArrayForm(wire)) return encodeArrays([wire], batch, rows);
    const print = openPrinter(wire, findValues(batch, wire));
    const texts: Batch = {
      ...batch,
      columns: [textWire.column],
      values: [{ kind: 'scalar', values: Array.from(rows, print) }],
      rowCount: rows.length,
    };
    return encodeArrays(
      [textWire],
      texts,
      Int32Array.from(rows, (_, at) => at),
    );
  });
}

/**
 * A subquery that gives the rows back under the columns' names, and `sluice_place`, from 1. Each value has the column's declared type, so it is rounded, cut and padded
 * as a stored one. OFFSET 0 keeps the casts out of the join, so that a look-up is one probe of the key's index.
 */
export function writeSent(columns: readonly SentColumn[]): string {
  const names = columns.map((_, at) => `f${String(at)}`);
  const casts = columns.map(({ stored }, at) => `CAST(f${String(at)} AS ${stored.declaredType}) AS ${quoteIdentifier(stored.name)}`);
  const arrays = columns.map((_, at) => `$${String(at + 1)}`);
  return `(SELECT ${[...casts, placeColumn].join(', ')} FROM unnest(${arrays.join(', ')}) WITH ORDINALITY AS f (${[...names, placeColumn].join(', ')}) OFFSET 0)`;
}

/** Column of {@link writeSent} with the row's place among those sent. */
export const placeColumn = 'sluice_place';
