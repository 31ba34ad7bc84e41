/** The values of a statement as they are sent: as text whose type the server infers, so that a string or a number goes into a column of any type. */
import type { StatementError, StatementParameters, StatementValue } from '../../batch-contract.ts';
import type { StepValue } from '../link.ts';
import type { DollarStatement } from '../../../sql/parameters.ts';

/** The protocol counts parameters in 16 bits. */
const maxParameters = 65_535;

const refuse = (code: StatementError['code'], message: string): StatementError => ({ code, message });

/** The values in the order of `$1` …, or what is wrong with them: one too many, one too few, a name that the text does not have. */
export function orderValues(statement: DollarStatement, given: StatementParameters): readonly StatementValue[] | StatementError {
  const { sources, count } = statement;
  if (sources.length > maxParameters)
    return refuse('PARAMETERS', `The statement has ${sources.length} parameters, and PostgreSQL takes ${maxParameters}.`);
  if (!isByPlace(given)) return orderNamed(statement, given);
  if (given.length !== count)
    return refuse('PARAMETERS', `The statement takes ${count} ${count === 1 ? 'value' : 'values'} and was given ${given.length}.`);
  return sources.map((source) => (typeof source === 'number' ? (given[source] ?? null) : null));
}

export function isByPlace(given: StatementParameters): given is readonly StatementValue[] {
  return Array.isArray(given);
}

/** Values may be named with their prefix or without it. */
export function bareName(name: string): string {
  return name.replace(/^[:@$]/u, '');
}

/** `$2` of PostgreSQL is called 2. */
function orderNamed(
  { sources }: DollarStatement,
  given: Readonly<Record<string, StatementValue>>,
): readonly StatementValue[] | StatementError {
  const known = new Map(Object.entries(given).map(([name, value]) => [bareName(name), value]));
  const unused = new Set(known.keys());
  const values: StatementValue[] = [];
  for (const source of sources) {
    const name = typeof source === 'number' ? String(source + 1) : source;
    const value = known.get(name);
    if (value === undefined) return refuse('PARAMETERS', `The parameter ${name} of the statement was given no value.`);
    values.push(value);
    unused.delete(name);
  }
  const [strange] = unused;
  return strange === undefined ? values : refuse('PARAMETERS', `The statement has no parameter ${strange}.`);
}

/** Values for the wire, or why one can't be sent as it is. */
export function writeValues(values: readonly StatementValue[]): readonly StepValue[] | StatementError {
  const written: StepValue[] = [];
  for (const [index, value] of values.entries()) {
    if (value === null || value instanceof Uint8Array) written.push(value);
    else if (typeof value === 'string') {
      const complaint = findTextFault(value);
      if (complaint !== undefined) return refuse('VALUE', `Parameter ${index + 1} ${complaint}.`);
      written.push(value);
    } else if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') written.push(String(value));
    else return refuse('VALUE', `Parameter ${index + 1} is neither null nor a boolean, a number, a text or bytes.`);
  }
  return written;
}

/** What can't be written in UTF-8 would be stored as something else. */
function findTextFault(text: string): string | undefined {
  if (text.includes('\0')) return 'holds a NUL, which PostgreSQL has in no text';
  return text.isWellFormed() ? undefined : 'holds half of a surrogate pair, which is no character';
}

const oids = { bool: 16, bytea: 17, int8: 20, text: 25, float8: 701, numeric: 1700 };

/** Types that the values have by themselves, for a statement whose text does not tell: `SELECT $1 IS NULL`. */
export function guessTypes(values: readonly StatementValue[]): readonly number[] {
  return values.map((value) => {
    if (value === null) return oids.text;
    if (value instanceof Uint8Array) return oids.bytea;
    if (typeof value === 'boolean') return oids.bool;
    if (typeof value === 'bigint') return BigInt.asIntN(64, value) === value ? oids.int8 : oids.numeric;
    if (typeof value === 'number') return Number.isSafeInteger(value) ? oids.int8 : oids.float8;
    return oids.text;
  });
}
