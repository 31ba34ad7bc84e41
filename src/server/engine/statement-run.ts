/** Runs one statement of a request as rqlite's driver does: a text of several statements runs part by part, and its last part is the answer. */
import { type AnswerOptions, type Counters, printCounters, printError } from './answer-format.ts';
import { type Bound, bindValues, findNameFault } from './binding.ts';
import type { BodyStatement } from './body.ts';
import { type Link, type Prepared } from './link.ts';
import { collectRows, runUndoable } from './held-rows.ts';
import { UnprintableNumber } from './json-value.ts';
import { runForEffect, writeRows } from './row-text.ts';
import { printStatement } from './sql-print.ts';

/** What a statement is run with. */
export interface RunOptions extends AnswerOptions {
  readonly isStrict: boolean;
  /** `noparse` hides RETURNING from rqlite: its rows are not given. */
  readonly parses: boolean;
  /** On a connection that only reads: BEGIN, COMMIT and the like answer as if they were run there, and are not. */
  readonly skipsControl?: boolean;
}

/** A statement's entry, and whether it is an error. */
export interface Entry {
  readonly text: string;
  readonly isError: boolean;
  /** The error came when the statement was prepared: `/db/request` goes on after it, even in a transaction. */
  readonly isUnprepared?: boolean;
}

/** What a statement must not do where it stands; thrown before it has done anything. */
export class NotHere extends Error {}

/** Called before each part of a text is run; throws {@link NotHere} where the part can't be. */
export type Gate = (prepared: Prepared) => void;

const noCounters: Counters = { lastInsertId: 0, rowsAffected: 0 };
const writeRefusal = 'attempt to change database via query operation';

/** Statements that do nothing but write and whose text needs no look into it: they run without an object of their own, so that literals leave no garbage. */
const plainWritePattern = /^\s*(?:insert|update|delete|replace)\s/i;
const notPlainPattern = /;|returning/i;

/** SQLite's words for what went wrong. */
export function readMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The counters of a connection, exact. */
export function readCounters(link: Link): Counters {
  const { statement } = link.prepare('SELECT last_insert_rowid(), changes()');
  statement?.setReadBigInts(true);
  const row = statement?.get() as unknown as readonly [bigint, bigint] | undefined;
  return { lastInsertId: row?.[0] ?? 0n, rowsAffected: row?.[1] ?? 0n };
}

function runPart(link: Link, prepared: Prepared, bound: Bound): Counters {
  const { statement } = prepared;
  if (statement === undefined) return noCounters;
  const run = (): Counters => {
    const counters = runForEffect(statement, bound);
    if (prepared.control === 'BEGIN') link.noteBegin();
    return counters === undefined ? readCounters(link) : { lastInsertId: counters.lastInsertRowid, rowsAffected: counters.changes };
  };
  return prepared.standsAlone ? link.allowNameless(run) : run();
}

/** Runs every part for its effect. */
function executeParts(link: Link, statement: BodyStatement, { options, gate, first }: Execution): Counters | string {
  let prepared = first;
  let taken = 0;
  for (;;) {
    gate(prepared);
    const bound = bindValues(prepared, statement, { taken, isQuery: false, isStrict: options.isStrict });
    if (typeof bound === 'string') return bound;
    const counters = runPart(link, prepared, bound);
    taken += prepared.places.length;
    if (prepared.rest === '') return counters;
    prepared = link.prepareRest(prepared.rest);
  }
}

/** How the statements of a request are run. */
export interface HowToRun {
  readonly options: RunOptions;
  readonly gate: Gate;
  /** Characters that the rows may take. */
  readonly room: number;
}

interface Execution extends HowToRun {
  readonly first: Prepared;
  readonly startMs: number;
}

/** Runs a statement for its effect; RETURNING gives rows. */
function executePrepared(link: Link, statement: BodyStatement, execution: Execution): Entry {
  const { options, first, startMs } = execution;
  const isReturning =
    first.hasColumns && first.rest === '' && options.parses && !first.isPlainRead && !first.standsAlone && !isReadOnly(link, first);
  if (!isReturning) {
    const counters = executeParts(link, statement, execution);
    return typeof counters === 'string' ? failed(counters) : { text: printCounters(counters, options, startMs), isError: false };
  }
  execution.gate(first);
  const bound = bindValues(first, statement, { taken: 0, isQuery: true, isStrict: options.isStrict });
  if (typeof bound === 'string' || first.statement === undefined) return failed(String(bound));
  const rows = writeRows(first, first.statement, { bound, options, startMs, isOnlyOnce: true, names: findNames(link, statement, first) });
  // rqlite lets a write stand whose answer it can't print.
  const text = runUndoable(
    link,
    () => collectRows(rows, execution.room),
    (error) => error instanceof UnprintableNumber,
  );
  return { text, isError: false };
}

/** The names of the columns of a rewritten statement: those of the text that rqlite's parser would print for it, where that can be told. */
function findNames(link: Link, statement: BodyStatement, prepared: Prepared): readonly string[] | undefined {
  if (statement.isRewritten !== true) return undefined;
  const printed = printStatement(prepared.sql);
  if ('error' in printed) return undefined;
  const own = prepared.statement?.columns().length;
  try {
    const names = link
      .prepare(printed.text)
      .statement?.columns()
      .map(({ name }) => name);
    return names?.length === own ? names : undefined;
  } catch {
    // A text that was printed wrong is of no use; the statement's own names are as good.
    return undefined;
  }
}

