/** The parameters of a statement: how many values it wants, what they are called, where they stand. */
import type { Dialect } from './dialect.ts';
import { createCursor, kinds } from './lexer.ts';
import { lexerOf } from './tokens.ts';

export { toDollarNumbers, type DollarStatement } from './dollar-numbers.ts';

/** Where one parameter stands in the text. */
export interface ParameterPlace {
  readonly start: number;
  readonly end: number;
  /** Its number, from 1. */
  readonly index: number;
}

export interface ParameterList {
  /** The highest number: how many values are bound. What `sqlite3_bind_parameter_count` says. */
  readonly count: number;
  /** By number less 1, prefix included; undefined for `?`, and for numbers that have no parameter. `?5` is called that. */
  readonly names: readonly (string | undefined)[];
  /** In the order of the text. */
  readonly places: readonly ParameterPlace[];
}

/** Most statements have none. */
const noParameters: ParameterList = { count: 0, names: [], places: [] };

/** The highest number that is not refused: SQLite's limit of variables, and the 16 bits of PostgreSQL's protocol. A larger one must not make a list of that length. */
const highestNumbers = { sqlite: 32_766, postgres: 65_535 };

/** The parameters of one statement: `?`, `?N`, `:a`, `@a`, `$a`, `#a` of SQLite (a name counts once, `?` gets the next number), `$N` of PostgreSQL. */
export function listParameters(sql: string, dialect: Dialect): ParameterList {
  const { advance } = lexerOf(dialect);
  const cursor = createCursor(sql, true);
  const places: ParameterPlace[] = [];
  const names: (string | undefined)[] = [];
  let numbers: Map<string, number> | undefined;
  let count = 0;
  for (advance(cursor); cursor.kind !== kinds.end; advance(cursor)) {
    if (cursor.kind !== kinds.parameter) continue;
    const { start, end } = cursor;
    let index = names.length + 1;
    const hasNumber = end - start > 1 && (dialect === 'postgres' || sql.charCodeAt(start) === 63);
    if (hasNumber) index = Number(sql.slice(start + 1, end));
    else if (end - start > 1) {
      const text = sql.slice(start, end);
      numbers ??= new Map();
      index = numbers.get(text) ?? index;
      numbers.set(text, index);
      names[index - 1] = text;
    } else {
      names.push(undefined);
    }
    if (hasNumber) addNumber(names, index, dialect === 'sqlite' ? sql.slice(start, end) : undefined);
    if (index > count) count = index;
    places.push({ start, end, index });
  }
  return places.length === 0 ? noParameters : { count, names, places };
}

/** Makes room up to a number. The first spelling of it is its name (`?007`). */
function addNumber(names: (string | undefined)[], index: number, text: string | undefined): void {
  const highest = text === undefined ? highestNumbers.postgres : highestNumbers.sqlite;
  if (index < 1 || index > highest) return;
  while (names.length < index) names.push(undefined);
  names[index - 1] ??= text;
}
