/** Goes on with a load: resume takes up what is unfinished, retry loads refused rows again as a load of its own. */
import { SluiceError } from '../errors.ts';
import { adoptRejects } from '../ledger/statements.ts';
import { findByFingerprint, readLoads, readRejects, type LedgerLoad } from '../ledger/reading.ts';
import { openSource } from '../source/open.ts';
import type { Source, SourceInput } from '../source/source.ts';
import type { Connection } from '../target/driver.ts';
import { connect } from '../target/registry.ts';
import { runSession } from './load.ts';
import type { LoadReport, ResumeOptions } from './options.ts';
import { nameLoad } from './plan.ts';
import { reportNothingToDo } from './report.ts';
import { parseRunPlan, type RunPlan } from './run-plan.ts';
import { beginSession, chooseLoad, resumeSession, type Entry } from './session.ts';

/** Options of {@link retry}. */
export interface RetryOptions extends ResumeOptions {
  /** A file with the mended rows, in the format of the load's source; the rows that the ledger kept by default. */
  readonly from?: string | undefined;
}

async function withConnection<Result>(options: ResumeOptions, work: (connection: Connection) => Promise<Result>): Promise<Result> {
  const connection = await connect(options.in, { isReadOnly: true, ...(options.lockTimeoutMs === undefined ? {} : { lockTimeoutMs: options.lockTimeoutMs }) });
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
  const parent = found.parent;
  const input = parent === undefined || options.from !== undefined ? undefined : await openRejects(options.in, { parent, child: found.load, run: parseRunPlan(found.plan, found.load) });
  const session = await resumeSession(options, found, input);
  try {
    return await runSession(session);
  } finally {
    await session.source.close();
  }
}

/**
 * Loads the refused rows of a load again, as a load of its own with the same plan. Rows that are refused again stand under the new load.
 * @throws SLUICE_LOAD_UNKNOWN; SLUICE_USAGE when the ledger kept no rows to retry
 */
export async function retry(options: RetryOptions): Promise<LoadReport> {
  const { parent, unfinished } = await withConnection(options, async (connection) => {
    const found = await chooseLoad(connection, options.load);
    const children = (await readLoads(connection, found.table)).filter((load) => load.parent === found.load && load.state !== 'done');
    return { parent: found, unfinished: children.at(-1) };
  });
  if (unfinished !== undefined) return resume({ ...options, load: unfinished.load });
  if (parent.openRejects === 0) return reportNothingToDo(parent, options.in);
  return retryAnew(options, parent);
}

async function retryAnew(options: RetryOptions, parent: LedgerLoad): Promise<LoadReport> {
  const child = nameLoad();
  const stored = parseRunPlan(parent.plan, parent.load);
  const run: RunPlan = {
    ...stored,
    source: undefined,
    lanes: 1,
    totalBytes: undefined,
    sourceOptions: childOptions(stored),
    ...(options.maxRejects === undefined ? {} : { maxRejects: options.maxRejects }),
    table: { ...stored.table, mode: stored.table.mode === 'replace' ? 'insert' : stored.table.mode, writesTo: stored.table.table, isNew: false, ddl: [], deferredIndexes: [] },
  };
  const source = options.from === undefined ? await openRejects(options.in, { parent: parent.load, child, run }) : await openSource(options.from, stored.sourceOptions);
  const prepared = await prepareRetry({ options, parent, child, run, source });
  try {
    const session = await beginSession(prepared, { ...options, from: [], to: options.in, table: parent.table }, { parent: parent.load, records: [adoptRejects(parent.load, child, options.from === undefined)] });
    if (session === undefined) throw new SluiceError('SLUICE_LOAD_BUSY', `Another process retries load ${parent.load} at this moment.`, { hint: 'Run the same command again.' });
    return await runSession(session);
  } finally {
    await source.close();
  }
}

interface RetryRequest {
  readonly options: RetryOptions;
  readonly parent: LedgerLoad;
  readonly child: string;
  readonly run: RunPlan;
  readonly source: Source;
}

async function prepareRetry({ options, parent, child, run, source }: RetryRequest): Promise<Entry> {
  // One retry at a time: two processes that begin the same one have the same fingerprint, and only one of them is entered.
  const fingerprint = `retry ${parent.load}`;
  const earlierCount = await withConnection(options, async (connection) => (await findByFingerprint(connection, fingerprint)).length);
  return { load: child, run, source, fingerprint, earlierCount };
}

/** The kept rows have no header line of their own, so their fields are named. */
function childOptions(run: RunPlan): RunPlan['sourceOptions'] {
  return run.format === 'jsonl' ? { ...run.sourceOptions, format: 'jsonl' } : { ...run.sourceOptions, columns: run.sourceOptions.columns ?? run.fields };
}

interface RejectSource {
  readonly parent: string;
  /** The load that adopted them: what it adopted stays the same, however often it is read again. */
  readonly child: string;
  readonly run: RunPlan;
}

/** The kept rows of refused rows as a source, in the order of the input; a row without text can't be retried and is passed over. */
async function openRejects(target: string, request: RejectSource): Promise<Source> {
  const input: SourceInput = streamRejects(target, request);
  return openSource(input, { ...request.run.sourceOptions, format: request.run.format === 'objects' ? 'jsonl' : request.run.format });
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
