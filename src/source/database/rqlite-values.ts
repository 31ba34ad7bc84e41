/**
 * Values of rqlite as they are stored. Its JSON alone does not tell: a column's declared type turns dates into other texts and 1 into true, bytes of an untyped
 * expression become text, and a whole REAL looks like an INTEGER. So the types of a row's values stand in front of it, and bytes come as hex.
 */
import { SluiceError } from '../../errors.ts';
import type { JsonValue } from '../../target/rqlite/json.ts';
import type { SqliteRow } from './sqlite-columns.ts';

/** What to select for columns or expressions, so that {@link readExactly} can read the rows. */
export function selectExactly(columns: readonly string[]): string {
  const types = columns.map((column) => `substr(typeof(${column}), 1, 1)`);
  // An expression has no declared type, so nothing is made of its value.
  const values = columns.map((column) => `CASE typeof(${column}) WHEN 'blob' THEN hex(${column}) ELSE ${column} END`);
  return [types.join(' || '), ...values].join(', ');
}

/** A row as it is stored: `n`ull, `i`nteger, `r`eal, `t`ext, `b`lob. */
export function readExactly([types, ...values]: readonly JsonValue[]): SqliteRow {
  if (typeof types !== 'string' || types.length !== values.length) {
    throw new SluiceError('SLUICE_SOURCE_READ', 'rqlite answered a row without the types of its values', {
      hint: 'Check that nothing between here and rqlite changes its answers.',
    });
  }
  return values.map((value, index) => readCell(value, types[index]));
}

function readCell(value: JsonValue | undefined, type: string | undefined): SqliteRow[number] {
  if (type === 'n' || value === undefined || value === null) return null;
  if (type === 'r') return Number(value);
  if (type === 'b') return Uint8Array.from(Buffer.from(String(value), 'hex'));
  return typeof value === 'bigint' || typeof value === 'number' ? value : String(value);
}
