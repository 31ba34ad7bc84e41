/** One session of a load: a new load is entered in the ledger, an unfinished one is taken up again. From here on the ledger alone says what is done. */
import { isSluiceError, SluiceError } from '../../errors.ts';
import { insertLoad, insertShard, recordVector, reopenLoad } from '../../ledger/statements.ts';
import { clearControl } from '../../ledger/controls.ts';
import { isOver } from '../../ledger/load-state.ts';
import { countRowsAhead, findLoad, hasLedger, readLoads, type LedgerLoad } from '../../ledger/reading.ts';
import { readRejectCauses } from '../../ledger/rejects.ts';
import { openSource, reopenSource } from '../../source/open.ts';
import type { Source } from '../../source/source.ts';
import type { Connection, Decision, Statement } from '../../target/driver.ts';
import { connect } from '../../target/registry.ts';
import type { LoadOptions, Progress, RateLimit, RejectCause, ResumeOptions } from '../options.ts';
import { nameOwner } from './owner.ts';
import type { ThreadStock } from '../lane/threads.ts';
import { describeLimit } from '../plan/hold-plan.ts';
import type { Kept, Prepared } from '../plan/plan.ts';
import { listEmbeds, listIndexPlans, parseRunPlan, type RunPlan } from '../plan/run-plan.ts';
import { checkUnchanged } from '../plan/source-change.ts';
import { findSuccessor, refuseReplaced, replaceOlderSyncs, restateLimit } from './sync.ts';
import { openStops, type SessionStops } from './session-stops.ts';

/** Tables up to this many rows have their keys digested before a load, so that they can be verified as a whole afterwards. */
const maxBaseRows = 1_000_000;

/** Everything that a running load holds. */
export interface Session {
  readonly load: string;
  readonly label: string | undefined;
  readonly target: string;
  readonly run: RunPlan;
  readonly source: Source;
  /** For the ledger and the ends of the load; lanes have their own. */
  readonly connection: Connection;
  /** Threads that the plan's maker started for the lanes. */
  readonly threads: ThreadStock | undefined;
  readonly owner: string;
  /** The load as the ledger had it when the session began. */
  readonly before: LedgerLoad;
  readonly causesBefore: readonly RejectCause[];
  readonly lockTimeoutMs: number | undefined;
  readonly onProgress: ((progress: Progress) => void) | undefined;
  /** Aborted when the session is to stop, for whatever reason. */
  readonly signal: AbortSignal;
  readonly stops: SessionStops;
  readonly limit: number | undefined;
  readonly rate: RateLimit | undefined;
  readonly startedAt: string;
}

type SessionOptions = Pick<LoadOptions, 'lockTimeoutMs' | 'onProgress' | 'signal' | 'limit' | 'maxDurationMs' | 'rate'>;

function connectOptions(options: SessionOptions): { readonly lockTimeoutMs?: number } {
  return options.lockTimeoutMs === undefined ? {} : { lockTimeoutMs: options.lockTimeoutMs };
}

/** What of a prepared load is entered. */
export type Entry = Pick<Prepared, 'load' | 'run' | 'source' | 'fingerprint' | 'earlierCount'> & { readonly kept?: Kept };

/** The load whose refused rows a new one tries again, and what to write into the ledger with it. */
export interface Retried {
  readonly parent: string;
  readonly records: readonly Statement[];
}

/** Enters a new load: ledger rows, shards, table and put-off indexes in one transaction. Undefined when another process entered the same load at this moment. */
export async function beginSession(prepared: Entry, options: LoadOptions, retried?: Retried): Promise<Session | undefined> {
  const connection = prepared.kept?.takeConnection() ?? (await connect(options.to, connectOptions(options)));
  try {
    const records = await listRecords(prepared, { options, connection, retried });
    await connection.prepare(prepared.load, prepared.run.table, records);
    const { kept, load, run, source } = prepared;
    return await openSession({ connection, threads: kept?.threads, load, target: options.to, run, source, options });
  } catch (error) {
    await connection.close();
    if (isSluiceError(error, 'SLUICE_FENCED')) return undefined;
    throw error;
  }
}

interface Entering {
  readonly options: LoadOptions;
  readonly connection: Connection;
  readonly retried: Retried | undefined;
}

