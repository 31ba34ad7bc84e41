/** The flow of a load: plan → ledger → shards over lanes → indexes → verify → report. */
import { isSluiceError, SluiceError } from '../errors.ts';
import { refuseUnknownOptions } from '../option-names.ts';
import { endLoad, failLoad, releaseShards } from '../ledger/statements.ts';
import { findLoad, type LedgerLoad } from '../ledger/reading.ts';
import { clearControl } from '../ledger/controls.ts';
import { readRejectCauses } from '../ledger/rejects.ts';
import { writeResumeCommand } from './control/command-text.ts';
import { buildLoadIndex } from './session/index-build.ts';
import { describeEnvironment } from './report/environment.ts';
import type { LoadOptions, LoadReport } from './options.ts';
import { loadNames } from './option-names.ts';
import { prepareLoad, refuseProblems, type Prepared } from './plan/plan.ts';
import { endOwner } from './session/owner.ts';
import { watchSession } from './session/hold-watch.ts';
import { createProgressMeter, type ProgressMeter } from './report/progress-meter.ts';
import { watchProgress } from './report/progress-watch.ts';
import { makeReport, reportNothingToDo, type Ending } from './report/report.ts';
import { runShards, type ShardsEnd, type ShardsWatch } from './session/run-shards.ts';
import { keepReport, reportFailure } from './report/session-report.ts';
import { beginSession, resumeSession, type Session } from './session/session.ts';
import { readSyncCounts } from './session/sync.ts';
import { createTally, type Tally } from './report/tally.ts';
import { finishTable } from './session/table-finish.ts';
import { verifyLoad } from './session/verify-load.ts';

/**
 * Loads rows into a table and accounts for every one of them. A load that is in the ledger already is taken up where it stopped, or found done.
 *
 * Ends with a report also when it was cancelled or the reject limit stopped it (`report.state`); the load can be resumed then.
 * @throws SLUICE_PLAN_REFUSED with all problems before anything is written; SLUICE_SOURCE_…, SLUICE_TARGET_…, SLUICE_LANE_DIED when it can't go on.
 */
export async function load(options: LoadOptions): Promise<LoadReport> {
  refuseUnknownOptions('load', options, loadNames);
  const prepared = await prepareLoad(options, 'load');
  try {
    return await loadPrepared(prepared, options);
  } finally {
    await prepared.close();
  }
}

async function loadPrepared(prepared: Prepared, options: LoadOptions): Promise<LoadReport> {
  const { earlier } = prepared;
  if (earlier?.what === 'nothing_to_do') return reportNothingToDo(earlier.load, options.to);
  if (earlier?.what !== 'resumes') refuseProblems(prepared.plan);
  if (options.signal?.aborted === true)
    throw new SluiceError('SLUICE_CANCELLED', `The load of ${prepared.source.name} was cancelled before it began.`, {
      hint: 'Nothing was written.',
    });
  const session =
    earlier?.what === 'resumes'
      ? await resumeSession({ ...options, in: options.to, from: undefined }, earlier.load, {
          input: prepared.source,
          kept: prepared.kept,
        })
      : await beginSession(prepared, options);
  if (session !== undefined) return runSession(session);
  // Another process entered the same load between the plan and the ledger: look again, and work on it together.
  const again = await prepareLoad({ ...options, again: false }, 'load');
  try {
    return await loadPrepared(again, options);
  } finally {
    await again.close();
  }
}

/** What a session gathers on its way to the report. */
interface Progressing {
  readonly session: Session;
  readonly tally: Tally;
  readonly meter: ProgressMeter;
  readonly startedMs: number;
  readonly cpu: NodeJS.CpuUsage;
  /** Lets what is asked of the load through the ledger reach its lanes. */
  readonly attach: ShardsWatch['attach'];
}

