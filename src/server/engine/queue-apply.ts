/**
 * Applies queued requests in one transaction together with the position of the last of them, so that each is in the database exactly once. A bad statement
 * harms no other request: one that would end the transaction is found, told as an error, and passed over when the rest runs again.
 */
import { SluiceError } from '../../errors.ts';
import { type BodyStatement, readBody } from './body.ts';
import type { QueuedOutcome, QueuedRequest } from './contract.ts';
import { DisallowedPragma, type Link, type Prepared } from './link.ts';
import { hasDisallowedPragma } from './pragma-text.ts';
import { readPosition, writePosition } from './queue-position.ts';
import { rewriteStatement } from './rewrite.ts';
import { isEnvironmental } from './sqlite-fault.ts';
import { executeStatement, NotHere, readMessage } from './statement-run.ts';
import { plainOptions } from './plain-options.ts';

/** A request that waits to be applied. */
interface QueuedRun {
  readonly request: QueuedRequest;
  readonly sequence: bigint;
  readonly isStrict: boolean;
  /** Errors of statements that would end the transaction; they are not run again. */
  readonly killers: Map<number, string>;
}

/** The transaction ended under a statement: all of the group must run again. */
class GroupLost extends Error {}

/** So many statements of a group may end its transaction before each request gets one of its own. */
const maxRestarts = 8;

const controlRefusal = 'transaction control is refused in queued writes';

function refuseControl(prepared: Prepared): void {
  if (prepared.standsAlone) throw new NotHere(controlRefusal);
}

function execute(link: Link, sql: string): void {
  link.trust(() => link.db.exec(sql));
}

function startRun(request: QueuedRequest): QueuedRun {
  return { request, sequence: request.sequence, isStrict: request.isStrict, killers: new Map() };
}

/**
 * The statements of a request, read when its turn has come and not kept: those of a whole group at once outlive the young generation, and the writer's heap
 * grew to 87 MB instead of 40 under requests of 1,000 statements.
 */
function readStatements({ request, isStrict, killers }: QueuedRun): readonly BodyStatement[] {
  const body = readBody(request.body, { isPlainText: false, keepsBlobText: isStrict });
  if (body.error === undefined)
    return body.statements.filter(({ sql }) => sql !== '').map((statement) => rewriteStatement(statement, plainOptions));
  killers.set(0, body.error);
  return [];
}

interface Turn {
  readonly run: QueuedRun;
  readonly statement: BodyStatement;
  readonly index: number;
}

/** Runs one statement: the message of its error, or undefined. */
function applyStatement(link: Link, { run, statement, index }: Turn): string | undefined {
  if (hasDisallowedPragma(statement.sql)) return 'disallowed pragma';
  link.free();
  try {
    const entry = executeStatement(link, statement, {
      // Nobody is given the rows of RETURNING: without a look for them none are held.
      options: { ...plainOptions, parses: false, isStrict: run.isStrict },
      gate: refuseControl,
      room: 0,
    });
    return entry.isError ? (JSON.parse(entry.text) as { error: string }).error : undefined;
  } catch (error) {
    if (!link.db.isTransaction && !isEnvironmental(error)) {
      run.killers.set(index, readMessage(error));
      throw new GroupLost('a statement ended the transaction', { cause: error });
    }
    // A full disk or a lock is not the statement's fault: the requests stay in the queue until it has gone.
    if (isEnvironmental(error)) throw error;
    return error instanceof DisallowedPragma ? 'disallowed pragma' : readMessage(error);
  }
}

function applyRun(link: Link, run: QueuedRun): QueuedOutcome {
  const errors: { index: number; message: string }[] = [];
  const statements = readStatements(run);
  if (statements.length === 0) {
    const [message] = run.killers.values();
    return { sequence: run.sequence, applied: 0, errors: message === undefined ? [] : [{ index: 0, message }] };
  }
  for (const [index, statement] of statements.entries()) {
    const message = run.killers.get(index) ?? applyStatement(link, { run, statement, index });
    if (message !== undefined) errors.push({ index, message });
  }
  return { sequence: run.sequence, applied: statements.length - errors.length, errors };
}

