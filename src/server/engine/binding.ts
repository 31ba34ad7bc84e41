/** Which value goes to which place of a statement, by rqlite's rules; where they lose data in silence, `strict` refuses instead. */
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { BodyStatement } from './body.ts';
import type { Prepared } from './link.ts';

/** The arguments of a statement's `run` or `iterate`: named values first, when there are any. */
export type Bound = [Record<string, SQLInputValue>, ...SQLInputValue[]] | SQLInputValue[];

export interface BindOptions {
  /** Places of the value list that earlier statements of the same text have taken. */
  readonly taken: number;
  /** On queries a list that is too short is an error even when it is empty. */
  readonly isQuery: boolean;
  readonly isStrict: boolean;
}

/** `?5` counts as a place without a name in newer versions of Node, and as one with a name in older ones. */
const numbersArePositional: boolean = (() => {
  const db = new DatabaseSync(':memory:');
  try {
    return db.prepare('SELECT ?1 AS x').get(1)?.['x'] === 1;
  } catch {
    // The older version says "column index out of range": that is the answer.
    return false;
  } finally {
    db.close();
  }
})();

const letterPattern = /^\p{L}/u;

/** Go's database/sql refuses such names before it looks at the statement; a text otherwise undefined. */
export function findNameFault(statement: BodyStatement): string | undefined {
  const fault = statement.names?.find((name) => name !== undefined && name !== '' && !letterPattern.test(name));
  return fault === undefined ? undefined : `name ${JSON.stringify(fault)} does not begin with a letter`;
}

/** The value of a named place, the last that was given; undefined where nobody gave one. */
function findNamed(statement: BodyStatement, place: string): SQLInputValue | undefined {
  const index = statement.names?.lastIndexOf(place.slice(1)) ?? -1;
  return index < 0 ? undefined : statement.values[index];
}

/** Places to values: a name first, else the value that stands at the place and has no name itself, else NULL. */
function listValues(prepared: Prepared, statement: BodyStatement, taken: number): readonly SQLInputValue[] {
  return prepared.places.map((place, index) => {
    const named = place === undefined || place.startsWith('?') ? undefined : findNamed(statement, place);
    if (named !== undefined) return named;
    const name = statement.names?.[taken + index];
    return name === undefined || name === '' ? (statement.values[taken + index] ?? null) : null;
  });
}

function findStrictFault(prepared: Prepared, statement: BodyStatement, taken: number): string | undefined {
  const names = statement.names?.filter((name) => name !== undefined) ?? [];
  const known = new Set(prepared.places.map((place) => place?.slice(1)));
  const isWhole = prepared.rest === '' && taken === 0;
  const stray = isWhole ? names.find((name) => !known.has(name)) : undefined;
  if (stray !== undefined) return `unknown parameter name ${JSON.stringify(stray)}`;
  const missing = prepared.places.find((place, index) => {
    if (place === undefined || place.startsWith('?')) return false;
    return findNamed(statement, place) === undefined && (names.length > 0 || statement.values[taken + index] === undefined);
  });
  return missing === undefined ? undefined : `no value for parameter ${missing}`;
}

/** The values for a statement, or the text of the error that its entry gets. */
export function bindValues(prepared: Prepared, statement: BodyStatement, options: BindOptions): Bound | string {
  const wanted = prepared.places.length;
  const given = statement.values.length;
  const left = given - options.taken;
  if (left < wanted && (given > 0 || options.isQuery || options.isStrict)) {
    return `not enough args to execute query: want ${String(wanted)} got ${String(options.isQuery ? left : given)}`;
  }
  if (options.isStrict) {
    const fault = findStrictFault(prepared, statement, options.taken);
    if (fault !== undefined) return fault;
  }
  if (wanted === 0 || given === 0) return [];
  const isNamed = (place: string | undefined): place is string => place !== undefined && !(numbersArePositional && place.startsWith('?'));
  if (statement.names === undefined && !prepared.places.some(isNamed)) {
    return left === wanted && options.taken === 0
      ? (statement.values as SQLInputValue[])
      : statement.values.slice(options.taken, options.taken + wanted);
  }
  const named: Record<string, SQLInputValue> = {};
  const unnamed: SQLInputValue[] = [];
  for (const [index, value] of listValues(prepared, statement, options.taken).entries()) {
    const place = prepared.places[index];
    if (isNamed(place)) named[place] = value;
    else unnamed.push(value);
  }
  return [named, ...unnamed];
}
