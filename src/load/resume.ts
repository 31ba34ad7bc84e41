/** Goes on with a load: resume takes up what is unfinished, retry loads refused rows again as a load of its own. */
import { Readable } from 'node:stream';
import { SluiceError } from '../errors.ts';
import { adoptRejects } from '../ledger/statements.ts';
import { findByFingerprint, readLoads, type LedgerLoad } from '../ledger/reading.ts';
import { countRetryable, readRejects } from '../ledger/rejects.ts';
import { openSource } from '../source/open.ts';
import type { Source, SourceInput } from '../source/source.ts';
import type { Connection, TablePlan } from '../target/driver.ts';
import { connect } from '../target/registry.ts';
import { runSession } from './load.ts';
import type { LoadReport, ResumeOptions } from './options.ts';
import { nameLoad, refuseProblems } from './plan.ts';
import { reportNothingToDo } from './report.ts';
import { parseRunPlan, type RunPlan } from './run-plan.ts';
import { chooseRejected, openLedger } from './status.ts';
import { beginSession, chooseLoad, resumeSession, type Entry } from './session.ts';

/** Options of {@link retry}. */
export interface RetryOptions extends ResumeOptions {
  /** A file with the mended rows, in the format of the load's source; the rows that the ledger kept by default. */
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
  const found = await withConnection(options, (connection) => chooseLoad(connection, options.load));
  if (found.state === 'done') return reportNothingToDo(found, options.in);
  const { parent } = found;
  const run = parseRunPlan(found.plan, found.load);
  // A retry of mended rows has their file as its source, and is opened like any other load.
  const isOfKept = parent !== undefined && run.source === undefined && options.from === undefined;
  const input = isOfKept ? await openRejects(options.in, { parent, child: found.load, run }) : undefined;
  const session = await resumeSession(options, found, input);
  try {
    return await runSession(session);
  } finally {
    await session.source.close();
  }
}

/**
 * Loads the refused rows of a load (by default the newest that has some) again, as a load of its own. Rows that are refused again stand under the new load.
 * Rows that could not be read are only tried again from a mended file: their text is what was wrong.
 * @throws SLUICE_LOAD_UNKNOWN; SLUICE_USAGE when the ledger kept no rows to retry; SLUICE_PLAN_REFUSED when the table no longer takes them
 */
export async function retry(options: RetryOptions): Promise<LoadReport> {
  const { parent, unfinished, retryable } = await withConnection(options, async (connection) => {
    const found = await chooseRejected(connection, options.load);
    const children = (await readLoads(connection, found.table)).filter((load) => load.parent === found.load && load.state !== 'done');
    return { parent: found, unfinished: children.at(-1), retryable: await countRetryable(connection, found.load) };
  });
  if (unfinished !== undefined) return resume({ ...options, load: unfinished.load });
  if (parent.openRejects === 0) return reportNothingToDo(parent, options.in);
  if (retryable === 0 && options.from === undefined) throw nothingKept(parent);
  return retryAnew(options, parent);
}

function nothingKept({ load, openRejects: count }: LedgerLoad): SluiceError {
  return new SluiceError(
    'SLUICE_USAGE',
    `None of the ${String(count)} refused rows of load ${load} can be tried again as it is: they could not be read, or were not kept whole.`,
    {
      hint: `Mend them in a file and load that: sluice retry ${load} --from mended.file`,
    },
  );
}

async function retryAnew(options: RetryOptions, parent: LedgerLoad): Promise<LoadReport> {
  const child = nameLoad();
  const stored = parseRunPlan(parent.plan, parent.load);
  const { table, earlierCount } = await withConnection(options, (connection) => planRetry(connection, { parent, child, stored }));
  refuseProblems(table);
  const rejects = { parent: parent.load, child, run: { ...stored, sourceOptions: childOptions(stored) } };
  const source = options.from === undefined ? await openRejects(options.in, rejects) : await openSource(options.from, stored.sourceOptions);
  try {
    const run: RunPlan = {
      ...stored,
      table,
      source: source.descriptor,
      sourceName: source.name,
      sourceOptions: source.descriptor?.options ?? rejects.run.sourceOptions,
      totalBytes: source.byteCount,
      lanes: 1,
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
  const mode = stored.table.mode === 'replace' ? 'insert' : stored.table.mode;
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
  return run.format === 'jsonl'
    ? { ...run.sourceOptions, format: 'jsonl' }
    : { ...run.sourceOptions, columns: run.sourceOptions.columns ?? run.fields };
}

interface RejectSource {
  readonly parent: string;
  /** The load that adopted them: what it adopted stays the same, however often it is read again. */
  readonly child: string;
  readonly run: RunPlan;
}

/**
 * The kept rows of refused rows as a source, in the order of the input. They are handed over as bytes, which are not looked at before they are read:
 * when the source is opened for a new retry, that retry has not adopted its rows yet.
 */
async function openRejects(target: string, request: RejectSource): Promise<Source> {
  const { run, parent } = request;
  const input: SourceInput = Readable.from(streamRejects(target, request), { objectMode: false });
  const source = await openSource(input, { ...run.sourceOptions, format: run.format === 'objects' ? 'jsonl' : run.format });
  return { ...source, name: `refused rows of ${parent}` };
}

async function* streamRejects(target: string, { parent, child }: RejectSource): AsyncGenerator<string> {
  const connection = await connect(target, { isReadOnly: true });
  try {
    for await (const reject of readRejects(connection, parent, child)) {
      if (reject.raw !== null && !reject.isCut) yield `${reject.raw}\n`;
    }
  } finally {
    await connection.close();
  }
}
