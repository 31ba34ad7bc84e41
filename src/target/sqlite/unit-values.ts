/** The values of a statement: counted, matched by name and checked before anything is run, so that none is bound as NULL in silence. */
import { listParameters } from '../../sql/parameters.ts';
import type { StatementParameters, StatementValue } from '../batch-contract.ts';
import { StatementRefusal } from './unit-errors.ts';

/** A value as node:sqlite binds it exactly. */
export type Bound = null | number | bigint | string | Uint8Array;

/** The parameters of a statement. */
export interface Binding {
  /** The text that they are bound to: the statement's, with `?` numbered where it stands beside names. */
  readonly sql: string;
  readonly count: number;
  /** By place less 1: the name with its prefix, undefined where no parameter stands. Undefined when all are plain `?`. */
  readonly names: readonly (string | undefined)[] | undefined;
}

/** Values as `run` and `iterate` take them. */
export type BoundValues = readonly Bound[] | Readonly<Record<string, Bound>>;

/**
 * Reads the parameters of a statement. Versions of Node don't agree on which place the values of `?` take beside `?3` and `:name`;
 * so such a `?` gets its number, and all are bound by name.
 */
export function readBinding(sql: string): Binding {
  if (!/[?:@$#]/u.test(sql)) return { sql, count: 0, names: undefined };
  const { count, names, places } = listParameters(sql, 'sqlite');
  if (names.every((name) => name === undefined)) return { sql, count, names: undefined };
  let numbered = '';
  let from = 0;
  const used: (string | undefined)[] = Array.from({ length: names.length }, () => undefined);
  for (const { start, end, index } of places) {
    const name = names[index - 1] ?? `?${String(index)}`;
    used[index - 1] = name;
    if (end - start > 1) continue;
    numbered += sql.slice(from, start) + name;
    from = end;
  }
  return { sql: numbered + sql.slice(from), count, names: used };
}

/**
 * The values, ready to be bound.
 * @throws StatementRefusal PARAMETERS
 */
export function bindValues({ count, names }: Binding, parameters: StatementParameters): BoundValues {
  if (isList(parameters)) {
    if (parameters.length !== count) {
      throw new StatementRefusal(
        'PARAMETERS',
        `The statement takes ${String(count)} ${count === 1 ? 'value' : 'values'} and was given ${String(parameters.length)}.`,
      );
    }
    if (names === undefined) return bindPlaces(parameters);
    return Object.fromEntries(
      names.flatMap((name, index) => (name === undefined ? [] : [[name, bindValue(parameters[index], index + 1)]])),
    );
  }
  return bindNames({ count, names }, parameters);
}

function isList(parameters: StatementParameters): parameters is readonly StatementValue[] {
  return Array.isArray(parameters);
}

function bindPlaces(parameters: readonly StatementValue[]): readonly Bound[] {
  const bound: Bound[] = [];
  for (let index = 0; index < parameters.length; index++) bound.push(bindValue(parameters[index], index + 1));
  return bound;
}

function bindNames(binding: Pick<Binding, 'count' | 'names'>, parameters: Readonly<Record<string, StatementValue>>): BoundValues {
  const names = (binding.names ?? []).filter((name) => name !== undefined);
  if (binding.names === undefined && binding.count > 0) {
    throw new StatementRefusal('PARAMETERS', `The statement takes ${String(binding.count)} values by place (?), and was given names.`);
  }
  const missing = names.map((name) => name.slice(1)).filter((name) => !Object.hasOwn(parameters, name));
  const known = new Set(names.map((name) => name.slice(1)));
  const unknown = Object.keys(parameters).filter((name) => !known.has(name));
  if (missing.length + unknown.length > 0) throw new StatementRefusal('PARAMETERS', describeNames(missing, unknown));
  return Object.fromEntries(names.map((name) => [name, bindValue(parameters[name.slice(1)], name)]));
}

function describeNames(missing: readonly string[], unknown: readonly string[]): string {
  const hasPrefix = unknown.some((name) => /^[:@$#?]/u.test(name));
  return [
    ...(missing.length === 0 ? [] : [`There is no value for ${missing.join(', ')}.`]),
    ...(unknown.length === 0 ? [] : [`The statement has no parameter ${unknown.join(', ')}.`]),
    ...(hasPrefix ? ['Names are given without their prefix.'] : []),
  ].join(' ');
}

const lowest = -(2n ** 63n);
const highest = 2n ** 63n - 1n;

/** Integers are bound as such: node:sqlite would bind a number as a double, and `typeof(?)` say real. */
function bindValue(value: unknown, place: number | string): Bound {
  switch (typeof value) {
    case 'number':
      if (Number.isSafeInteger(value) && !Object.is(value, -0)) return BigInt(value);
      if (Number.isNaN(value)) return refuse(place, 'NaN, which SQLite would keep as NULL');
      return value;
    case 'string':
      return value.isWellFormed() ? value : refuse(place, 'a text with half a surrogate pair, which UTF-8 can not hold');
    case 'bigint':
      return value >= lowest && value <= highest ? value : refuse(place, 'an integer of more than 64 bits');
    case 'boolean':
      return value ? 1n : 0n;
    default:
      if (value === null || value instanceof Uint8Array) return value;
      return refuse(place, `${nameType(value)}; give a text, number, bigint, boolean, Uint8Array or null`);
  }
}

function nameType(value: unknown): string {
  if (typeof value !== 'object' || value === null) return typeof value;
  return value instanceof Date ? 'a Date' : Array.isArray(value) ? 'an array' : 'an object';
}

function refuse(place: number | string, what: string): never {
  throw new StatementRefusal('PARAMETERS', `The value for ${typeof place === 'number' ? `parameter ${String(place)}` : place} is ${what}.`);
}
