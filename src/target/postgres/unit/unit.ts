/** Runs a unit of statements as one transaction, the ledger's record with it: what is told as applied is committed, and nothing else is. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../../../errors.ts';
import type { RunOptions, StatementAnswer, UnitOutcome, UnitRequest } from '../../batch-contract.ts';
import { isConflict } from '../errors.ts';
import { runStatement, transact } from '../ledger.ts';
import type { PgError, PgLink } from '../link.ts';
import { defaultTimeoutMs, startDeadline, type Deadline } from './deadline.ts';
import { createExistingRows } from './existing.ts';
import { findGuilty } from './guilty.ts';
import { writeOpening } from './opening.ts';
import { prepareStatements, type Preparation } from './prepared.ts';
import { runStatements, type RunEnd } from './run.ts';
import { needsOutside, runOutside } from './outside.ts';
import { toStatementError } from './statement-error.ts';
import { keepStretch, sendSteps, toErrorAnswer, toFrameStep, type UnitRun } from './unit-run.ts';

/** Times that a unit is run when others are in its way. A deadlock takes the server a second to see (deadlock_timeout). */
const maxTries = 5;

/** Before the second try; then doubled, and each cut by chance so that the two that met don't meet again. */
const firstWaitMs = 20;

/** A link that can't be asked counts as lost this much after the deadline: the statement is cancelled first, and its end waited for. */
const silenceMarginMs = 5_000;

export interface UnitOptions extends RunOptions {
  /** How long one statement waits for a lock; 30,000 by default. */
  readonly lockTimeoutMs?: number | undefined;
}

/** What stays the same over the tries. */
interface UnitWork {
  readonly link: PgLink;
  readonly unit: UnitRequest;
  readonly statements: Preparation[];
  readonly deadline: Deadline;
  readonly lockTimeoutMs: number | undefined;
}

/**
 * n statements give n answers, in their order. Deadlocks and failures to serialize are tried again.
 * @throws LinkLostError (`no` before COMMIT was sent, else `unknown`), SLUICE_FENCED from `record`, SLUICE_TARGET_BUSY over time, SLUICE_CANCELLED; PgError for what is not a statement's
 */
export async function runPostgresUnit(link: PgLink, unit: UnitRequest, options: UnitOptions = {}): Promise<UnitOutcome> {
  const deadline = startDeadline(options.timeoutMs ?? defaultTimeoutMs, options.signal);
  try {
    if (unit.statements.length === 0 && unit.record === undefined) return { answers: [] };
    const work: UnitWork = { link, unit, statements: prepareStatements(unit), deadline, lockTimeoutMs: options.lockTimeoutMs };
    return { answers: await runTries(work) };
  } catch (error) {
    throw deadline.explain(error, link.place);
  } finally {
    deadline.clear();
  }
}

async function runTries(work: UnitWork): Promise<readonly StatementAnswer[]> {
  const { link, deadline } = work;
  for (let tries = 1, waitMs = firstWaitMs; ;) {
    const answers = await runOnce(work, tries < maxTries);
    if (typeof answers !== 'string') return answers;
    if (answers === 'again') continue;
    tries++;
    await sleep(waitMs * (0.5 + Math.random()), undefined, { signal: deadline.signal }).catch((cause: unknown) => {
      throw new SluiceError('SLUICE_CANCELLED', `Stopped while a unit of statements on ${link.place} waited for another try.`, { cause });
    });
    waitMs *= 2;
  }
}

async function openRun({ link, unit, statements, deadline, lockTimeoutMs }: UnitWork, givesWay: boolean): Promise<UnitRun> {
  const { isTransaction } = unit;
  const { signal, timeoutMs } = deadline;
  const isAtomic = isTransaction || statements.length === 1;
  const usesSavepoints = !isAtomic || unit.onConflict === 'not_applied' || unit.statusRows;
  return {
    link,
    unit,
    statements,
    answers: [],
    // A session behind a pooler can't be asked whether it is at work; the deadline stands for that.
    options: { signal, landed: 'no', timeoutMs: link.ownsSession ? undefined : timeoutMs + silenceMarginMs },
    isAtomic,
    usesSavepoints,
    givesWay,
    existing: createExistingRows(),
    due: await writeOpening(link, { timeoutMs, lockTimeoutMs, isTransaction, isReadOnly: unit.isReadOnly ?? false, usesSavepoints }),
  };
}

