/** Cuts a file of any size into its statements piece by piece: each character is looked at once, and no more than one statement and one piece is held. */
import { SluiceError } from '../errors.ts';
import type { Dialect } from './dialect.ts';
import { createCursor, kinds, openings, type Cursor, type Lexer } from './lexer.ts';
import { createEndWatch, endsStatement, resetEndWatch, type EndWatch } from './statement-end.ts';
import { lexerOf } from './tokens.ts';

export interface SplitterOptions {
  /** Of one statement, in UTF-8; a larger one is refused with SLUICE_USAGE. */
  readonly maxStatementBytes: number;
}

/** A statement of a file. Those of only blanks and comments are left out. */
export interface StreamedStatement {
  /** From its first word up to its semicolon: what stands before it is left out, but for a comment of hints (`/*+ … *\/`). */
  readonly sql: string;
  /** Where `sql` begins, in bytes of UTF-8 from the start of the file. */
  readonly offset: number;
  /** Where `sql` begins, from 1. */
  readonly line: number;
}

/** Text goes in, statements come out as soon as their semicolon is there. After `end` or an error it is used up. */
export interface Splitter {
  readonly push: (text: string) => readonly StreamedStatement[];
  /** The statement without a semicolon at the end of the file, if there is one. */
  readonly end: () => readonly StreamedStatement[];
}

/**
 * Tokens that lie at the end of a piece are read again with the next one. Beyond this length, which no name or number of a real file has, only once the
 * text has doubled, so that even a file without any blank is read in linear time.
 */
const promptLength = 65_536;

interface SplitState {
  readonly lexer: Lexer;
  readonly watch: EndWatch;
  readonly maxStatementBytes: number;
  readonly cursor: Cursor;
  /** Text that was pushed and not yet looked at. */
  waiting: string;
  /** `waiting` is looked at when it has this length. */
  neededLength: number;
  /** The first word of a statement has been seen; where it stands in the file. */
  isStarted: boolean;
  offset: number;
  line: number;
  /** What has been read of the statement in the pieces before this one. */
  pieces: string[];
  pieceBytes: number;
  /** Where it goes on in this piece. */
  from: number;
  /** Bytes and lines of the file before `counted`, a place in this piece. */
  bytes: number;
  lines: number;
  counted: number;
  nextNewline: number;
  /** Every character of this piece is one byte. */
  isAscii: boolean;
}

/** @throws SLUICE_USAGE from `push` and `end`, for a statement beyond `maxStatementBytes` */
export function createSplitter(dialect: Dialect, options: SplitterOptions): Splitter {
  const state: SplitState = {
    lexer: lexerOf(dialect),
    watch: createEndWatch(dialect),
    maxStatementBytes: options.maxStatementBytes,
    cursor: createCursor('', false),
    waiting: '',
    neededLength: 0,
    isStarted: false,
    offset: 0,
    line: 1,
    pieces: [],
    pieceBytes: 0,
    from: 0,
    bytes: 0,
    lines: 1,
    counted: 0,
    nextNewline: -1,
    isAscii: true,
  };
  return {
    push: (text) => {
      state.waiting += text;
      return state.waiting.length < state.neededLength ? [] : readPiece(state, false);
    },
    end: () => readPiece(state, true),
  };
}

/** Reads the waiting text as far as it can be understood without what follows it. */
function readPiece(state: SplitState, isLast: boolean): readonly StreamedStatement[] {
  const { cursor, lexer, watch } = state;
  startPiece(state, isLast);
  const found: StreamedStatement[] = [];
  if (cursor.open !== openings.none) lexer.close(cursor);
  while (cursor.open === openings.none || isLast) {
    const before = cursor.end;
    lexer.advance(cursor);
    if (cursor.kind === kinds.end) {
      if (!isLast) cursor.end = keepBlank(cursor.text, before);
      break;
    }
    if (isCut(cursor)) {
      cursor.end = before;
      cursor.open = openings.none;
      break;
    }
    if (cursor.kind === kinds.comment && !isHint(cursor)) continue;
    if (cursor.kind !== kinds.comment && endsStatement(watch, cursor)) finishStatement(state, found);
    else if (!state.isStarted) markStart(state);
  }
  if (isLast) {
    cursor.start = cursor.text.length;
    finishStatement(state, found);
  }
  finishPiece(state);
  return found;
}

