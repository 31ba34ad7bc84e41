/** Tells which semicolon ends a statement: the first, unless the statement has a body of its own (a trigger, a routine in SQL) or a list in parentheses that takes any sign (a rule, a virtual table). */
import type { Dialect } from './dialect.ts';
import { kinds, type Cursor } from './lexer.ts';

/** How far a statement has been read: where a semicolon ends it. */
const stages = {
  /** Nothing but EXPLAIN or CREATE with its side words so far. */
  head: 0,
  /** The next semicolon ends it. */
  plain: 1,
  /** CREATE TRIGGER (SQLite), before its BEGIN. */
  trigger: 2,
  /** CREATE FUNCTION or PROCEDURE (PostgreSQL), before BEGIN ATOMIC. */
  routine: 3,
  /** Between BEGIN and its END, which stands behind a semicolon: no statement begins with END. */
  body: 4,
  /** CREATE RULE (PostgreSQL), whose actions in parentheses have semicolons between them; CREATE VIRTUAL TABLE (SQLite), whose module takes any text. */
  parentheses: 5,
} as const;

/** What the end of a statement depends on; changed in place. */
export interface EndWatch {
  stage: number;
  readonly isSqlite: boolean;
  /** Whether the token before was the opening of the body or a semicolon. */
  isFresh: boolean;
  /** Whether the word before was BEGIN. */
  afterBegin: boolean;
  /** Bodies or parentheses inside each other. */
  depth: number;
}

export function createEndWatch(dialect: Dialect): EndWatch {
  return { stage: stages.head, isSqlite: dialect === 'sqlite', isFresh: false, afterBegin: false, depth: 0 };
}

/** To be called behind the end of a statement. */
export function resetEndWatch(watch: EndWatch): void {
  watch.stage = stages.head;
  watch.depth = 0;
  watch.afterBegin = false;
}

/** Takes in the token at the cursor, no comment; says whether it is the semicolon that ends the statement. */
export function endsStatement(watch: EndWatch, cursor: Cursor): boolean {
  if (watch.stage === stages.plain) return cursor.kind === kinds.semicolon;
  if (cursor.kind === kinds.semicolon) return !isInside(watch);
  switch (watch.stage) {
    case stages.head:
      watch.stage = cursor.kind === kinds.word ? readHead(cursor, watch.isSqlite) : stages.plain;
      break;
    case stages.trigger:
      if (isWord(cursor, 'BEGIN')) openBody(watch);
      break;
    case stages.parentheses:
      countParentheses(watch, cursor);
      break;
    default:
      readBody(watch, cursor);
  }
  return false;
}

/** At a semicolon: whether it parts what is inside the statement. */
function isInside(watch: EndWatch): boolean {
  if (watch.stage === stages.parentheses) return watch.depth > 0;
  watch.isFresh = true;
  return watch.stage === stages.body;
}

/** CREATE and the words beside it keep the stage; what may have a body sets it; any other word makes the statement plain. */
function readHead(cursor: Cursor, isSqlite: boolean): number {
  const length = cursor.end - cursor.start;
  // The longest of the words is TEMPORARY and PROCEDURE, the shortest OR.
  if (length < 2 || length > 9) return stages.plain;
  switch (cursor.text.slice(cursor.start, cursor.end).toUpperCase()) {
    case 'CREATE':
      return stages.head;
    case 'EXPLAIN':
    case 'QUERY':
    case 'PLAN':
    case 'TEMP':
    case 'TEMPORARY':
      return isSqlite ? stages.head : stages.plain;
    case 'TRIGGER':
      return isSqlite ? stages.trigger : stages.plain;
    case 'VIRTUAL':
      return isSqlite ? stages.parentheses : stages.plain;
    case 'OR':
    case 'REPLACE':
      return isSqlite ? stages.plain : stages.head;
    case 'FUNCTION':
    case 'PROCEDURE':
      return isSqlite ? stages.plain : stages.routine;
    case 'RULE':
      return isSqlite ? stages.plain : stages.parentheses;
    default:
      return stages.plain;
  }
}

function countParentheses(watch: EndWatch, cursor: Cursor): void {
  if (cursor.kind !== kinds.operator) return;
  const code = cursor.text.charCodeAt(cursor.start);
  if (code === 40) watch.depth++;
  else if (code === 41 && watch.depth > 0) watch.depth--;
}

function openBody(watch: EndWatch): void {
  watch.stage = stages.body;
  watch.depth++;
  watch.isFresh = true;
}

/** Before the body of a routine and inside any body: BEGIN ATOMIC opens one (BEGIN alone may be a name), END behind a semicolon closes it. */
function readBody(watch: EndWatch, cursor: Cursor): void {
  const { isFresh, afterBegin } = watch;
  watch.isFresh = false;
  watch.afterBegin = false;
  if (cursor.kind !== kinds.word) return;
  if (isFresh && watch.stage === stages.body && isWord(cursor, 'END')) {
    watch.depth--;
    if (watch.depth === 0) watch.stage = stages.plain;
  } else if (afterBegin && isWord(cursor, 'ATOMIC')) {
    openBody(watch);
  } else {
    watch.afterBegin = !watch.isSqlite && isWord(cursor, 'BEGIN');
  }
}

/** Compares without regard to case and without a copy where the lengths differ. */
function isWord(cursor: Cursor, word: string): boolean {
  return (
    cursor.kind === kinds.word &&
    cursor.end - cursor.start === word.length &&
    cursor.text.slice(cursor.start, cursor.end).toUpperCase() === word
  );
}