/** Every statement of a request as an error. */
function failRun(run: QueuedRun, message: string): QueuedOutcome {
  return { sequence: run.sequence, applied: 0, errors: readStatements(run).map((_, index) => ({ index, message })) };
}

function storePosition(link: Link, position: bigint): void {
  link.trust(() => writePosition(link.db, position));
}

function undo(link: Link): void {
  if (link.db.isTransaction) execute(link, 'ROLLBACK');
}

/** Stores the position with nothing before it: the requests were tried, and failed as a whole. */
function passOver(link: Link, position: bigint): void {
  execute(link, 'BEGIN IMMEDIATE');
  storePosition(link, position);
  execute(link, 'COMMIT');
}

/** One transaction for all of `runs` and their position; undefined where it must be tried otherwise. */
function applyTogether(link: Link, runs: readonly QueuedRun[], position: bigint): readonly QueuedOutcome[] | string {
  let restarts = 0;
  for (;;) {
    execute(link, 'BEGIN IMMEDIATE');
    try {
      // Before the statements: their counters are what a later answer repeats.
      storePosition(link, position);
      const outcomes = runs.map((run) => applyRun(link, run));
      execute(link, 'COMMIT');
      return outcomes;
    } catch (error) {
      undo(link);
      if (isEnvironmental(error)) throw error;
      if (!(error instanceof GroupLost)) return readMessage(error);
      if (++restarts > maxRestarts && runs.length > 1) return readMessage(error.cause);
    }
  }
}

/** All or nothing: the first error undoes every request of the group. */
function applyAsOne(link: Link, runs: readonly QueuedRun[], position: bigint): readonly QueuedOutcome[] {
  execute(link, 'BEGIN IMMEDIATE');
  let reason = '';
  const outcomes: QueuedOutcome[] = [];
  for (const run of runs) {
    const outcome = tryRun(link, run);
    const [first] = outcome.errors;
    outcomes.push(outcome);
    if (first === undefined) continue;
    undo(link);
    passOver(link, position);
    const message = `rolled back: statement ${String(first.index)} of request ${String(run.sequence)} failed`;
    return runs.map((other) => {
      const failed = failRun(other, message);
      return other === run ? { ...failed, errors: failed.errors.map((entry) => (entry.index === first.index ? first : entry)) } : failed;
    });
  }
  try {
    storePosition(link, position);
    execute(link, 'COMMIT');
    return outcomes;
  } catch (error) {
    undo(link);
    if (isEnvironmental(error)) throw error;
    reason = readMessage(error);
  }
  passOver(link, position);
  return runs.map((run) => failRun(run, reason));
}

function tryRun(link: Link, run: QueuedRun): QueuedOutcome {
  try {
    return applyRun(link, run);
  } catch (error) {
    if (!(error instanceof GroupLost)) {
      undo(link);
      throw error;
    }
    return { sequence: run.sequence, applied: 0, errors: [...run.killers].map(([index, message]) => ({ index, message })) };
  }
}

/** Applies requests in order. @throws SLUICE_TARGET_BUSY while a user's transaction is open: what is queued must not join it */
export function applyRequests(link: Link, requests: readonly QueuedRequest[], isOneTransaction: boolean): readonly QueuedOutcome[] {
  if (link.db.isTransaction) {
    throw new SluiceError('SLUICE_TARGET_BUSY', 'A statement has left a transaction open; queued writes wait for its end.', {
      hint: 'Send COMMIT or ROLLBACK to /db/execute.',
    });
  }
  link.setLedgerRight(false);
  const stored = readPosition(link);
  const runs = requests.filter(({ sequence }) => sequence > stored).map(startRun);
  const last = runs.at(-1);
  if (last === undefined) return [];
  if (isOneTransaction) return applyAsOne(link, runs, last.sequence);
  const together = applyTogether(link, runs, last.sequence);
  if (typeof together !== 'string') return together;
  return runs.map((run) => {
    const own = applyTogether(link, [run], run.sequence);
    if (typeof own !== 'string') return own[0] ?? failRun(run, 'not applied');
    // Even the position could not be stored with it: the failure is the database's, unless it goes away with the statements.
    passOver(link, run.sequence);
    return failRun(run, own);
  });
}
