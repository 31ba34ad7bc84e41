/** Turns `?`, `?N`, `:name`, `@name` and `$name` into PostgreSQL's `$N`, and leaves PostgreSQL's own `?`, `:` and `@` alone. */
import { readTokens, type Token } from './tokens.ts';

/** A statement as PostgreSQL takes it. */
export interface DollarStatement {
  readonly sql: string;
  /** By number less 1 of the new parameters: the place (from 0) or the name of the value that goes there. */
  readonly sources: readonly (number | string)[];
  /** Values by place that the text wants: its highest number. */
  readonly count: number;
}

/** Words that a value may follow. Behind any other word, a `?` is an operator (`data ? 'key'`). */
const wordsBeforeValues: ReadonlySet<string> = new Set(
  (
    'ALL AND ANY BETWEEN BOTH BY CASE DEFAULT DISTINCT ELSE ESCAPE FETCH FIRST FOR FROM HAVING ILIKE IN IS LEADING LIKE LIMIT NEXT NOT OFFSET ON OR ' +
    'PLACING RETURN RETURNING SELECT SET SOME SYMMETRIC THEN TO TRAILING USING VALUES VARIADIC WHEN WHERE ZONE'
  ).split(' '),
);

interface Writing {
  readonly sql: string;
  readonly pieces: string[];
  /** How far the text has been copied. */
  copied: number;
  readonly sources: (number | string)[];
  /** The new number of each source. */
  readonly numbers: Map<number | string, number>;
  count: number;
}

/** With how the values are given: their number, or their names. Without values, and where the text has `$N` already, it stays as it is. */
export function toDollarNumbers(sql: string, given: number | readonly string[]): DollarStatement {
  const tokens = readTokens(sql, 'postgres');
  const native = highestNative(tokens);
  if (native > 0 || given === 0 || (typeof given !== 'number' && given.length === 0)) {
    return { sql, sources: Array.from({ length: native }, (_, index) => index), count: native };
  }
  const writing: Writing = { sql, pieces: [], copied: 0, sources: [], numbers: new Map(), count: 0 };
  if (typeof given !== 'number') {
    const names = new Set(given);
    writeNames(writing, tokens, (name) => names.has(name));
  } else {
    writeQuestions(writing, tokens);
  }
  // Values by place for parameters by name, as SQLite takes them.
  if (typeof given === 'number' && writing.sources.length === 0) {
    writeNames(writing, tokens, () => true);
    writing.count = writing.sources.length;
    writing.sources.splice(0, writing.count, ...writing.sources.keys());
  }
  writing.pieces.push(sql.slice(writing.copied));
  return { sql: writing.pieces.join(''), sources: writing.sources, count: writing.count };
}

function highestNative(tokens: readonly Token[]): number {
  let highest = 0;
  for (const token of tokens) {
    const index = token.kind === 'parameter' ? Number(token.text.slice(1)) : 0;
    // More than 65,535 the protocol can't carry: the server says so.
    if (index > highest && index <= 65_535) highest = index;
  }
  return highest;
}

/** Puts a parameter for `source` in the place of a stretch of the text. */
function put(writing: Writing, source: number | string, place: { readonly start: number; readonly end: number }): void {
  const number = writing.numbers.get(source) ?? writing.sources.push(source);
  writing.numbers.set(source, number);
  writing.pieces.push(writing.sql.slice(writing.copied, place.start), `$${number}`);
  writing.copied = place.end;
}

/** `:name`, `@name`, `$name`: a sign with a word right behind it. */
function writeNames(writing: Writing, tokens: readonly Token[], isName: (name: string) => boolean): void {
  for (const [at, token] of tokens.entries()) {
    const sign = tokens[at - 1];
    if (token.kind !== 'word' || sign?.kind !== 'operator' || sign.end !== token.start || !isName(token.text)) continue;
    if (!/^[:$]$|@$/.test(sign.text)) continue;
    put(writing, token.text, { start: token.start - 1, end: token.end });
  }
}

function writeQuestions(writing: Writing, tokens: readonly Token[]): void {
  for (const [at, token] of tokens.entries()) {
    if (token.kind === 'operator' && token.text.includes('?')) writeRun(writing, tokens, at);
  }
}

/** A run of operator characters with question marks among them: PostgreSQL takes `=?` for one operator. */
function writeRun(writing: Writing, tokens: readonly Token[], at: number): void {
  const token = tokens[at] as Token;
  const { text, start } = token;
  let followsValue = endsValue(tokens[at - 1]);
  let from = 0;
  for (let mark = text.indexOf('?'); mark >= 0; mark = text.indexOf('?', from)) {
    const head = text.slice(from, mark);
    if (text[mark + 1] === '?') {
      // ?? stands for the operator's own question mark, as pgJDBC has it.
      writing.pieces.push(writing.sql.slice(writing.copied, start + mark));
      writing.copied = start + mark + 1;
      return;
    }
    if (followsValue && (head === '' || head === '@')) return;
    const number = mark + 1 === text.length ? numberBehind(tokens[at + 1], token.end) : '';
    writing.count = number === '' ? writing.count + 1 : Math.max(writing.count, Number(number));
    const source = number === '' ? writing.count - 1 : Number(number) - 1;
    put(writing, source, { start: start + mark, end: start + mark + 1 + number.length });
    from = mark + 1;
    followsValue = true;
  }
}

/** The digits of `?12`. */
function numberBehind(token: Token | undefined, place: number): string {
  return token?.kind === 'number' && token.start === place && /^[1-9]\d{0,4}$/.test(token.text) ? token.text : '';
}

/** Whether an operator may follow a token. */
function endsValue(token: Token | undefined): boolean {
  if (token === undefined) return false;
  if (token.kind === 'word') return !wordsBeforeValues.has(token.text.toUpperCase());
  return token.kind !== 'operator' || token.text === ')' || token.text === ']';
}