/** Runs a session to its end and closes it. */
export async function runSession(session: Session): Promise<LoadReport> {
  const { before } = session;
  const startedMs = performance.now();
  const meter = createProgressMeter({
    load: session.load,
    lanes: session.run.lanes,
    totalBytes: session.run.totalBytes,
    counts: before.counts,
    bytes: before.bytes,
    embedding: session.run.embed === undefined ? undefined : before.embedding,
    rejectsByCause: session.causesBefore,
    nowMs: startedMs,
  });
  const hold = watchSession(session);
  const progressing: Progressing = {
    session,
    tally: createTally(startedMs),
    meter,
    startedMs,
    cpu: process.cpuUsage(),
    attach: hold.attach,
  };
  const watch = watchProgress(meter, session.onProgress);
  try {
    return await runStages(progressing, watch.enter);
  } catch (error) {
    throw await recordFailure(progressing, error);
  } finally {
    watch.end();
    session.stops.close();
    await hold.close();
    endOwner(session.owner);
    await session.connection.close();
  }
}

async function runStages(progressing: Progressing, enter: (phase: 'load' | 'index' | 'verify' | 'done') => void): Promise<LoadReport> {
  const { session, tally, meter } = progressing;
  enter('load');
  const rowsEnd: ShardsEnd = await runShards(session, { tally, meter, attach: progressing.attach });
  const loaded = { ms: performance.now() - progressing.startedMs, cpu: process.cpuUsage(progressing.cpu) };
  enter('index');
  const table = await finishTable(session, meter, rowsEnd);
  const { end, index } = await endWithIndex(progressing, table.end);
  enter('verify');
  const verification = end === 'done' ? await verifyLoad(session) : undefined;
  // What was asked of a load that is done means nothing any more; of one that stopped, its other sessions may have to hear it yet.
  await session.connection.transact([endLoad(session.load, end), ...(end === 'done' ? [clearControl(session.load)] : [])]);
  const after = await readBack(session);
  const ending: Ending = {
    session,
    tally,
    end,
    index,
    verification,
    restored: table.decisions,
    after,
    causes: await readRejectCauses(session.connection, session.load),
    loaded,
    elapsedMs: performance.now() - progressing.startedMs,
    cpu: process.cpuUsage(progressing.cpu),
    environment: await describeEnvironment(session.connection),
    sync: await readSyncCounts(session.connection, after),
  };
  const report = await keepReport(session, makeReport(ending));
  enter('done');
  return report;
}

/** Rows are all there when the index is built: a cancel during it leaves a load that a resume finishes by building it. */
async function endWithIndex({ session, meter }: Progressing, rowsEnd: ShardsEnd): Promise<{ end: ShardsEnd; index: LoadReport['index'] }> {
  if (rowsEnd !== 'done') return { end: rowsEnd, index: undefined };
  try {
    return { end: 'done', index: await buildLoadIndex(session, meter) };
  } catch (error) {
    if (session.signal.aborted && isSluiceError(error, 'SLUICE_CANCELLED'))
      return { end: session.stops.cause() ?? 'cancelled', index: undefined };
    throw error;
  }
}

async function readBack(session: Session): Promise<LedgerLoad> {
  const found = await findLoad(session.connection, session.load);
  if (found === undefined) throw new SluiceError('SLUICE_INTERNAL', `Load ${session.load} is gone from the ledger.`);
  return found;
}

/** Writes the failure into the ledger where that is still possible, and puts the way on into the error. */
async function recordFailure(progressing: Progressing, error: unknown): Promise<SluiceError> {
  const { session } = progressing;
  const failure = isSluiceError(error)
    ? error
    : new SluiceError('SLUICE_INTERNAL', error instanceof Error ? error.message : String(error), { cause: error });
  const resume = `Resume with: ${writeResumeCommand(session.target, session.load)}`;
  const noted = new SluiceError(failure.code, failure.message, {
    cause: failure.cause ?? failure,
    problems: failure.problems,
    hint: [failure.hint, resume].filter((text) => text !== undefined).join(' '),
  });
  let isReachable = false;
  try {
    // The ledger first: it takes a few bytes, where indexes may need more room than there is.
    await session.connection.transact([
      releaseShards(session.load, session.owner),
      failLoad(session.load, `${failure.code}: ${failure.message}`),
    ]);
    isReachable = true;
    await session.connection.finish(session.load, session.run.table, { isComplete: false });
  } catch (second) {
    // The target is what failed: the ledger keeps the load as running, and its owner's end tells the next session that it is not.
    noted.cause = new AggregateError([failure, second], failure.message);
  }
  await reportFailure({ ...progressing, isReachable }, noted);
  return noted;
}
