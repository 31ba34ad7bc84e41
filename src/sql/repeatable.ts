/** Tells whether a part of a statement may be evaluated once more: it changes nothing, and gives what it gave before. What is not known to be so, is not. */
import type { Dialect } from './dialect.ts';
import { readTokens, type Token } from './tokens.ts';

/** Functions of SQLite that give another value each time, or have changed by then. Its others have no effects. */
const unsteadySqlite = new Set('RANDOM RANDOMBLOB CHANGES TOTAL_CHANGES LOAD_EXTENSION FTS3_TOKENIZER WRITEFILE EDIT'.split(' '));

/** PostgreSQL's functions may do anything (nextval draws a number): only these are known to be repeatable. */
const steadyPostgres = new Set(
  (
    'ABS ARRAY_AGG ARRAY_LENGTH BOOL_AND BOOL_OR BTRIM CEIL CEILING CHAR_LENGTH COALESCE CONCAT CONCAT_WS CONVERT_FROM CONVERT_TO COUNT DATE DATE_PART DATE_TRUNC DECODE ' +
    'ENCODE EXTRACT FLOOR GENERATE_SERIES GREATEST JSONB_ARRAY_ELEMENTS JSONB_ARRAY_ELEMENTS_TEXT JSONB_TO_RECORDSET JSON_TO_RECORDSET LEAST LEFT LENGTH LOWER LPAD LTRIM ' +
    'MAKE_DATE MAKE_TIMESTAMP MAX MD5 MIN MOD NOW NULLIF OVERLAY POSITION POWER REGEXP_REPLACE REPLACE REVERSE RIGHT ROUND ROW_NUMBER RPAD RTRIM SHA224 SHA256 SHA384 SHA512 ' +
    'SIGN SPLIT_PART STRING_AGG SUBSTR SUBSTRING SUM TO_CHAR TO_DATE TO_NUMBER TO_TIMESTAMP TRANSLATE TRIM TRUNC UNNEST UPPER'
  ).split(' '),
);

/** Words of the grammar, and names of types, that a parenthesis may follow. */
const wordsBeforeParentheses = new Set(
  (
    'ALL AND ANY ARRAY AS BETWEEN BIT BY CASE CAST CHAR CHARACTER CHECK CROSS DATE DEC DECIMAL DISTINCT ELSE EXCEPT EXISTS FILTER FLOAT FROM GROUP HAVING ILIKE IN INTERSECT ' +
    'INTERVAL IS JOIN LATERAL LIKE LIMIT MATERIALIZED NOT NUMERIC OFFSET ON OR OVER RECURSIVE ROW SELECT SOME THEN TIME TIMESTAMP TIMESTAMPTZ UNION USING VALUES VARBIT VARCHAR ' +
    'VARYING WHEN WHERE WITH WITHIN'
  ).split(' '),
);

const changingWords = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE', 'INTO', 'LOCKED', 'NOWAIT', 'SHARE']);

/** Whether an expression or query may be evaluated again. */
export function isRepeatable(sql: string, dialect: Dialect): boolean {
  const tokens = readTokens(sql, dialect);
  return tokens.every((token, at) => {
    const hasParenthesis = tokens[at + 1]?.text === '(';
    if (dialect === 'sqlite') return !hasParenthesis || !unsteadySqlite.has(nameOf(token));
    return isSteady(token, hasParenthesis) || isClauseName(tokens, at);
  });
}

function nameOf({ kind, text }: Token): string {
  return (kind === 'quoted' ? text.slice(1, -1) : text).toUpperCase();
}

function isSteady(token: Token, hasParenthesis: boolean): boolean {
  // A function whose name is quoted is none of those that are known by their plain names.
  if (token.kind === 'quoted') return !hasParenthesis;
  if (token.kind !== 'word') return true;
  const word = token.text.toUpperCase();
  if (changingWords.has(word)) return false;
  return !hasParenthesis || wordsBeforeParentheses.has(word) || steadyPostgres.has(word);
}

/** `name (columns)` behind WITH, AS and a query in parentheses is no function. */
function isClauseName(tokens: readonly Token[], at: number): boolean {
  return ['WITH', 'RECURSIVE', 'AS', ')'].includes(tokens[at - 1]?.text.toUpperCase() ?? '');
}
