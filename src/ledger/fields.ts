/** Reads single columns of the ledger's rows, whatever a driver hands them over as. */
import type { ResultRow } from '../target/driver.ts';

/** A column of text; a null is the empty text. */
export function text(row: ResultRow, name: string): string {
  const value = row[name];
  return typeof value === 'string' ? value : String(value ?? '');
}

/** A column of text that may be null. */
export function maybeText(row: ResultRow, name: string): string | undefined {
  return row[name] === null ? undefined : text(row, name);
}

/** A whole number; a null is 0. */
export function count(row: ResultRow, name: string): number {
  return Number(row[name] ?? 0);
}

/** A whole number that may be null. */
export function maybeCount(row: ResultRow, name: string): number | undefined {
  return row[name] === null || row[name] === undefined ? undefined : Number(row[name]);
}
