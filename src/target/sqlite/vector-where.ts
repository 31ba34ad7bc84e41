/** Checks a user's filter expression: one expression, without parameters, that can only read. What passes stands between parentheses that it can't leave. */
import { constants, type DatabaseSync } from 'node:sqlite';
import { SluiceError } from '../../errors.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { isBusy } from './errors.ts';

/** Each way a piece of text can be closed off from the rest. @see https://sqlite.org/lang_keywords.html and https://sqlite.org/lang_comment.html */
const token =
  /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/|[\p{L}_\u0080-\uffff][\p{L}\p{N}_$\u0080-\uffff]*|\d[\p{L}\p{N}_.]*|[\s\S]/uy;

function refuse(message: string, cause?: unknown): never {
  throw new SluiceError('SLUICE_WHERE_INVALID', `The filter can't be used: ${message}.`, {
    ...(cause === undefined ? {} : { cause }),
    hint: "Give one SQL expression over the table's columns, for example: pos = 'n' AND length(text) > 20.",
  });
}

/** Refuses text that could end our parentheses, begin a second statement or take one of our parameters. */
function checkTokens(expression: string): void {
  let depth = 0;
  token.lastIndex = 0;
  for (let match = token.exec(expression); match !== null && match[0] !== ''; match = token.exec(expression)) {
    const text = match[0];
    if (text.length > 1) continue;
    if (text === '(') depth++;
    if (text === ')') depth--;
    if (depth < 0) refuse('it has a closing parenthesis without an opening one');
    if (text === ';') refuse('it holds a semicolon');
    if ('\'"`['.includes(text)) refuse('a quote is not closed');
    if ('?:@$#'.includes(text)) refuse('it holds a parameter; write the value itself');
    if (text === '\0') refuse('it holds a NUL character');
  }
  if (depth > 0) refuse('a parenthesis is not closed');
  if (/\/\*(?![\s\S]*\*\/)/u.test(stripQuoted(expression))) refuse('a comment is not closed');
}

function stripQuoted(expression: string): string {
  return expression.replaceAll(/'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]/gu, ' ');
}

/** Reading and pure functions; no recursion either, because a filter that never ends can't be stopped. */
function authorize(action: number, _first: string | null, second: string | null): number {
  if (action === constants.SQLITE_FUNCTION) return second === 'load_extension' ? constants.SQLITE_DENY : constants.SQLITE_OK;
  const isRead = action === constants.SQLITE_SELECT || action === constants.SQLITE_READ;
  return isRead ? constants.SQLITE_OK : constants.SQLITE_DENY;
}

/**
 * Runs `work` on a connection that can only read tables meanwhile; for statements that hold a user's expression.
 * @throws SLUICE_WHERE_INVALID for what SQLite says against the statement; locks come out as they are
 */
export function runRestricted<Result>(db: DatabaseSync, work: () => Result): Result {
  db.setAuthorizer(authorize);
  try {
    return work();
  } catch (error) {
    if (error instanceof SluiceError || isBusy(error)) throw error;
    return refuse(error instanceof Error ? error.message : String(error), error);
  } finally {
    db.setAuthorizer(null);
  }
}

/**
 * Checks a filter against its table.
 * @throws SLUICE_WHERE_INVALID with SQLite's message
 */
export function checkWhere(db: DatabaseSync, table: string, expression: string): void {
  if (expression.trim() === '') refuse('it is empty');
  checkTokens(expression);
  const from = `FROM ${quoteIdentifier(table)}`;
  runRestricted(db, () => {
    db.prepare(`SELECT 1 ${from} WHERE ${wrapWhere(expression)}`);
    // Between parentheses a bare SELECT would pass as a subquery, and between CASE and THEN it doesn't.
    db.prepare(`SELECT CASE WHEN ${expression}\n THEN 1 END ${from}`);
  });
}

/** The expression in parentheses; the line break ends a comment that it may end with. */
export function wrapWhere(expression: string): string {
  return `(${expression}\n)`;
}
