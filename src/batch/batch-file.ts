/** The batch verb for files and streams of any size: unit after unit in bounded memory, each exactly once, resumable from the ledger. */
import { isSluiceError, SluiceError } from '../errors.ts';
import { findLoad, type LedgerLoad } from '../ledger/reading.ts';
import { endLoad, failLoad, releaseShards } from '../ledger/statements.ts';
import { openClaims } from '../load/session/claims.ts';
import { endOwner, nameOwner } from '../load/session/owner.ts';
import { isOverRejectLimit } from '../load/session/reject-limit.ts';
import type { Claim, Connection } from '../target/driver.ts';
import { connect } from '../target/registry.ts';
import { readShape } from '../sql/shape.ts';
import { enterBatch, readNote, type Entry } from './batch-entry.ts';
import { countRejected } from './batch-note.ts';
import { makeReport, reportNothingToDo, writeBatchCommand, type BatchEnding } from './batch-report.ts';
import { describeUnit } from './batch.ts';
import { checkFileOptions, defaultMaxErrors, defaultUnit } from './file-options.ts';
import type { BatchFailure, BatchFileOptions, BatchReport, FileAnswer } from './options.ts';
import { checkScript } from './script-check.ts';
import { openStatements, type StatementInput } from './statement-source.ts';
import { openStatusFile, type StatusFile } from './status-file.ts';
import { commitUnit, type Progressing } from './unit-commit.ts';
import { cutUnits, type Unit } from './unit-cut.ts';
import { isReadOnlyRefusal, runUnledgered } from './unledgered.ts';
import { openUnitLink, repeatOver, type RunningConnection, type UnitLink } from './unit-run.ts';

const maxFailuresKept = 10;

/** How long a target that failed is waited for to write that down. The next session finds out without it. */
const lastWordsMs = 5_000;

/**
 * Runs the statements of a file in units. A file that is in the ledger already goes on where it stopped, or is found done.
 *
 * Ends with a report also when it was cancelled or the error limit stopped it (`report.state`); the same call then goes on.
 * @throws SLUICE_SOURCE_INVALID for a file that can't be read on, after what stood before was run; SLUICE_USAGE, SLUICE_SOURCE_…, SLUICE_TARGET_…, SLUICE_LINK_LOST
 */
export async function batchFile(options: BatchFileOptions): Promise<BatchReport> {
  checkFileOptions(options);
  const input = openStatements(options);
  try {
    if (options.signal?.aborted === true)
      throw new SluiceError('SLUICE_CANCELLED', `The batch of ${input.name} was cancelled before it began.`, { hint: 'Nothing was run.' });
    const link = await openUnitLink(options);
    try {
      await checkScript(input, link.connection.capabilities.dialect ?? 'sqlite');
      const entry = await enterBatch({ options, input, connection: link.connection }).catch((error: unknown) => {
        if (isReadOnlyRefusal(error)) return error;
        throw error;
      });
      if (entry instanceof SluiceError) return await runUnledgered({ options, input, link, refusal: entry });
      if (entry.kind === 'nothing_to_do') return reportNothingToDo(entry, { options, input });
      return await runEntered({ options, input, link, entry });
    } finally {
      await link.close();
    }
  } finally {
    await input.close();
  }
}

interface Entered {
  readonly options: BatchFileOptions;
  readonly input: StatementInput;
  readonly link: UnitLink & { readonly connection: RunningConnection };
  readonly entry: Entry;
}

/** Takes the batch's one shard, runs it and ends the session in the ledger. */
async function runEntered(entered: Entered): Promise<BatchReport> {
  const { options, entry } = entered;
  const batch = entry.load.load;
  const owner = nameOwner();
  const ledger = await connect(options.to, options.lockTimeoutMs === undefined ? {} : { lockTimeoutMs: options.lockTimeoutMs });
  const signal = options.signal ?? new AbortController().signal;
  const claims = openClaims({ connection: ledger, load: batch, owner, isOrdered: true, signal });
  try {
    const claim = await claims.next();
    const ending = await runClaimed(entered, claim);
    await claims.close();
    await endSession(entered, owner, ending.state);
    return makeReport(await readBack(entered), ending, entered);
  } catch (error) {
    await claims.close();
    throw await recordFailure(entered, owner, error);
  } finally {
    endOwner(owner);
    await ledger.close();
  }
}

async function runClaimed(entered: Entered, claim: Claim | undefined): Promise<BatchEnding> {
  const { options, link, entry } = entered;
  // Another process may have gone on with it while this one waited.
  const note = await readNote(link.connection, entry.load.load);
  const opened = openStatusFile(options.statusFile, note.status);
  const status = opened === undefined ? undefined : { path: opened.file.path, bytes: opened.bytes };
  const run: Running = {
    entered,
    batch: {
      link,
      status: opened?.file,
      isRead: chooseReads(link.connection),
      run: { timeoutMs: options.timeoutMs },
      claim: claim ?? missing,
      note: { ...note, status },
      sends: 0,
      isDoubtful: false,
    },
    startedMs: performance.now(),
    failures: [],
    before: note.counts.read,
    units: 0,
  };
  try {
    const state = claim === undefined ? (options.signal?.aborted === true ? 'cancelled' : 'done') : await runUnits(run);
    return toEnding(run, state);
  } finally {
    closeStatus(run.batch, opened?.file);
  }
}

/** Stands for the claim of a batch that has nothing left to claim: its place is never used. */
const missing: Claim = {
  load: '',
  shard: { ordinal: 0, file: 0, start: 0, head: '', tail: '' },
  epoch: 0,
  position: { offset: 0, row: 0, line: 0 },
};

