/**
 * Runs a unit of statements on an SQLite file: one transaction, one answer for each statement, and every answer true of what was committed.
 *
 * What SQLite undid by itself (a constraint or trigger that says ROLLBACK, a full disk) is run again without the statement that was to blame; so a statement
 * is told as applied only if it stands. A statement that is running can't be interrupted: time and signal are looked at between statements, and between rows.
 */
import type { RunOptions, StatementAnswer, StatementError, UnitOutcome, UnitRequest } from '../batch-contract.ts';
import type { SqliteFile } from './connect.ts';
import { isBusy, toTargetError } from './errors.ts';
import type { UnitEntry } from './unit-cache.ts';
import { findEntry } from './unit-entry.ts';
import { isForeignKeyError, isMachineError, toStatementError } from './unit-errors.ts';
import { runJob } from './unit-execute.ts';
import { findExisting } from './unit-existing.ts';
import { findGuilty, listOrphans } from './unit-foreign-keys.ts';
import { openUnitSession, type UnitSession } from './unit-session.ts';
import { begin, commit, rollBack, runRecords, startClock, type UnitClock } from './unit-transaction.ts';
import { bindValues } from './unit-values.ts';

/** A unit on its way. */
interface Run {
  readonly session: UnitSession;
  readonly unit: UnitRequest;
  readonly clock: UnitClock;
  /** Statements that are not run again, with what they were answered and what SQLite said. */
  readonly fixed: Map<number, { readonly answer: StatementAnswer; readonly message: string }>;
  /** False as long as only reads were met: they keep nobody from writing. */
  writes: boolean;
  /** How often the machine, not a statement, ended the transaction. */
  breakdowns: number;
}

/** With so many the rest of the unit is not attempted: each further one would cost a run of all statements before it. */
const maxBreakdowns = 3;

/**
 * Runs a unit. Its answers are as many as its statements, in their order. `record` may be asked more than once; what it gave last is committed.
 * @throws SLUICE_TARGET_LOCKED, SLUICE_TARGET_BUSY (over time), SLUICE_CANCELLED, SLUICE_FENCED, SLUICE_TARGET_…: nothing of the unit is in the file then
 */
export async function runSqliteUnit(link: SqliteFile, unit: UnitRequest, options: RunOptions = {}): Promise<UnitOutcome> {
  const clock = startClock(link.file, options);
  clock.check();
  if (unit.statements.length === 0 && unit.record === undefined) return { answers: [] };
  const session = await openUnitSession(link, options.signal);
  const run: Run = { session, unit, clock, fixed: new Map(), writes: unit.record !== undefined, breakdowns: 0 };
  for (;;) {
    try {
      const answers = await attempt(run);
      if (answers !== undefined) return { answers };
    } catch (error) {
      throw toTargetError(error, link.file);
    } finally {
      rollBack(session);
    }
  }
}

/** One transaction; undefined: nothing of it stands, and another has to be tried. Each try fixes one more answer, or turns from reading to writing. */
async function attempt(run: Run): Promise<readonly StatementAnswer[] | undefined> {
  const { session, unit, clock } = run;
  await begin(session, clock, run.writes ? 'IMMEDIATE' : 'DEFERRED');
  const answers: StatementAnswer[] = [];
  for (let index = 0; index < unit.statements.length; index++) {
    const pause = clock.pause();
    if (pause !== undefined) await pause;
    const answer = answerOne(run, index);
    if (answer === undefined) return undefined;
    if (answer.status === 'error' && unit.isTransaction) return failAt(run, { index, answer, ranAll: false });
    answers.push(answer);
  }
  return settle(run, answers);
}

/** Runs one statement; undefined: the transaction is gone, or has to be another one. */
function answerOne(run: Run, index: number): StatementAnswer | undefined {
  const { session, unit, clock } = run;
  const statement = unit.statements[index];
  if (statement === undefined) return { status: 'not_attempted' };
  const known = run.fixed.size === 0 ? undefined : run.fixed.get(index);
  if (known !== undefined) return known.answer.status === 'not_applied' ? withRow(run, index, known.message) : known.answer;
  let entry: UnitEntry | undefined;
  try {
    entry = findEntry(session, statement.sql);
    if (!entry.isRead && !run.writes && !session.isReadOnly) {
      run.writes = true;
      return undefined;
    }
    const values = bindValues(entry.binding, statement.parameters);
    const answer = runJob({ session, entry, values, maxRows: unit.maxRows, check: clock.check });
    return answer.status === 'not_applied' ? withRow(run, index) : answer;
  } catch (error) {
    if (isBusy(error)) throw error;
    return explain(run, { index, entry, error });
  }
}

interface Failure {
  readonly index: number;
  readonly entry: UnitEntry | undefined;
  readonly error: unknown;
}

