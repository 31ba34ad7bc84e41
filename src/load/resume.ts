/** Goes on with a load: resume takes up what is unfinished, retry loads refused rows again as a load of its own. */
import { SluiceError } from '../errors.ts';
import { refuseUnknownOptions } from '../option-names.ts';
import { adoptRejects } from '../ledger/statements.ts';
import { isOver } from '../ledger/load-state.ts';
import { findByFingerprint, readLoads, type LedgerLoad } from '../ledger/reading.ts';
import { countRetryable } from '../ledger/rejects.ts';
import { findByExtension, formatNames } from '../source/formats.ts';
import { openSource } from '../source/open.ts';
import type { Sample, Source } from '../source/source.ts';
import type { Connection, TablePlan } from '../target/driver.ts';
import { runSession } from './load.ts';
import { writeBatchResume, writeCommand } from './control/command-text.ts';
import { fingerprintLoad } from './plan/fingerprint.ts';
import type { LoadReport, ResumeOptions } from './options.ts';
import { checkHold } from './option-check.ts';
import { resumeNames } from './option-names.ts';
import { nameLoad, refuseProblems } from './plan/plan.ts';
import { openRejects } from './session/reject-source.ts';
import { reportNothingToDo } from './report/report.ts';
import { keepDescriptor, parseRunPlan, type RunPlan } from './plan/run-plan.ts';
import { chooseRejected, openLedger } from './control/status.ts';
import { beginSession, chooseLoad, resumeSession, type Entry } from './session/session.ts';

/** Options of {@link retry}. */
export interface RetryOptions extends ResumeOptions {
  /**
   * A file with the mended rows, in the format that its name tells, else in that of the load's source; the rows that the ledger kept by default.
   * The same file is not loaded twice.
   */
  readonly from?: string | undefined;
}

