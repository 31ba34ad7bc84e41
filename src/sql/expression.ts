/** Checks that a text can stand between parentheses as one SQL expression and can't leave them. What it means is the database's to say. */
import type { Dialect } from './dialect.ts';
import { readTokens, type Token } from './tokens.ts';

/** What is wrong with the text, as a clause; undefined when it may be used. */
export function findExpressionFault(text: string, dialect: Dialect): string | undefined {
  if (text.includes('\0')) return 'it holds a NUL character';
  const tokens = readTokens(text, dialect);
  if (tokens.length === 0) return 'it is empty';
  return findTokenFault(tokens) ?? findOpenEnd(text, tokens, dialect);
}

function findTokenFault(tokens: readonly Token[]): string | undefined {
  let depth = 0;
  for (const { kind, text } of tokens) {
    if (kind === 'parameter' || text.startsWith('?')) return 'it holds a parameter; write the value itself';
    if (kind !== 'operator') continue;
    if (text === ';') return 'it holds a semicolon';
    for (const sign of text) depth += sign === '(' ? 1 : sign === ')' ? -1 : 0;
    if (depth < 0) return 'it has a closing parenthesis without an opening one';
  }
  return depth > 0 ? 'a parenthesis is not closed' : undefined;
}

/** A quote or comment that is open would swallow what stands behind: then a word behind a line break is no token of its own. */
function findOpenEnd(text: string, tokens: readonly Token[], dialect: Dialect): string | undefined {
  const isClosed = readTokens(`${text}\nsluice`, dialect).length === tokens.length + 1;
  return isClosed ? undefined : 'a quote or a comment is not closed';
}
