/** A statement in the form that rqlite's own parser prints: keywords in capitals, names quoted, one blank between parts. It is shown, and names columns; it is never run. */
import { readTokens, type Token } from '../../sql/tokens.ts';

/** Words that are printed in capitals, not quoted as names. */
const keywords: ReadonlySet<string> = new Set(
  `ABORT ACTION ADD AFTER ALL ALTER ALWAYS ANALYZE AND AS ASC AUTOINCREMENT BEFORE BEGIN BETWEEN BY CASCADE CASE CAST CHECK COLLATE COLUMN COMMIT CONFLICT CONSTRAINT
CREATE CROSS CURRENT CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP DEFAULT DEFERRABLE DEFERRED DELETE DESC DETACH DISTINCT DO DROP EACH ELSE END ESCAPE EXCEPT EXCLUDE
EXCLUSIVE EXISTS EXPLAIN FAIL FALSE FILTER FIRST FOLLOWING FOR FOREIGN FROM FULL GENERATED GLOB GROUP GROUPS HAVING IF IGNORE IMMEDIATE IN INDEX INDEXED INITIALLY INNER
INSERT INSTEAD INTERSECT INTO IS ISNULL JOIN KEY LAST LEFT LIKE LIMIT MATCH MATERIALIZED NATURAL NO NOT NOTHING NOTNULL NULL NULLS OF OFFSET ON OR ORDER OTHERS OUTER OVER
PARTITION PLAN PRAGMA PRECEDING PRIMARY QUERY RAISE RANGE RECURSIVE REFERENCES REGEXP REINDEX RELEASE RENAME REPLACE RESTRICT RETURNING RIGHT ROLLBACK ROW ROWS SAVEPOINT
SELECT SET STORED STRICT TABLE TEMP TEMPORARY THEN TIES TO TRANSACTION TRIGGER TRUE UNBOUNDED UNION UNIQUE UPDATE USING VACUUM VALUES VIEW VIRTUAL WHEN WHERE WINDOW WITH
WITHOUT`.split(/\s+/),
);

/** What a statement may begin with, for rqlite's parser. */
const beginnings: ReadonlySet<string> = new Set(
  'ALTER ANALYZE BEGIN COMMIT CREATE DELETE DROP END EXPLAIN INSERT PRAGMA REINDEX RELEASE REPLACE ROLLBACK SAVEPOINT SELECT UPDATE VACUUM VALUES WITH'.split(
    ' ',
  ),
);

/** Behind these a name with a bracket is a table with its columns, not a function. */
const tableLeads: ReadonlySet<string> = new Set(['INTO', 'TABLE', 'REFERENCES', 'EXISTS', 'ON', 'WITH', 'RECURSIVE', 'AS']);

/** Where the words of a column's type end, in CREATE TABLE. */
function isColumnStart(before: Token | undefined): boolean {
  return before?.text === '(' || before?.text === ',';
}

interface Printing {
  readonly tokens: readonly Token[];
  /** CREATE TABLE: the words behind a column's name are its type. */
  readonly hasTypes: boolean;
}

function isKeyword(token: Token | undefined): boolean {
  return token?.kind === 'word' && keywords.has(token.text.toUpperCase());
}

/** A type has few words; further back nothing is looked at. */
const maxTypeWords = 8;

function isTypeWord({ tokens, hasTypes }: Printing, index: number): boolean {
  for (let place = index; hasTypes && place > index - maxTypeWords; place--) {
    const before = tokens[place - 1];
    if (before === undefined || isKeyword(before) || (before.kind !== 'word' && before.kind !== 'quoted')) return false;
    if (isColumnStart(tokens[place - 2])) return true;
  }
  return false;
}

function isTable({ tokens }: Printing, index: number): boolean {
  const lead = tokens[index - 1]?.text === '.' ? tokens[index - 3] : tokens[index - 1];
  return isKeyword(lead) && tableLeads.has(lead?.text.toUpperCase() ?? '');
}

function isFunction(printing: Printing, index: number): boolean {
  const token = printing.tokens[index];
  return token?.kind === 'word' && !isKeyword(token) && printing.tokens[index + 1]?.text === '(' && !isTable(printing, index);
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function printToken(printing: Printing, index: number): string {
  const token = printing.tokens[index];
  if (token === undefined) return '';
  if (token.kind === 'quoted') return quote(token.text.slice(1, -1).replaceAll('""', '"'));
  if (token.kind !== 'word') return token.text;
  const before = printing.tokens[index - 1]?.text;
  if (isKeyword(token) && before !== '.') {
    // REPLACE and the like are functions too.
    const isCall =
      printing.tokens[index + 1]?.text === '(' && ['REPLACE', 'GLOB', 'LIKE'].includes(token.text.toUpperCase()) && before !== 'OR';
    return isCall ? token.text : token.text.toUpperCase();
  }
  return isFunction(printing, index) || isTypeWord(printing, index) ? token.text : quote(token.text);
}

/** Whether a minus or plus belongs to the number behind it. */
function isSign(tokens: readonly Token[], index: number): boolean {
  const token = tokens[index];
  if (token?.text !== '-' && token?.text !== '+') return false;
  const before = tokens[index - 1];
  return (
    before === undefined ||
    before.text === '(' ||
    before.text === ',' ||
    (before.kind === 'operator' && before.text !== ')') ||
    isKeyword(before)
  );
}

function needsBlank(printing: Printing, index: number): boolean {
  const { tokens } = printing;
  const token = tokens[index];
  const before = tokens[index - 1];
  if (token === undefined || before === undefined) return false;
  if (before.text === '(' || before.text === '.' || [')', ',', '.', ';'].includes(token.text)) return false;
  if (token.text === '(') return !isFunction(printing, index - 1) && !isTypeWord(printing, index - 1);
  return !isSign(tokens, index - 1);
}

/** The statement as rqlite prints it, or the error of its parser. */
export function printStatement(sql: string): { readonly text: string } | { readonly error: string } {
  const tokens = readTokens(sql, 'sqlite');
  const [first] = tokens;
  if (first === undefined) return { text: sql };
  if (!(first.kind === 'word' && beginnings.has(first.text.toUpperCase()))) {
    const lines = sql.slice(0, first.start).split('\n');
    return { error: `${String(lines.length)}:${String((lines.at(-1)?.length ?? 0) + 1)}: expected statement, found ${first.text}` };
  }
  const last = tokens.at(-1)?.text === ';' ? tokens.length - 1 : tokens.length;
  const hasTypes = first.text.toUpperCase() === 'CREATE' && tokens.slice(1, 3).some(({ text }) => text.toUpperCase() === 'TABLE');
  const printing: Printing = { tokens: tokens.slice(0, last), hasTypes };
  let text = '';
  for (let index = 0; index < last; index++) text += (needsBlank(printing, index) ? ' ' : '') + printToken(printing, index);
  return { text };
}
