/** Statements as a caller writes them become statements as a target runs them; what can't be one is told by its place, before anything is run. */
import { SluiceError } from '../errors.ts';
import type { StatementParameters, StatementValue, UnitStatement } from '../target/batch-contract.ts';
import type { BatchStatement } from './options.ts';

/** A unit is held whole, here and in the target: 10⁶ statements of 128 bytes fit. */
export const maxUnitBytes: number = 128 * 1024 * 1024;

/** What is wrong with a value that no statement can have; it never holds the value. */
export function describeWrongValue(value: unknown): string | undefined {
  if (value === null || value instanceof Uint8Array) return undefined;
  if (['string', 'number', 'bigint', 'boolean'].includes(typeof value)) return undefined;
  if (Array.isArray(value)) return 'an array';
  return value instanceof Date ? 'a Date (write its text or number)' : `of type ${typeof value}`;
}

function refuse(index: number, what: string): SluiceError {
  return new SluiceError('SLUICE_USAGE', `Statement ${String(index)} ${what}.`, {
    hint: 'A statement is a text, [sql, ...values], [sql, [values]] or [sql, {name: value}]; bytes are a Uint8Array. Nothing was run.',
  });
}

/** Statements in the form of the contract. @throws SLUICE_USAGE for the first that is none */
export function toUnitStatements(statements: readonly BatchStatement[]): readonly UnitStatement[] {
  if (!Array.isArray(statements)) throw new SluiceError('SLUICE_USAGE', 'statements must be an array.');
  return statements.map(toUnitStatement);
}

function toUnitStatement(statement: unknown, index: number): UnitStatement {
  if (typeof statement === 'string') return { sql: statement, parameters: [] };
  if (!Array.isArray(statement)) throw refuse(index, 'is neither a text nor an array');
  const [sql, ...rest] = statement as readonly unknown[];
  if (typeof sql !== 'string') throw refuse(index, 'does not begin with its SQL');
  const parameters = readParameters(rest);
  const values = Object.entries(parameters);
  for (const [name, value] of values) {
    const problem = describeWrongValue(value);
    if (problem !== undefined)
      throw refuse(index, `has a value (${Array.isArray(parameters) ? `number ${String(Number(name) + 1)}` : name}) that is ${problem}`);
  }
  return { sql, parameters };
}

function readParameters(rest: readonly unknown[]): StatementParameters {
  const [only] = rest;
  if (rest.length !== 1) return rest as readonly StatementValue[];
  if (Array.isArray(only)) return only as readonly StatementValue[];
  return isRecord(only) ? (only as Readonly<Record<string, StatementValue>>) : (rest as readonly StatementValue[]);
}

/** An object of names and values, made by a literal, JSON or Object.create(null). */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** About how many bytes a statement takes, for limits: 8 for each number. */
export function measureStatement({ sql, parameters }: UnitStatement): number {
  let bytes = sql.length;
  for (const value of Object.values(parameters) as readonly StatementValue[]) {
    bytes += typeof value === 'string' ? value.length : value instanceof Uint8Array ? value.byteLength : 8;
  }
  return bytes;
}

/** @throws SLUICE_USAGE when the statements are more than one request takes */
export function checkUnitSize(statements: readonly UnitStatement[]): void {
  const bytes = statements.reduce((sum, statement) => sum + measureStatement(statement), 0);
  if (bytes <= maxUnitBytes) return;
  throw new SluiceError(
    'SLUICE_USAGE',
    `The statements have ${String(bytes)} bytes, and one request takes ${String(maxUnitBytes)} (128 MiB). Nothing was run.`,
    { hint: 'Give them in several calls, or write them into a file: batchFile() and `sluice batch FILE` run it in units.' },
  );
}
