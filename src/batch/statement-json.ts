/** A JSON text becomes a statement, integers exact: what a double can't hold is a bigint, a number that nothing can hold is refused. */
import { describeJsonFault } from '../source/text/json-fault.ts';
import { listParameters } from '../sql/parameters.ts';
import type { Dialect } from '../sql/dialect.ts';
import type { StatementParameters, StatementValue, UnitStatement } from '../target/batch-contract.ts';
import { isRecord } from './statement-list.ts';

/** A statement, or what is wrong with the text, in words that hold nothing of it. */
export type ParsedStatement = UnitStatement | { readonly problem: string };

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

// With source texts (ES2025) in every Node that sluice runs on; missing in the library types of TypeScript.
const parseWithSource = JSON.parse as (text: string, reviver: Reviver) => unknown;

/** Sixteen digits in a row, an exponent: only then may a number of the text be another one than JSON.parse makes of it. A reviver takes five times as long. */
const doubtful = /\d{16}|\d[eE]/;

class UnfitNumber extends Error {}

function reviveNumber(_key: string, value: unknown, { source }: { readonly source?: string }): unknown {
  if (typeof value !== 'number') return value;
  if (!Number.isFinite(value)) throw new UnfitNumber();
  return !Number.isSafeInteger(value) && source !== undefined && /^-?\d+$/.test(source) ? BigInt(source) : value;
}

function parseExact(text: string): unknown {
  return doubtful.test(text) ? parseWithSource(text, reviveNumber) : JSON.parse(text);
}

/** Reads one element: a string, or an array that begins with one. Arrays of 0–255 are bytes, as rqlite's bodies have them. */
export function parseStatement(text: string, dialect: Dialect): ParsedStatement {
  let value: unknown;
  try {
    value = parseExact(text);
  } catch (error) {
    if (error instanceof UnfitNumber) return { problem: 'a number is larger than any that a database holds' };
    if (!(error instanceof SyntaxError)) throw error;
    return { problem: describeJsonFault(text) };
  }
  if (typeof value === 'string') return { sql: value, parameters: [] };
  if (!Array.isArray(value) || typeof value[0] !== 'string') {
    return { problem: 'not a statement: a text, or an array that begins with one, is expected' };
  }
  const [sql, ...rest] = value as [string, ...unknown[]];
  return readValues(sql, rest, dialect);
}

function readValues(sql: string, rest: readonly unknown[], dialect: Dialect): ParsedStatement {
  const [only] = rest;
  if (rest.length === 1 && isRecord(only)) return readNamed(sql, only);
  const list = rest.length === 1 && Array.isArray(only) && !isSoleBlob(sql, only, dialect) ? only : rest;
  const parameters: StatementValue[] = [];
  for (const [index, value] of list.entries()) {
    const read = readValue(value);
    if (read === undefined) return { problem: `value ${String(index + 1)} is ${describe(value)}` };
    parameters.push(read);
  }
  return { sql, parameters };
}

function readNamed(sql: string, values: Readonly<Record<string, unknown>>): ParsedStatement {
  // Without a prototype: a parameter may be called __proto__.
  const parameters = Object.create(null) as Record<string, StatementValue>;
  for (const [name, value] of Object.entries(values)) {
    const read = readValue(value);
    if (read === undefined) return { problem: `the value called ${JSON.stringify(name)} is ${describe(value)}` };
    parameters[name] = read;
  }
  return { sql, parameters: parameters satisfies StatementParameters };
}

/** `[sql, [1, 2, 3]]` is a list of values, unless the statement takes exactly one and several bytes are there for it: then they are its blob. */
function isSoleBlob(sql: string, list: readonly unknown[], dialect: Dialect): boolean {
  return list.length > 1 && isBytes(list) && listParameters(sql, dialect).count === 1;
}

function isBytes(list: readonly unknown[]): list is readonly number[] {
  return list.every((byte) => typeof byte === 'number' && Number.isInteger(byte) && byte >= 0 && byte <= 255);
}

function readValue(value: unknown): StatementValue | undefined {
  if (Array.isArray(value)) return isBytes(value) ? Uint8Array.from(value) : undefined;
  return isRecord(value) ? undefined : (value as StatementValue);
}

function describe(value: unknown): string {
  return Array.isArray(value) ? 'an array that holds more than bytes (0 to 255)' : 'an object; names and values stand alone behind the SQL';
}