/** Whether a token that has no end of its own lies at the end of a piece that is not the last: it may go on. */
function isCut(cursor: Cursor): boolean {
  if (cursor.isLast || cursor.end < cursor.text.length) return false;
  switch (cursor.kind) {
    case kinds.word:
    case kinds.number:
    case kinds.parameter:
    case kinds.operator:
      return true;
    // Of a comment the third character is needed, to tell a hint.
    case kinds.comment:
      return cursor.text.length - cursor.start < 3;
    default:
      return false;
  }
}

/** Comments that begin with a plus tell the planner of PostgreSQL's relatives something, and stand in front of a statement. */
function isHint(cursor: Cursor): boolean {
  return cursor.text.startsWith('/*+', cursor.start);
}

/** Where the blanks at the end of a piece are read again from: whether a vertical tab is one depends on what stands before it. */
function keepBlank(text: string, from: number): number {
  let place = text.length - 1;
  while (place > from && text.charCodeAt(place) === 11) place--;
  return Math.max(place, from);
}

function startPiece(state: SplitState, isLast: boolean): void {
  const text = state.waiting;
  state.cursor.text = text;
  // A byte order mark in front of the file says how it is written, and is no part of the first statement.
  state.cursor.end = state.bytes === 0 && text.startsWith('\ufeff') ? 1 : 0;
  state.cursor.isLast = isLast;
  state.from = 0;
  state.counted = 0;
  state.nextNewline = text.indexOf('\n');
  state.isAscii = Buffer.byteLength(text) === text.length;
}

/** Counts bytes and lines up to a place of this piece. */
function countTo(state: SplitState, place: number): void {
  state.bytes += countBytes(state, state.counted, place);
  state.counted = place;
  while (state.nextNewline >= 0 && state.nextNewline < place) {
    state.lines++;
    state.nextNewline = state.cursor.text.indexOf('\n', state.nextNewline + 1);
  }
}

function countBytes(state: SplitState, start: number, end: number): number {
  return state.isAscii ? end - start : Buffer.byteLength(state.cursor.text.slice(start, end));
}

function markStart(state: SplitState): void {
  countTo(state, state.cursor.start);
  state.from = state.cursor.start;
  state.isStarted = true;
  state.offset = state.bytes;
  state.line = state.lines;
}

/** Gives out the statement whose semicolon the cursor is at; what follows is the next one. */
function finishStatement(state: SplitState, found: StreamedStatement[]): void {
  if (state.isStarted) {
    keepUpTo(state, state.cursor.start);
    const sql = state.pieces.length === 1 ? (state.pieces[0] ?? '') : state.pieces.join('');
    found.push({ sql, offset: state.offset, line: state.line });
    state.pieces = [];
    state.pieceBytes = 0;
    state.isStarted = false;
  }
  resetEndWatch(state.watch);
}

/** Takes the text up to a place of this piece into the statement. */
function keepUpTo(state: SplitState, place: number): void {
  state.pieceBytes += countBytes(state, state.from, place);
  if (state.pieceBytes > state.maxStatementBytes) {
    throw new SluiceError('SLUICE_USAGE', `The statement on line ${state.line} is larger than ${state.maxStatementBytes} bytes.`, {
      hint: 'Look for a quote or a comment that is not closed; a statement that is meant to be so large has to be parted.',
    });
  }
  state.pieces.push(state.cursor.text.slice(state.from, place));
  state.from = place;
}

/** Keeps what has been read of a statement that goes on, and what has to be read again. */
function finishPiece(state: SplitState): void {
  const { text, end } = state.cursor;
  if (state.isStarted) keepUpTo(state, end);
  countTo(state, end);
  state.waiting = text.slice(end);
  state.neededLength = state.waiting.length > promptLength ? 2 * state.waiting.length : 0;
}
