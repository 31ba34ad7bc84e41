/** One row of JSON text: whether its bytes are one, and what is wrong with those that aren't, without a word of the row itself. */
import { isUtf8 } from 'node:buffer';
import { describeJsonFault } from './json-fault.ts';
import type { RowFault } from './row-index.ts';
import { describeLongRow } from './text-format.ts';

export type JsonRow = Readonly<Record<string, unknown>>;

/** Why a row is refused. */
export type RowProblem = Pick<RowFault, 'code' | 'message'>;

/** What is known of the bytes that rows are cut from. */
export interface RowCheck {
  readonly maxRowBytes: number;
  /** All of them are UTF-8. */
  readonly isValid: boolean;
}

/** What keeps bytes from being looked at as text. */
export function checkRowBytes(bytes: Buffer, check: RowCheck): RowProblem | undefined {
  if (bytes.length > check.maxRowBytes) return { code: 'ROW_TOO_LONG', message: describeLongRow(check.maxRowBytes) };
  return check.isValid || isUtf8(bytes) ? undefined : { code: 'ROW_UTF8_INVALID', message: 'the row is not valid UTF-8' };
}

/** The value of a JSON text; undefined, which no JSON text means, if it is none. */
export function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Arrays are objects to JavaScript, but no rows. */
export function isJsonRow(value: unknown): value is JsonRow {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Why a text is no row. `value` is what {@link parseJson} made of it. */
export function describeNoRow(json: string, value: unknown): RowProblem {
  if (value === undefined) return { code: 'ROW_JSON_INVALID', message: describeJsonFault(json) };
  const kind = value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`;
  return { code: 'ROW_NOT_AN_OBJECT', message: `the row is ${kind}, not an object` };
}