function failed(message: string): Entry {
  return { text: printError(message), isError: true };
}

/** `/db/execute`: one entry. @throws what must not become an entry: {@link NotHere}, a disallowed pragma, an unprintable number */
export function executeStatement(link: Link, statement: BodyStatement, { options, gate, room }: HowToRun): Entry {
  const startMs = options.hasTimings ? performance.now() : 0;
  const fault = findNameFault(statement);
  if (fault !== undefined) return failed(fault);
  if (
    statement.values.length === 0 &&
    plainWritePattern.test(statement.sql) &&
    !notPlainPattern.test(statement.sql) &&
    !/[?:@$]/.test(statement.sql)
  ) {
    link.db.exec(statement.sql);
    return { text: printCounters(readCounters(link), options, startMs), isError: false };
  }
  return executePrepared(link, statement, { options, gate, room, first: link.prepare(statement.sql), startMs });
}

/** Whether a statement only reads, as `sqlite3_stmt_readonly` tells: by what its program would do. */
export function isReadOnly(link: Link, prepared: Prepared): boolean {
  prepared.isReadOnly ??= prepared.isPlainRead || prepared.statement === undefined || readsOnly(link, prepared.sql);
  return prepared.isReadOnly;
}

const writePattern = /^\s*(?:insert|update|delete|replace|create|drop|alter|vacuum|analyze)\b/i;
const writingSteps: ReadonlySet<string> = new Set(['Checkpoint', 'Vacuum']);

function readsOnly(link: Link, sql: string): boolean {
  if (writePattern.test(sql)) return false;
  let program: readonly (readonly unknown[])[];
  try {
    const { statement } = link.prepare(`EXPLAIN ${sql.replace(/^[\s;]+/, '')}`);
    statement?.setReadBigInts(false);
    program = (statement?.all() ?? []) as unknown as readonly (readonly unknown[])[];
  } catch {
    // What can't be explained is an EXPLAIN itself, which changes nothing.
    return true;
  }
  // Columns of EXPLAIN: address, opcode, p1, p2, …; a transaction with p2 set is one that writes.
  return !program.some((step) => writingSteps.has(String(step[1])) || (step[1] === 'Transaction' && Number(step[3]) !== 0));
}

/** Finds the last part of a text, which is the one that a query answers; the others are prepared, never run. */
export function findLast(
  link: Link,
  statement: BodyStatement,
  isStrict: boolean,
): { readonly prepared: Prepared; readonly bound: Bound } | string {
  let prepared = link.prepare(statement.sql);
  let taken = 0;
  for (;;) {
    const bound = bindValues(prepared, statement, { taken, isQuery: true, isStrict });
    if (prepared.rest === '') {
      // A write is told as one even where its values are wrong.
      if (!isReadOnly(link, prepared)) return writeRefusal;
      return typeof bound === 'string' ? bound : { prepared, bound };
    }
    if (typeof bound === 'string') return bound;
    taken += prepared.places.length;
    prepared = link.prepareRest(prepared.rest);
  }
}

/** Rows of which another reading might give others: after an integer that is too large they can't be read again. */
const unrepeatablePattern = /random/i;

/** `/db/query`: one entry in pieces; what goes wrong before its first piece has left is an entry too. */
export function* queryStatement(link: Link, statement: BodyStatement, options: RunOptions): Generator<string, Entry> {
  const startMs = options.hasTimings ? performance.now() : 0;
  const fault = findNameFault(statement);
  if (fault !== undefined) return { text: printError(fault, options.isAssociative), isError: true };
  const found = findLast(link, statement, options.isStrict);
  if (typeof found === 'string') return { text: printError(found, options.isAssociative), isError: true };
  const { prepared, bound } = found;
  if (prepared.statement === undefined) return { text: options.isAssociative ? '{"rows":[]}' : '{}', isError: false };
  if (options.skipsControl === true && prepared.control !== undefined)
    return { text: options.isAssociative ? '{"rows":[]}' : '{}', isError: false };
  const isOnlyOnce = unrepeatablePattern.test(prepared.sql);
  const text = yield* writeRows(prepared, prepared.statement, {
    bound,
    options,
    startMs,
    isOnlyOnce,
    names: findNames(link, statement, prepared),
  });
  return { text, isError: false };
}

/** `/db/request`: rows for what only reads, counters for the rest. */
export function requestStatement(link: Link, statement: BodyStatement, { options, gate, room }: HowToRun): Entry {
  const startMs = options.hasTimings ? performance.now() : 0;
  const fault = findNameFault(statement);
  if (fault !== undefined) return failed(fault);
  let first: Prepared;
  try {
    // What another connection has changed must be known before the columns are asked for.
    link.checkSchema();
    first = link.prepare(statement.sql);
  } catch (error) {
    if (!(error instanceof Error && 'errcode' in error)) throw error;
    return { ...failed(readMessage(error)), isUnprepared: true };
  }
  if (!isReadOnly(link, first)) return executePrepared(link, statement, { options, gate, room, first, startMs });
  gate(first);
  let isError = false;
  function* write(): Generator<string, string> {
    const entry = yield* queryStatement(link, statement, options);
    isError = entry.isError;
    return entry.text;
  }
  const text = collectRows(write(), room);
  return { text, isError };
}
