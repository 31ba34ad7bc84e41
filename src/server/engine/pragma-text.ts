/** Finds PRAGMAs that the server keeps to itself in the text of a request, before any of its statements is run: rqlite refuses the whole request for one of them. */
import { splitStatements } from '../../sql/split.ts';
import { readTokens } from '../../sql/tokens.ts';

/** Setting them is refused; asking for them is not. */
const keptNames: ReadonlySet<string> = new Set(['journal_mode', 'wal_autocheckpoint', 'synchronous', 'query_only']);

const pragmaPattern = /pragma/i;
const keptPattern = /journal_mode|wal_|synchronous|query_only/i;

function unquote(text: string): string {
  return /^["'`[]/.test(text) ? text.slice(1, -1) : text;
}

/** Whether one statement is such a PRAGMA: `PRAGMA [schema.]name = value`, `name(value)`, or any `wal_checkpoint`. */
function isDisallowed(sql: string): boolean {
  const tokens = readTokens(sql, 'sqlite');
  if (tokens[0]?.text.toLowerCase() !== 'pragma') return false;
  const at = tokens[2]?.text === '.' ? 3 : 1;
  const name = unquote(tokens[at]?.text ?? '').toLowerCase();
  if (name === 'wal_checkpoint') return true;
  const next = tokens[at + 1]?.text;
  return keptNames.has(name) && (next === '=' || next === '(');
}

/** Whether a text has a statement for which the request is refused. */
export function hasDisallowedPragma(sql: string): boolean {
  if (!pragmaPattern.test(sql) || !keptPattern.test(sql)) return false;
  return splitStatements(sql, 'sqlite').some((part) => isDisallowed(part.sql));
}