async function listRecords(prepared: Entry, { options, connection, retried }: Entering): Promise<readonly Statement[]> {
  const { run, source, load } = prepared;
  const base = await readBase(run, connection);
  const records = [
    ...(run.table.mode === 'sync' ? replaceOlderSyncs(run.table.table, load, options.label) : []),
    insertLoad({
      load,
      label: options.label,
      fingerprint: prepared.fingerprint,
      source: source.name,
      table: run.table.table,
      mode: run.table.mode,
      plan: JSON.stringify(run),
      parent: retried?.parent,
      totalBytes: source.byteCount,
      baseRows: base.rows,
      baseDigest: base.digest,
      earlierCount: prepared.earlierCount,
    }),
  ];
  const shards = source.joinedShards?.(run.shardBytes, options.signal) ?? source.shards(run.shardBytes, options.signal);
  for await (const shard of shards) records.push(insertShard(load, shard));
  return [...records, ...listVectors(run), ...(retried?.records ?? [])];
}

function listVectors(run: RunPlan): readonly Statement[] {
  const { table } = run;
  return table.columns.flatMap((column, at) => {
    if (column.type !== 'vector') return [];
    const embed = listEmbeds(run).find(({ into }) => into === at);
    const index = listIndexPlans(run).find((each) => each.column === column.name);
    return [
      recordVector({
        table: table.table,
        column: column.name,
        dimensions: column.dimensions ?? 0,
        metric: index?.metric ?? 'cosine',
        embedder: embed === undefined ? undefined : JSON.stringify({ spec: embed.spec, identity: embed.identity }),
        textColumn: embed === undefined ? undefined : table.columns[embed.from]?.name,
      }),
    ];
  });
}

/** What the table holds before the load: nothing for a new one, else its rows and, unless it is large, the digest of its keys. */
async function readBase(
  { table }: RunPlan,
  connection: Connection,
): Promise<{ readonly rows: number | undefined; readonly digest: string | undefined }> {
  const empty = { rows: 0, digest: '0'.repeat(16) };
  if (table.settings['countsRows'] === false) return { rows: undefined, digest: undefined };
  if (table.isNew || table.mode === 'replace') return empty;
  // What a table held before its second load is what the loads before account for; to read all of it would be a third of a sync.
  if (table.mode === 'sync' && (await hasHistory(connection, table.table))) return { rows: undefined, digest: undefined };
  const rows = await connection.countRows(table.table);
  if (rows === 0) return empty;
  const isTracked = table.settings['tracksKeys'] === true;
  return isTracked && rows <= maxBaseRows
    ? { rows, digest: (await connection.digestKeys(table.table, table.key)).digest }
    : { rows, digest: undefined };
}

/** Whether the ledger knows what the table held before an earlier load, and what it became since. */
async function hasHistory(connection: Connection, table: string): Promise<boolean> {
  if (!(await hasLedger(connection))) return false;
  const loads = await readLoads(connection, table);
  return loads.some((load) => load.baseRows !== undefined && load.state !== 'undone' && (load.mode !== 'replace' || load.state === 'done'));
}

interface Opening {
  readonly connection: Connection;
  readonly threads?: ThreadStock | undefined;
  readonly load: string;
  readonly target: string;
  readonly run: RunPlan;
  readonly source: Source;
  readonly options: SessionOptions;
}

async function openSession({ connection, threads, load, target, run, source, options }: Opening): Promise<Session> {
  const before = await findLoad(connection, load);
  if (before === undefined) throw new SluiceError('SLUICE_INTERNAL', `Load ${load} is not in the ledger after it was entered.`);
  const stops = openStops(options);
  return {
    load,
    label: before.label,
    target,
    run,
    source,
    connection,
    threads,
    owner: nameOwner(),
    before,
    causesBefore: await readRejectCauses(connection, load),
    lockTimeoutMs: options.lockTimeoutMs,
    onProgress: options.onProgress,
    signal: stops.signal,
    stops,
    limit: options.limit,
    rate: options.rate,
    startedAt: new Date().toISOString(),
  };
}

/** The newest load that gave this label up when it was undone. */
function findUndone(loads: readonly LedgerLoad[], label: string): LedgerLoad | undefined {
  return loads.findLast(({ load, plan, state }) => state === 'undone' && parseRunPlan(plan, load).undoneLabel === label);
}

/**
 * The load that a name means: an id, a label, or the newest unfinished one (else the newest) without a name.
 * @throws SLUICE_LOAD_UNKNOWN
 */