/** One try: the answers, or that it is to be tried again. Whatever it ends with, no transaction is left open. */
async function runOnce(work: UnitWork, givesWay: boolean): Promise<readonly StatementAnswer[] | 'conflict' | 'again'> {
  const run = await openRun(work, givesWay);
  let end: RunEnd;
  let refused: PgError | undefined;
  try {
    end = await runStatements(run);
    if (end === 'done') {
      await recordAnswers(run);
      refused = await commit(run);
    }
  } catch (error) {
    await rollBack(run);
    if (givesWay && isConflict(error)) return 'conflict';
    throw error;
  }
  if (refused !== undefined) return givesWay && isConflict(refused) ? 'conflict' : recordAlone(work, await blameCommit(run, refused));
  if (end === 'done') return run.answers;
  await rollBack(run);
  if (end !== 'failed') return end;
  return recordAlone(work, needsOutside(run) ? [await runOutside(run)] : undoAnswers(run));
}

/** Before COMMIT, so that both land or neither does. @throws SLUICE_FENCED */
async function recordAnswers(run: UnitRun): Promise<void> {
  const records = run.unit.record?.(run.answers) ?? [];
  // A savepoint that is still open ends with the transaction; what opens it, or makes it usable again, is sent.
  if (run.due !== keepStretch) await sendSteps(run, []);
  for (const record of records) await runStatement(run.link, record, run.options);
}

/** The server's refusal, which undoes everything; undefined when all is committed. */
async function commit({ link, options }: UnitRun): Promise<PgError | undefined> {
  const { results, error } = await link.pipeline([toFrameStep('COMMIT')], { ...options, landed: 'unknown' });
  if (error === undefined && results[0]?.tag !== 'COMMIT')
    throw new SluiceError('SLUICE_INTERNAL', `A unit of statements on ${link.place} was not committed: its transaction had failed unseen.`);
  return error;
}

async function rollBack({ link, options }: UnitRun): Promise<void> {
  // A link that is gone has nothing to roll back: the server does it by itself. The signal may be what ended the unit.
  if (!link.isBroken) await link.script('ROLLBACK', { timeoutMs: options.timeoutMs });
}

/** What became of nothing but the last statement that was run. */
function undoAnswers({ answers, statements }: UnitRun): readonly StatementAnswer[] {
  return statements.map((_, index) => {
    if (index < answers.length - 1) return { status: 'rolled_back' };
    return answers[index] ?? { status: 'not_attempted' };
  });
}

/** The answers of a unit whose COMMIT was refused, of which nothing is left. */
async function blameCommit(run: UnitRun, refused: PgError): Promise<readonly StatementAnswer[]> {
  const { code, ...said } = toStatementError(refused);
  if (!run.unit.isTransaction) {
    const failed = toErrorAnswer({ ...said, code: code === 'OTHER' ? 'COMMIT' : code });
    return run.answers.map((answer) => (answer.status === 'applied' ? failed : answer));
  }
  const guilty = await findGuilty(run, refused);
  const blamed = guilty ?? run.answers.findLastIndex(({ status }) => status === 'applied');
  return run.answers.map((_, index) =>
    index === blamed
      ? toErrorAnswer({ ...said, code: guilty === undefined && code !== 'CONFLICT' ? 'COMMIT' : code })
      : { status: 'rolled_back' },
  );
}

/** The record of a unit that was undone, in a transaction of its own. */
async function recordAlone(
  { link, unit, deadline, lockTimeoutMs }: UnitWork,
  answers: readonly StatementAnswer[],
): Promise<readonly StatementAnswer[]> {
  const records = unit.record?.(answers) ?? [];
  if (records.length > 0) await transact(link, records, { signal: deadline.signal, lockTimeoutMs });
  return answers;
}