function explain(run: Run, { index, entry, error }: Failure): StatementAnswer | undefined {
  const { session, unit, fixed } = run;
  const found = toStatementError(error, session.guard.refusal);
  if (found === undefined) throw error;
  const isConflict = unit.onConflict === 'not_applied' && entry !== undefined && isOwnConflict(entry, found);
  const answer: StatementAnswer = isConflict ? { status: 'not_applied' } : { status: 'error', error: found };
  if (session.db.isTransaction) return isConflict ? withRow(run, index, found.message) : answer;
  if (answer.status === 'error' && unit.isTransaction) return answer;
  // SQLite has undone the statements before it as well: they are run again, without this one.
  fixed.set(index, { answer, message: found.message });
  if (isMachineError(error) && ++run.breakdowns > maxBreakdowns) {
    for (let at = index + 1; at < unit.statements.length; at++) fixed.set(at, { answer: { status: 'not_attempted' }, message: '' });
  }
  return undefined;
}

/** Whether an INSERT met a row with its key in its own table, not in one that a trigger writes to. */
function isOwnConflict({ shape }: UnitEntry, { code, message }: StatementError): boolean {
  if (code !== 'UNIQUE' || shape.verb !== 'INSERT' || shape.table === undefined) return false;
  const where = message.slice(message.indexOf(':') + 2).toLowerCase();
  return where.startsWith("index '") || where.startsWith(`${shape.table.name.text.toLowerCase()}.`);
}

function withRow({ session, unit }: Run, index: number, message?: string): StatementAnswer {
  const statement = unit.statements[index];
  if (!unit.statusRows || statement === undefined) return { status: 'not_applied' };
  const entry = findEntry(session, statement.sql);
  const row = findExisting({ session, entry, values: bindValues(entry.binding, statement.parameters), message });
  return row === undefined ? { status: 'not_applied' } : { status: 'not_applied', row };
}

async function settle(run: Run, answers: readonly StatementAnswer[]): Promise<readonly StatementAnswer[] | undefined> {
  const { session, unit, clock } = run;
  if (unit.record !== undefined) runRecords(session, unit.record(answers));
  try {
    await commit(session, clock);
    return answers;
  } catch (error) {
    if (!isForeignKeyError(error)) throw error;
    return blame(run, answers, error);
  }
}

/** A deferred foreign key does not hold. */
async function blame(run: Run, answers: readonly StatementAnswer[], failure: unknown): Promise<readonly StatementAnswer[] | undefined> {
  const { session, unit, clock, fixed } = run;
  const orphans = listOrphans(session);
  rollBack(session);
  await begin(session, clock, 'IMMEDIATE');
  const before = fixed.size;
  const isThere = (index: number): boolean => fixed.has(index) || answerOne(run, index) !== undefined;
  const found = findGuilty(
    { session, count: unit.statements.length, check: clock.check, run: (index) => isThere(index) && session.db.isTransaction },
    orphans,
  );
  rollBack(session);
  if (fixed.size > before) return undefined;
  // Not found only where rows can't be told apart, or the file has changed since: then the last that changed something takes it.
  const isBlamable = (answer: StatementAnswer, index: number): boolean =>
    answer.status === 'applied' && answer.rowsAffected > 0 && !fixed.has(index);
  const guilty = found.length > 0 ? found : [answers.findLastIndex(isBlamable)];
  const first = guilty[0] ?? -1;
  if (first < 0) throw failure;
  const error: StatementError = {
    code: unit.isTransaction ? 'COMMIT' : 'FOREIGN_KEY',
    message: 'FOREIGN KEY constraint failed',
    targetCode: '787',
  };
  if (unit.isTransaction) return failAt(run, { index: first, answer: { status: 'error', error }, ranAll: true });
  for (const index of guilty) fixed.set(index, { answer: { status: 'error', error }, message: error.message });
  return undefined;
}

/** What ended a transaction. */
interface Downfall {
  readonly index: number;
  readonly answer: StatementAnswer;
  /** The statements behind it were run too. */
  readonly ranAll: boolean;
}

/** All is undone; only what the ledger keeps of it is written. */
async function failAt(run: Run, { index, answer, ranAll }: Downfall): Promise<readonly StatementAnswer[]> {
  const { session, unit, clock } = run;
  rollBack(session);
  const answers = unit.statements.map((_, at): StatementAnswer => {
    if (at === index) return answer;
    return { status: at < index || ranAll ? 'rolled_back' : 'not_attempted' };
  });
  if (unit.record === undefined) return answers;
  await begin(session, clock, 'IMMEDIATE');
  runRecords(session, unit.record(answers));
  await commit(session, clock);
  return answers;
}
