/** One request that writes, while it is being answered: statement after statement on the shared write connection, in rqlite's way or undone and run again. */
import { type AnswerEnd, printEnd, printError } from './answer-format.ts';
import { type BodyStatement, readBody } from './body.ts';
import type { DataRequest } from './contract.ts';
import { maxHeldLength, maxHeldPrettyLength } from './held-rows.ts';
import { UnprintableNumber } from './json-value.ts';
import { DisallowedPragma, type Link } from './link.ts';
import { hasDisallowedPragma } from './pragma-text.ts';
import { rewriteStatement } from './rewrite.ts';
import { type Entry, executeStatement, type Gate, NotHere, readMessage, requestStatement } from './statement-run.ts';

/** A finished answer: status, type of its content, text. */
export interface TextAnswer {
  readonly status: number;
  readonly isJson: boolean;
  readonly text: string;
}

/** A request on its way. */
export interface WriteRun {
  readonly request: DataRequest;
  readonly statements: readonly BodyStatement[];
  readonly startMs: number;
  /** One for each statement that has been run. */
  readonly entries: string[];
  /** Characters in them. */
  heldLength: number;
  /** The statement that is next. */
  next: number;
  /** Of the whole request; it has no entries then, as far as the answer goes. */
  error: string | undefined;
  /** Text of a 500. */
  failure: string | undefined;
  /** A transaction that was given up: everything in it was undone. */
  isUndone: boolean;
}

/** A request that is refused before anything is run. */
export function refuseBody(error: string): TextAnswer {
  return { status: 400, isJson: false, text: `${error}\n` };
}

/** Reads a request; an answer where it ends with that. */
export function startRun(request: DataRequest): WriteRun | TextAnswer {
  const { options, route } = request;
  const body = readBody(request.body, { isPlainText: request.isPlainText && route !== 'request', keepsBlobText: options.isStrict });
  if (body.error !== undefined) return refuseBody(body.error);
  // The empty text is passed over and has no entry; texts of blanks have one.
  const statements = body.statements.filter(({ sql }) => sql !== '').map((statement) => rewriteStatement(statement, options));
  const error = statements.some(({ sql }) => hasDisallowedPragma(sql)) ? 'disallowed pragma' : undefined;
  return {
    request,
    statements,
    startMs: performance.now(),
    entries: [],
    heldLength: 0,
    next: error === undefined ? 0 : statements.length,
    error,
    failure: undefined,
    isUndone: false,
  };
}

export function isRun(started: WriteRun | TextAnswer): started is WriteRun {
  return 'entries' in started;
}

export function isFinished(run: WriteRun): boolean {
  return run.next >= run.statements.length || run.failure !== undefined;
}

/** Runs the next statement. @throws NotHere where the gate says so, and nothing has been done then */
export function runNext(link: Link, run: WriteRun, gate: Gate): Entry {
  const statement = run.statements[run.next];
  if (statement === undefined) throw new RangeError('A request was run beyond its last statement.');
  const entry = runStatement(link, run, { statement, gate });
  run.next++;
  run.entries.push(entry.text);
  run.heldLength += entry.text.length;
  return entry;
}

function runStatement(link: Link, run: WriteRun, { statement, gate }: { statement: BodyStatement; gate: Gate }): Entry {
  const { options, route } = run.request;
  const room = (options.isPretty ? maxHeldPrettyLength : maxHeldLength) - run.heldLength;
  link.free();
  link.setLedgerRight(options.mayWriteLedger === true);
  try {
    return route === 'request'
      ? requestStatement(link, statement, { options, gate, room })
      : executeStatement(link, statement, { options, gate, room });
  } catch (error) {
    if (error instanceof NotHere) throw error;
    if (error instanceof UnprintableNumber) {
      // The write stays done, as with rqlite; only its answer can't be written.
      run.failure = error.message;
      return { text: '', isError: false };
    }
    const message = error instanceof DisallowedPragma ? 'disallowed pragma' : readMessage(error);
    return { text: printError(message), isError: true };
  }
}

/** Takes a run back to the statement that it began with where its transaction was lost. */
export function rewindRun(run: WriteRun, next: number): void {
  run.next = next;
  run.entries.length = next;
  run.heldLength = run.entries.reduce((sum, text) => sum + text.length, 0);
  run.error = undefined;
  run.failure = undefined;
  run.isUndone = false;
}

/**
 * Gives a transaction up: what stands in front of the error looks done in rqlite's answer, and what is behind it is missing. With `strict` each statement has an
 * entry that tells: `{"rolled_back":true}` for one that was undone, `{"not_attempted":true}` for one that was not run.
 */
export function giveUp(run: WriteRun): void {
  run.isUndone = true;
  if (run.request.options.isStrict) {
    run.entries.fill('{"rolled_back":true}', 0, Math.max(0, run.entries.length - 1));
    while (run.entries.length < run.statements.length) run.entries.push('{"not_attempted":true}');
  }
  run.next = run.statements.length;
}

/** The whole answer. */
export function printAnswer(run: WriteRun, raftIndex: number): TextAnswer {
  const { options } = run.request;
  if (run.failure !== undefined) return { status: 500, isJson: false, text: `${run.failure}\n` };
  const end: AnswerEnd = { error: run.error, startMs: run.startMs, raftIndex: options.addsRaftIndex ? raftIndex : undefined };
  const entries = run.error === undefined ? run.entries.join(',') : '';
  return { status: 200, isJson: true, text: `{"results":[${entries}${printEnd(end, options)}` };
}