export async function chooseLoad(connection: Connection, name: string | undefined): Promise<LedgerLoad> {
  const loads = await readLoads(connection);
  const found =
    name === undefined
      ? (loads.findLast((load) => !isOver(load.state) && findSuccessor(loads, load) === undefined) ??
        loads.findLast(({ mode }) => mode !== 'delete'))
      : ((await findLoad(connection, name)) ?? findUndone(loads, name));
  if (found !== undefined) return found;
  const known = loads.map((load) => load.label ?? load.load).slice(-5);
  throw new SluiceError(
    'SLUICE_LOAD_UNKNOWN',
    name === undefined ? 'There is no load in this target.' : `There is no load ${name} in this target.`,
    {
      hint: known.length === 0 ? 'Nothing was ever loaded into it by sluice.' : `Known loads, newest last: ${known.join(', ')}.`,
    },
  );
}

/** What is open already when a load is taken up again. */
interface Opened {
  /** In the place of what the plan names. */
  readonly input?: Source | undefined;
  readonly kept?: Kept | undefined;
}

/** Takes up an unfinished load. @throws SLUICE_SOURCE_CHANGED when its input is not what it was */
export async function resumeSession(options: ResumeOptions, found: LedgerLoad, opened: Opened = {}): Promise<Session> {
  const { input, kept } = opened;
  const connection = kept?.takeConnection() ?? (await connect(options.in, connectOptions(options)));
  try {
    await refuseReplaced(connection, found);
    const stored = parseRunPlan(found.plan, found.load);
    const lanes = stored.source === undefined ? 1 : (options.lanes ?? stored.lanes);
    const run: RunPlan = {
      ...stored,
      ...(options.maxRejects === undefined ? {} : { maxRejects: options.maxRejects }),
      ...(options.maxDeletes === undefined ? {} : { maxDeletes: options.maxDeletes }),
      ...(options.cache === undefined ? {} : { cache: options.cache }),
      lanes,
      decisions: [
        ...restateLanes(restateLimit(stored.decisions, options.maxDeletes), lanes),
        ...(await tellRowsAhead(connection, found, options)),
      ],
    };
    const source = input ?? (await reopen(run, options, found));
    checkKind(source, stored, found);
    await checkUnchanged(connection, source, found);
    // The table was made together with the load's entry. Made again, a table that was replaced already, or dropped by somebody, would be an empty one.
    await connection.prepare(found.load, { ...run.table, ddl: [] }, [reopenLoad(found.load), clearControl(found.load)]);
    return await openSession({ connection, threads: kept?.threads, load: found.load, target: options.in, run, source, options });
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** A limit that can't be of the first rows any more. */
async function tellRowsAhead(connection: Connection, { load }: LedgerLoad, { limit }: ResumeOptions): Promise<readonly Decision[]> {
  const rowsAhead = limit === undefined ? 0 : await countRowsAhead(connection, load);
  return limit === undefined || rowsAhead === 0 ? [] : [describeLimit(limit, rowsAhead, '')];
}

/** As they are in this session, where it was asked for others than were planned. */
function restateLanes(decisions: readonly Decision[], lanes: number): readonly Decision[] {
  const choice = String(lanes);
  return decisions.map((each) => (each.what === 'lanes' && each.choice !== choice ? { what: 'lanes', choice, why: 'as asked for' } : each));
}

async function reopen(run: RunPlan, options: ResumeOptions, found: LedgerLoad): Promise<Source> {
  if (options.from !== undefined) return openSource(options.from, run.sourceOptions);
  if (run.source !== undefined) return reopenSource(run.source);
  throw new SluiceError('SLUICE_USAGE', `Load ${found.load} read a stream (${found.source}), which can't be opened again by itself.`, {
    hint:
      found.label === undefined
        ? 'Give the same rows again from the start: resume({ from }) or "… | sluice resume --from - …".'
        : `Run the same load with the same label (${found.label}) and the same rows again.`,
  });
}

/** Places in a file mean nothing in a stream, nor the other way round. */
function checkKind(source: Source, stored: RunPlan, found: LedgerLoad): void {
  if ((source.descriptor === undefined) === (stored.source === undefined)) return;
  const what = stored.source === undefined ? 'a stream, and a file is given now' : 'a file, and a stream is given now';
  throw new SluiceError('SLUICE_SOURCE_CHANGED', `Load ${found.load} began with ${what} (${source.name}).`, {
    hint: `Resume it with what it began with (${found.source}), or load the new one under another label.`,
  });
}
