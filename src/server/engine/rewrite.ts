/** Replaces RANDOM(), RANDOMBLOB() and the time in a statement by literals, as rqlite does before a write goes into its log; not in ORDER BY, and not in DDL. */
import { randomBytes } from 'node:crypto';
import { readTokens, type Token } from '../../sql/tokens.ts';
import type { BodyStatement } from './body.ts';
import type { DataOptions } from './contract.ts';

export type RewriteOptions = Pick<DataOptions, 'parses' | 'rewritesRandom' | 'rewritesTime'>;

/** Texts in which there may be something to replace; all others cost no more than this. */
const hintPattern = /\brandom(?:blob)?\s*\(|'now'/i;
const statementPattern = /^\s*(?:(?:--[^\n]*\n|\/\*[\s\S]*?\*\/)\s*)*(?:insert|update|delete|replace|select|with|values)\b/i;

/** Where `'now'` stands among the arguments of a function of time. */
const nowPlaces: ReadonlyMap<string, readonly number[]> = new Map([
  ['date', [0]],
  ['time', [0]],
  ['datetime', [0]],
  ['julianday', [0]],
  ['unixepoch', [0]],
  ['strftime', [1]],
  ['timediff', [0, 1]],
]);

/** A blob larger than this stays a call: its literal would be twice as long. */
const maxBlobBytes = 64 * 1024;

/** Days from the beginning of the Julian calendar to 1970, and the length of one. */
const julianEpoch = 2_440_587.5;
const dayMs = 86_400_000;

/** A literal for a stretch of the text. */
interface Replacement {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** A bracket that is open: the function it belongs to, and whether it is behind ORDER BY. */
interface Bracket {
  readonly name: string;
  argument: number;
  isOrder: boolean;
}

function printRandom(): string {
  return String(randomBytes(8).readBigInt64LE());
}

/** A call of RANDOM() or RANDOMBLOB(n) whose name is at `index`. */
function replaceRandom(tokens: readonly Token[], index: number): Replacement | undefined {
  const [name, open, first, second] = tokens.slice(index, index + 4);
  if (name === undefined || open?.text !== '(' || first === undefined) return undefined;
  const word = name.text.toLowerCase();
  if (word === 'random' && first.text === ')') return { start: name.start, end: first.end, text: printRandom() };
  if (word !== 'randomblob' || first.kind !== 'number' || second?.text !== ')') return undefined;
  const length = Number(first.text);
  if (!Number.isInteger(length) || length > maxBlobBytes) return undefined;
  return { start: name.start, end: second.end, text: `x'${randomBytes(Math.max(1, length)).toString('hex')}'` };
}

function isNow(token: Token, bracket: Bracket | undefined): boolean {
  return (
    token.kind === 'string' &&
    token.text.toLowerCase() === "'now'" &&
    bracket !== undefined &&
    (nowPlaces.get(bracket.name)?.includes(bracket.argument) ?? false)
  );
}

const orderEnds: ReadonlySet<string> = new Set(['limit', 'returning', 'union', 'except', 'intersect', 'rows', 'range']);

/** Follows brackets, arguments and ORDER BY. */
function follow(tokens: readonly Token[], index: number, brackets: Bracket[]): void {
  const token = tokens[index];
  const inner = brackets.at(-1);
  if (token === undefined || inner === undefined) return;
  const word = token.text.toLowerCase();
  if (word === '(') {
    const before = tokens[index - 1];
    brackets.push({ name: before?.kind === 'word' ? before.text.toLowerCase() : '', argument: 0, isOrder: inner.isOrder });
  } else if (word === ')') {
    if (brackets.length > 1) brackets.pop();
  } else if (word === ',') inner.argument++;
  else if (token.kind === 'word' && word === 'by' && tokens[index - 1]?.text.toLowerCase() === 'order') inner.isOrder = true;
  else if (word === ';' || (token.kind === 'word' && orderEnds.has(word) && brackets.length === 1)) inner.isOrder = false;
}

function findReplacements(sql: string, options: RewriteOptions): readonly Replacement[] {
  const tokens = readTokens(sql, 'sqlite');
  const brackets: Bracket[] = [{ name: '', argument: 0, isOrder: false }];
  const now = String(julianEpoch + Date.now() / dayMs);
  const found: Replacement[] = [];
  for (const [index, token] of tokens.entries()) {
    follow(tokens, index, brackets);
    const bracket = brackets.at(-1);
    if (options.rewritesTime && isNow(token, bracket)) found.push({ start: token.start, end: token.end, text: now });
    const random = options.rewritesRandom && token.kind === 'word' && bracket?.isOrder !== true ? replaceRandom(tokens, index) : undefined;
    if (random !== undefined) found.push(random);
  }
  return found;
}

/** The text with literals in the place of what would differ each time; the same text where there is nothing of the kind. */
export function rewriteText(sql: string, options: RewriteOptions): string {
  if (!options.parses || !hintPattern.test(sql) || !statementPattern.test(sql)) return sql;
  let text = '';
  let end = 0;
  for (const replacement of findReplacements(sql, options)) {
    text += sql.slice(end, replacement.start) + replacement.text;
    end = replacement.end;
  }
  return text + sql.slice(end);
}

/** The statement as it is to be run. */
export function rewriteStatement(statement: BodyStatement, options: RewriteOptions): BodyStatement {
  const sql = rewriteText(statement.sql, options);
  return sql === statement.sql ? statement : { ...statement, sql, isRewritten: true };
}
