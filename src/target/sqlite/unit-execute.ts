/** Runs one statement of a unit and says what became of it: what it changed, what it gives back, or that its condition did not hold. */
import type { AnswerRow, StatementAnswer, StatementValue } from '../batch-contract.ts';
import { StatementRefusal } from './unit-errors.ts';
import type { UnitEntry } from './unit-cache.ts';
import {
  arm,
  command,
  countTotalChanges,
  forgetSchema,
  hasFailClauses,
  markedRowid,
  markLastRowid,
  readCounters,
  type Counters,
  type UnitSession,
} from './unit-session.ts';
import type { Bound, BoundValues } from './unit-values.ts';

/** A statement with its values, ready to be run. */
export interface Job {
  readonly session: UnitSession;
  readonly entry: UnitEntry;
  readonly values: BoundValues;
  readonly maxRows: number;
  /** Called now and then while rows are read. @throws when the unit is over time */
  readonly check: () => void;
}

/** Rows between two looks at the clock: some 0.5 ms. */
const rowsPerCheck = 1024;

/**
 * Runs it inside the open transaction. Whatever is thrown, the statement has changed nothing, or the whole transaction is gone.
 * @throws errors of SQLite, StatementRefusal BATCH_TOO_MANY_ROWS, what `check` throws
 */
export function runJob(job: Job): StatementAnswer {
  const { entry, session } = job;
  // The rows of RETURNING come after the change is made; and some constraints and triggers FAIL without undoing what was done.
  const mayLeaveRest = entry.isChange && (entry.shape.hasReturning || hasFailClauses(session));
  return mayLeaveRest ? runGuarded(job) : runPlain(job);
}

function runGuarded(job: Job): StatementAnswer {
  const { session } = job;
  command(session, 'SAVEPOINT sluice_statement');
  try {
    return runPlain(job);
  } catch (error) {
    if (session.db.isTransaction) command(session, 'ROLLBACK TO sluice_statement');
    throw error;
  } finally {
    if (session.db.isTransaction) command(session, 'RELEASE sluice_statement');
  }
}

function runPlain(job: Job): StatementAnswer {
  const { session, entry } = job;
  if (entry.isChange) return runChange(job);
  arm(session);
  if (entry.columns.length > 0) return { status: 'applied', rowsAffected: 0, columns: entry.columns, rows: readRows(job) };
  step(job);
  if (!entry.isRead) forgetSchema(session);
  return { status: 'applied', rowsAffected: 0 };
}

function runChange(job: Job): StatementAnswer {
  const { session, entry } = job;
  if (entry.numbers === 'upsert') markLastRowid(session);
  const before = entry.isConditional ? countTotalChanges(session) : undefined;
  arm(session);
  const hasRows = entry.columns.length > 0;
  const rows = hasRows ? readRows(job) : undefined;
  const { changes, lastRowid } = hasRows ? readCounters(session) : step(job);
  // A view's rows are not counted in `changes`, but what its triggers do is in the total.
  const rowsAffected = Number(changes);
  if (rowsAffected === 0 && entry.isConditional && countTotalChanges(session) === before) return { status: 'not_applied' };
  const isNumbered = rowsAffected > 0 && entry.numbers !== 'nothing' && !(entry.numbers === 'upsert' && lastRowid === markedRowid);
  // Written out, because every statement makes one of these, and a spread of what may be undefined costs as much as the look-up of the statement.
  if (rows === undefined) {
    return isNumbered ? { status: 'applied', rowsAffected, lastInsertId: narrow(lastRowid) } : { status: 'applied', rowsAffected };
  }
  const { columns } = entry;
  return isNumbered
    ? { status: 'applied', rowsAffected, lastInsertId: narrow(lastRowid), columns, rows }
    : { status: 'applied', rowsAffected, columns, rows };
}

function step({ session, entry, values }: Job): Counters {
  if (entry.statement === undefined) {
    session.db.exec(entry.text);
    return readCounters(session);
  }
  const { changes, lastInsertRowid } = isPlaces(values) ? entry.statement.run(...values) : entry.statement.run(values);
  return { changes: changes as bigint, lastRowid: lastInsertRowid as bigint };
}

function isPlaces(values: BoundValues): values is readonly Bound[] {
  return Array.isArray(values);
}

function readRows(job: Job): readonly AnswerRow[] {
  const { statement } = job.entry;
  if (statement === undefined) return [];
  const given = isPlaces(job.values) ? statement.iterate(...job.values) : statement.iterate(job.values);
  try {
    return collectRows(job, given);
  } catch (error) {
    // Without this the statement, after an error of its own, would throw that error once more when it is run the next time (Node 24 and 26).
    given.return?.();
    throw error;
  }
}

function collectRows({ entry, maxRows, check }: Job, given: NodeJS.Iterator<unknown>): readonly AnswerRow[] {
  const rows: AnswerRow[] = [];
  for (let next = given.next(); next.done !== true; next = given.next()) {
    if (rows.length >= maxRows) {
      throw new StatementRefusal(
        'BATCH_TOO_MANY_ROWS',
        `The statement gives more than ${String(maxRows)} rows. Ask for fewer, or raise the limit.`,
      );
    }
    rows.push(toRow(entry.columns, next.value as readonly Given[]));
    if (rows.length % rowsPerCheck === 0) check();
  }
  return rows;
}

/** As node:sqlite gives it with `setReadBigInts`. */
type Given = null | number | bigint | string | Uint8Array;

/** A plain object by column. */
export function toRow(columns: readonly string[], values: readonly Given[]): AnswerRow {
  const row: Record<string, StatementValue> = {};
  for (let index = 0; index < columns.length; index++) {
    const name = columns[index] ?? '';
    const given = values[index] ?? null;
    const value = typeof given === 'bigint' ? narrow(given) : given;
    // Assigned, that name would set the object's prototype.
    if (name === '__proto__') Object.defineProperty(row, name, { value, enumerable: true, writable: true, configurable: true });
    else row[name] = value;
  }
  return row;
}

/** A number where it is exact; rounded ones are never below 2⁵³. */
function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