/** Lines of a unit that was not committed go; where nobody can tell yet they stay for the next session, which asks the ledger. */
function closeStatus({ note, isDoubtful }: Progressing, file: StatusFile | undefined): void {
  if (file === undefined) return;
  try {
    if (!isDoubtful) file.cut(note.status?.bytes ?? 0);
  } finally {
    file.close();
  }
}

/** Of PostgreSQL's functions a SELECT may call any, so there nothing is sure to only read. */
function chooseReads({ capabilities }: Connection): (sql: string) => boolean {
  return capabilities.dialect === 'postgres' ? () => false : (sql) => readShape(sql, 'sqlite').isRead;
}

interface Running {
  readonly entered: Entered;
  readonly batch: Progressing;
  readonly startedMs: number;
  readonly failures: BatchFailure[];
  /** Statements of earlier sessions. */
  readonly before: number;
  units: number;
}

async function runUnits(run: Running): Promise<BatchEnding['state']> {
  const { batch, entered } = run;
  const { options, input, link } = entered;
  const { offset, line } = batch.claim.position;
  const isTransaction = options.transaction ?? false;
  const units = cutUnits({
    input,
    dialect: link.connection.capabilities.dialect ?? 'sqlite',
    from: { offset, line, crc: batch.note.crc },
    size: options.unit ?? (isTransaction ? undefined : defaultUnit),
    isTransaction,
    signal: options.signal,
  });
  tell(run);
  try {
    for await (const unit of units) {
      if (isOverLimit(run, false)) return 'error_limit';
      if (options.signal?.aborted === true) return 'cancelled';
      await runOne(run, unit);
    }
  } catch (error) {
    if (options.signal?.aborted === true && isSluiceError(error, 'SLUICE_CANCELLED')) return 'cancelled';
    throw error;
  }
  return isOverLimit(run, true) ? 'error_limit' : 'done';
}

function isOverLimit({ batch, entered }: Running, isWhole: boolean): boolean {
  const { counts } = batch.note;
  return isOverRejectLimit(entered.options.maxErrors ?? defaultMaxErrors, { rejected: countRejected(counts), read: counts.read, isWhole });
}

async function runOne(run: Running, unit: Unit): Promise<void> {
  const { batch, entered } = run;
  const first = batch.claim.position.row;
  const request = describeUnit(
    entered.options,
    unit.statements.map(({ statement }) => statement),
  );
  const answers = await commitUnit(batch, { unit, request });
  if (answers.length > 0) run.units++;
  const told = answers.map((answer, index): FileAnswer => ({
    index: first + index,
    line: (unit.statements[index]?.start.line ?? 0) + 1,
    ...answer,
  }));
  for (const answer of told) {
    if (run.failures.length >= maxFailuresKept) break;
    if (answer.status === 'error')
      run.failures.push({ index: answer.index, line: answer.line, code: answer.error.code, message: answer.error.message });
  }
  await entered.options.onAnswers?.(told);
  tell(run);
}

function tell(run: Running): void {
  const { batch, entered, startedMs, before } = run;
  const { options, input, entry } = entered;
  const elapsedMs = performance.now() - startedMs;
  const { counts } = batch.note;
  options.onProgress?.({
    batch: entry.load.load,
    resume: writeBatchCommand(entry.load.load, { options, input }),
    counts,
    bytes: batch.claim.position.offset,
    totalBytes: input.byteCount,
    elapsedMs,
    statementsPerSecond: ((counts.read - before) * 1_000) / Math.max(1, elapsedMs),
  });
}

function toEnding({ batch, startedMs, failures, before, units }: Running, state: BatchEnding['state']): BatchEnding {
  return {
    state,
    counts: batch.note.counts,
    failures,
    before,
    units,
    elapsedMs: performance.now() - startedMs,
    status: batch.status?.path,
  };
}

const ledgerStates: Readonly<Record<BatchEnding['state'], string>> = { done: 'done', error_limit: 'reject_limit', cancelled: 'cancelled' };

async function endSession({ link, entry }: Entered, owner: string, state: BatchEnding['state']): Promise<void> {
  const batch = entry.load.load;
  await repeatOver(link, (connection) => connection.transact([releaseShards(batch, owner), endLoad(batch, ledgerStates[state])]));
}

async function readBack({ link, entry }: Entered): Promise<LedgerLoad> {
  const batch = entry.load.load;
  const found = await repeatOver(link, (connection) => findLoad(connection, batch));
  if (found === undefined) throw new SluiceError('SLUICE_INTERNAL', `Batch ${batch} is gone from the ledger.`);
  return found;
}

/** Writes the failure into the ledger where that is still possible, and puts the way on into the error. */
async function recordFailure({ link, entry, options, input }: Entered, owner: string, error: unknown): Promise<SluiceError> {
  const failure = isSluiceError(error)
    ? error
    : new SluiceError('SLUICE_INTERNAL', error instanceof Error ? error.message : String(error), { cause: error });
  const resume = `Go on with: ${writeBatchCommand(entry.load.load, { options, input })}`;
  const noted = new SluiceError(failure.code, failure.message, {
    cause: failure.cause ?? failure,
    problems: failure.problems,
    // What was asked for has to change first, and its hint says how.
    hint: (failure.code === 'SLUICE_USAGE' ? [failure.hint] : [failure.hint, resume]).filter((text) => text !== undefined).join(' '),
  });
  try {
    await link.connection.transact(
      [releaseShards(entry.load.load, owner), failLoad(entry.load.load, `${failure.code}: ${failure.message}`)],
      { signal: AbortSignal.timeout(lastWordsMs) },
    );
  } catch (second) {
    // The target is what failed: the ledger keeps the batch as running, and its owner's end tells the next session that it is not.
    noted.cause = new AggregateError([failure, second], failure.message);
  }
  return noted;
}