async function withConnection<Result>(options: ResumeOptions, work: (connection: Connection) => Promise<Result>): Promise<Result> {
  const connection = await openLedger(options.in, options.lockTimeoutMs);
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

/**
 * Goes on with an unfinished load from what its ledger says; a finished one has nothing to do.
 * @throws SLUICE_LOAD_UNKNOWN, SLUICE_SOURCE_CHANGED, and what {@link load} throws
 */
export async function resume(options: ResumeOptions): Promise<LoadReport> {
  refuseUnknownOptions('resume', options, resumeNames);
  refuseUnfit(options);
  const found = await withConnection(options, (connection) => chooseLoad(connection, options.load));
  refuseBatch(found, options.in);
  refuseUndone(found);
  if (found.state === 'done') return reportNothingToDo(found, options.in);
  const { parent } = found;
  const run = parseRunPlan(found.plan, found.load);
  // A retry of mended rows has their file as its source, and is opened like any other load.
  const isOfKept = parent !== undefined && run.source === undefined && options.from === undefined;
  const input = isOfKept ? await openRejects(options.in, { parent, child: found.load, run, options: keptOptions(run) }) : undefined;
  const session = await resumeSession(options, found, { input });
  try {
    return await runSession(session);
  } finally {
    await session.source.close();
  }
}

function refuseUnfit(options: ResumeOptions): void {
  const problems = checkHold(options).filter((problem) => problem !== undefined);
  if (problems.length > 0) throw new SluiceError('SLUICE_USAGE', problems.join(' '), { problems });
}

/** Its rows were taken out again, its shards are what they were. @throws SLUICE_USAGE */
function refuseUndone({ load, source, state }: LedgerLoad): void {
  if (state !== 'undone') return;
  throw new SluiceError('SLUICE_USAGE', `Load ${load} was undone: its rows were taken out again.`, {
    hint: `Load ${source} again: it counts as new.`,
  });
}

/** Statements are no rows: a batch goes on by its own command, and what failed in it is mended and run as another batch. @throws SLUICE_USAGE */
function refuseBatch(found: LedgerLoad, target: string): void {
  if (found.mode !== 'batch') return;
  const isDone = found.state === 'done';
  throw new SluiceError('SLUICE_USAGE', `${found.load} is a batch of statements (${found.source}), not a load of rows.`, {
    hint: isDone
      ? `It is done. What failed: ${writeCommand('rejects', target, found.load)}; mend those statements and run them as a batch of their own.`
      : `Go on with: ${writeBatchResume(found, target)}`,
  });
}

/**
 * Loads the refused rows of a load (by default the newest that has some) again, as a load of its own. Rows that are refused again stand under the new load.
 * Rows that could not be read are only tried again from a mended file: their text is what was wrong.
 * @throws SLUICE_LOAD_UNKNOWN; SLUICE_USAGE when the ledger kept no rows to retry; SLUICE_PLAN_REFUSED when the table no longer takes them
 */
export async function retry(options: RetryOptions): Promise<LoadReport> {
  refuseUnknownOptions('retry', options, resumeNames);
  const { parent, retries, retryable } = await withConnection(options, async (connection) => {
    const found = await chooseRejected(connection, options.load);
    refuseBatch(found, options.in);
    const children = (await readLoads(connection, found.table)).filter((load) => load.parent !== undefined);
    return { parent: found, retries: children, retryable: await countRetryable(connection, found.load) };
  });
  const unfinished = retries.findLast((load) => load.parent === parent.load && !isOver(load.state));
  if (unfinished !== undefined) return resume({ ...options, load: unfinished.load });
  // Mended rows may come in several files, so a file is loaded even when another one has taken over the refused rows.
  if (options.from !== undefined) return retryMended({ ...options, from: options.from }, parent, retries);
  if (parent.openRejects === 0) return reportNothingToDo(parent, options.in);
  if (retryable === 0) throw nothingKept(parent, options.in);
  return retryKept(options, parent);
}

function nothingKept({ load, openRejects: count }: LedgerLoad, target: string): SluiceError {
  return new SluiceError(
    'SLUICE_USAGE',
    `None of the ${String(count)} refused rows of load ${load} can be tried again as it is: they could not be read, or were not kept whole.`,
    {
      hint: `Mend them in a file and load that: ${writeCommand('retry', target, load)} --from mended.jsonl`,
    },
  );
}

async function retryKept(options: RetryOptions, parent: LedgerLoad): Promise<LoadReport> {
  const stored = parseRunPlan(parent.plan, parent.load);
  const child = nameLoad();
  const run = { ...stored, sourceOptions: childOptions(stored), decisions: [] };
  const source = await openRejects(options.in, { parent: parent.load, child, run, options: keptOptions(run) });
  return runRetry({ options, parent, child, source, run });
}

async function retryMended(
  options: RetryOptions & { readonly from: string },
  parent: LedgerLoad,
  retries: readonly LedgerLoad[],
): Promise<LoadReport> {
  const stored = parseRunPlan(parent.plan, parent.load);
  const child = nameLoad();
  const source = await openSource(options.from, mendedOptions(options.from, stored));
  const mended = await fingerprintLoad({ from: options.from, to: options.in, table: parent.table }, source.descriptor, child);
  const earlier = retries.findLast((load) => parseRunPlan(load.plan, load.load).mended === mended);
  if (earlier !== undefined) {
    await source.close();
    return earlier.state === 'done' ? reportNothingToDo(earlier, options.in) : resume({ ...options, load: earlier.load });
  }
  const { fields } = await sampleMended(source, stored, parent);
  const settled = `the ${String(parent.openRejects)} open rejects of load ${parent.load}, whichever of them the file holds`;
  const decisions = [{ what: 'takes over', choice: settled, why: 'mended rows do not say where they stood' }];
  return runRetry({ options, parent, child, source, run: { ...stored, format: source.format, fields, decisions, mended } });
}

/** A file without a single field of the load, such as what `sluice rejects` prints, would become rows of nulls. */
async function sampleMended(source: Source, { table }: RunPlan, parent: LedgerLoad): Promise<Sample> {
  try {
    const sample = await source.sample();
    const wanted = table.columns.filter((column) => column.isEmbedded !== true).map((column) => column.field);
    if (wanted.some((field) => sample.fields.includes(field)) || sample.fields.length === 0) return sample;
    throw new SluiceError('SLUICE_USAGE', `${source.name} has none of the fields of load ${parent.load}: ${wanted.join(', ')}.`, {
      hint: 'Write the mended rows as the load had them; the member raw of what sluice rejects prints is such a row.',
    });
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** A mended file may have a format of its own, told by its name; how the load's format was read says nothing about it then. */
function mendedOptions(from: string, { format, sourceOptions }: RunPlan): RunPlan['sourceOptions'] {
  const named = findByExtension(from) ?? readKeptFormat(format);
  return named === format ? withoutFiles(sourceOptions) : { format: named, maxRowBytes: sourceOptions.maxRowBytes };
}

/** Rows of a source without lines of its own, objects, databases, elements of an array, are kept as JSON, a line each. */
function readKeptFormat(format: string): string {
  return format !== 'json' && formatNames.includes(format) ? format : 'jsonl';
}

interface Retry {
  readonly options: RetryOptions;
  readonly parent: LedgerLoad;
  readonly child: string;
  readonly source: Source;
  readonly run: RunPlan;
}

/** Enters the retry as a load of its own and runs it; closes the source. */
async function runRetry({ options, parent, child, source, run: stored }: Retry): Promise<LoadReport> {
  try {
    const { table, earlierCount } = await withConnection(options, (connection) => planRetry(connection, { parent, child, stored }));
    refuseProblems(table);
    const run: RunPlan = {
      ...stored,
      table,
      source: keepDescriptor(source.descriptor),
      sourceName: source.name,
      sourceOptions: source.descriptor?.options ?? stored.sourceOptions,
      totalBytes: source.byteCount,
      lanes: 1,
      // Those of the first load spoke of the table as it was then.
      decisions: [...table.decisions, ...stored.decisions],
      ...(options.maxRejects === undefined ? {} : { maxRejects: options.maxRejects }),
    };
    const entry: Entry = { load: child, run, source, fingerprint: nameRetry(parent), earlierCount };
    const records = [adoptRejects(parent.load, child, options.from === undefined)];
    const session = await beginSession(
      entry,
      { ...options, from: [], to: options.in, table: parent.table },
      { parent: parent.load, records },
    );
    if (session === undefined)
      throw new SluiceError('SLUICE_LOAD_BUSY', `Another process retries load ${parent.load} at this moment.`, {
        hint: 'Run the same command again.',
      });
    return await runSession(session);
  } finally {
    await source.close();
  }
}

/** One retry at a time: two processes that begin the same one have the same fingerprint, and only one of them is entered. */
function nameRetry(parent: LedgerLoad): string {
  return `retry ${parent.load}`;
}

/** The table is planned anew: what refused the rows may have been changed since. */
async function planRetry(
  connection: Connection,
  { parent, child, stored }: { readonly parent: LedgerLoad; readonly child: string; readonly stored: RunPlan },
): Promise<{ readonly table: TablePlan; readonly earlierCount: number }> {
  const { columns, key } = stored.table;
  // Refused rows alone are no source to mirror: everything else would vanish.
  const mode = stored.table.mode === 'replace' ? 'insert' : stored.table.mode === 'sync' ? 'upsert' : stored.table.mode;
  // Insert needs no key; one that was named for the first load may have been what was dropped.
  const table = await connection.planTable({
    load: child,
    table: parent.table,
    columns,
    key: mode === 'insert' ? [] : key,
    mode,
    expectedRows: undefined,
    expectedBytes: undefined,
  });
  return { table, earlierCount: (await findByFingerprint(connection, nameRetry(parent))).length };
}

/** The kept rows have no header line of their own, so their fields are named. */
function childOptions(run: RunPlan): RunPlan['sourceOptions'] {
  const options = withoutFiles(run.sourceOptions);
  return readKeptFormat(run.format) === 'jsonl' ? { ...options, format: 'jsonl' } : { ...options, columns: options.columns ?? run.fields };
}

function keptOptions(run: RunPlan): RunPlan['sourceOptions'] {
  return { ...withoutFiles(run.sourceOptions), format: readKeptFormat(run.format) };
}

/** Kept rows hold the vectors that stood beside them, and are not compressed. */
function withoutFiles({ compression: _compression, zip: _zip, ...options }: RunPlan['sourceOptions']): RunPlan['sourceOptions'] {
  return options;
}
