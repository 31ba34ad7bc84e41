/** `verify --deep`: the values of every row against the source that it came from. Reads only; memory holds a batch for each reader and the first differences. */
import { createReadStream, statSync } from 'node:fs';
import { formatCount } from '../count-text.ts';
import { isSluiceError, SluiceError, type ErrorCode } from '../errors.ts';
import { readShards, type LedgerLoad, type LedgerShard } from '../ledger/reading.ts';
import { parseRunPlan, type RunPlan } from '../load/plan/run-plan.ts';
import { openSource, reopenSource } from '../source/open.ts';
import type { Source, SourceInput } from '../source/source.ts';
import type { Connection } from '../target/driver.ts';
import {
  maxKeys,
  type DeepDifference,
  type DeepLoad,
  type DeepProgress,
  type DeepReport,
  type DeepShard,
  type DeepTask,
} from './deep-contract.ts';
import { readShardsDeep } from './deep-readers.ts';
import { addFindings, createTotal, nothing, type Total } from './deep-total.ts';
import { chooseColumns } from './deep-shard.ts';

export interface DeepRequest {
  readonly target: string;
  readonly connection: Connection;
  /** The loads that made the table what it is, oldest first. */
  readonly loads: readonly LedgerLoad[];
  /** Rows that loads took out of the table, by load. */
  readonly deletions: ReadonlyMap<string, number>;
  /** The load that was asked for by name; undefined: all of them. */
  readonly named: string | undefined;
  /** Rows again, in the place of what the plan of the load names. */
  readonly from: SourceInput | undefined;
  readonly showsValues: boolean;
  readonly lanes: number | undefined;
  readonly lockTimeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: DeepProgress) => void) | undefined;
}

/** Reasons why one load of several can be passed over and said to be. */
const passable: readonly ErrorCode[] = [
  'SLUICE_USAGE',
  'SLUICE_SOURCE_MISSING',
  'SLUICE_SOURCE_CHANGED',
  'SLUICE_SOURCE_DENIED',
  'SLUICE_SOURCE_EMPTY',
];

/**
 * Compares the loads of a table, or the one that is named, with their sources.
 * @throws what kept the only load, or all of them, from being compared: SLUICE_SOURCE_CHANGED, SLUICE_SOURCE_MISSING, SLUICE_USAGE for a stream or a load without a key
 */
export async function verifyDeep(request: DeepRequest): Promise<DeepReport> {
  // A deletion has no rows of its own, and those of an undone load are gone.
  const live = request.loads.filter((load) => load.state !== 'undone' && load.mode !== 'delete');
  const newest = live.at(-1);
  const isOne = request.named !== undefined || request.from !== undefined;
  const wanted = isOne ? live.filter((load) => load.load === (request.named ?? newest?.load)) : live;
  const found: DeepLoad[] = [];
  const differences: DeepDifference[] = [];
  let failure: SluiceError | undefined;
  for (const load of wanted) {
    try {
      const result = await compareLoad(request, load);
      found.push(result.load);
      // What later loads explain is counted, and no row of it is held up as wrong.
      if (!result.load.isOk) differences.push(...result.differences);
    } catch (error) {
      if (!isSluiceError(error) || !passable.includes(error.code)) throw error;
      failure ??= error;
      found.push(passOver(load, error.message));
    }
  }
  if (failure !== undefined && found.every((load) => load.notCompared !== undefined)) throw withWay(failure);
  return { loads: found, differences };
}

/** A file that is elsewhere now can be named. */
function withWay(failure: SluiceError): SluiceError {
  if (failure.code !== 'SLUICE_SOURCE_MISSING') return failure;
  return new SluiceError(failure.code, failure.message, { cause: failure, hint: 'Say where it is now with --from.' });
}

function passOver({ load, source }: LedgerLoad, why: string): DeepLoad {
  return { load, source, ...nothing, notCompared: why, excuse: undefined, isOk: true, byColumn: [], passedOver: [] };
}

async function compareLoad(
  request: DeepRequest,
  load: LedgerLoad,
): Promise<{ readonly load: DeepLoad; readonly differences: readonly DeepDifference[] }> {
  const run = parseRunPlan(load.plan, load.load);
  if (run.table.key.length === 0) {
    throw new SluiceError('SLUICE_USAGE', `Load ${load.load} has no key, so its rows can't be found in ${load.table} one by one.`, {
      hint: 'Without --deep its rows are counted. Load with --key to compare values.',
    });
  }
  const source = await openAgain(request, load, run);
  try {
    return await compareSource(request, { load, run, source });
  } finally {
    await source.close();
  }
}

async function openAgain({ from }: DeepRequest, load: LedgerLoad, run: RunPlan): Promise<Source> {
  // What was read as a stream is one shard without an identity of its own: a file in its place is read as one too.
  if (run.source === undefined && typeof from === 'string' && isFile(from)) return openSource(createReadStream(from), run.sourceOptions);
  if (from !== undefined) return openSource(from, run.sourceOptions);
  if (run.source !== undefined) return reopenSource(run.source);
  throw new SluiceError('SLUICE_USAGE', `Load ${load.load} read a stream (${load.source}), which can't be read again by itself.`, {
    hint: 'Give the same rows again with --from: a file, or - for stdin.',
  });
}

function isFile(name: string): boolean {
  return statSync(name, { throwIfNoEntry: false })?.isFile() === true;
}

interface Comparing {
  readonly load: LedgerLoad;
  readonly run: RunPlan;
  readonly source: Source;
}

async function compareSource(
  request: DeepRequest,
  { load, run, source }: Comparing,
): Promise<{ readonly load: DeepLoad; readonly differences: readonly DeepDifference[] }> {
  const shards = await findShards(request.connection, { load, run, source }, request.signal);
  const task: DeepTask = {
    target: request.target,
    load: load.load,
    run,
    files: source.descriptor?.files ?? [source.name],
    showsValues: request.showsValues,
    lockTimeoutMs: request.lockTimeoutMs,
  };
  const total = createTotal();
  const { lanes, signal, onProgress } = request;
  let bytes = 0;
  await readShardsDeep({
    task,
    source,
    shards,
    lanes,
    signal,
    onShard: (findings, at) => {
      addFindings(total, findings, at);
      bytes += findings.bytes;
      onProgress?.({ rows: total.compared + total.leftOut + total.unfit, bytes, totalBytes: source.byteCount });
    },
  });
  if (run.table.mode === 'upsert' && total.differing > 0) await forgiveReplaced({ task, source, shards, lanes, signal }, total);
  return describeLoad({ load, run, source }, total, findExcuse(request, load, total));
}

/** The load's shards over the source as it is now. @throws SLUICE_SOURCE_CHANGED */
async function findShards(
  connection: Connection,
  { load, run, source }: Comparing,
  signal: AbortSignal | undefined,
): Promise<readonly DeepShard[]> {
  const known = await readShards(connection, load.load);
  if ((source.descriptor === undefined) !== (run.source === undefined)) {
    throw new SluiceError(
      'SLUICE_SOURCE_CHANGED',
      `Load ${load.load} read ${run.source === undefined ? 'a stream' : 'files'}, and ${source.name} is not one.`,
      {
        hint: `Give it what it was loaded from (${load.source}).`,
      },
    );
  }
  if (!source.isSeekable) {
    await source.sample(signal);
    for await (const _ of source.shards(run.shardBytes, signal)) break;
  }
  const changed = source.isSeekable ? await source.changed(known.map(({ shard }) => shard)) : [];
  // Rows that were added at the end are in no shard.
  const isResized = run.source !== undefined && run.totalBytes !== undefined && source.byteCount !== run.totalBytes;
  if (changed.length > 0 || isResized) {
    throw new SluiceError(
      'SLUICE_SOURCE_CHANGED',
      `${source.name} has changed since load ${load.load} read it, so its rows can't be compared with ${load.table}.`,
      {
        hint: 'Give the file as it was with --from, or load what it holds now.',
      },
    );
  }
  return addPlaces(known);
}

/** Lines and rows of a file before each of its shards, as far as they are known. */
function addPlaces(known: readonly LedgerShard[]): readonly DeepShard[] {
  const sums = new Map<number, { lines: number; rows: number } | undefined>();
  return known.map((shard) => {
    const { file } = shard.shard;
    const before = sums.has(file) ? sums.get(file) : { lines: 0, rows: 0 };
    const { line, row } = shard.position;
    const isKnown = before !== undefined && shard.state === 'done';
    sums.set(file, isKnown ? { lines: before.lines + line, rows: before.rows + row } : undefined);
    return { shard, before };
  });
}

/** In mode upsert a later row of a key replaces the earlier one, which then differs without a fault: rows that differ are looked for a second time, with all that have their keys. */
async function forgiveReplaced(
  read: Pick<Parameters<typeof readShardsDeep>[0], 'task' | 'source' | 'shards' | 'lanes' | 'signal'>,
  total: Total,
): Promise<void> {
  if (total.keys.size > maxKeys || !read.source.isSeekable) return;
  const stored = new Set<string>();
  const shards = read.shards.map((shard) => ({ ...shard, only: total.keys }));
  await readShardsDeep({ ...read, shards, onShard: ({ keys }) => keys.forEach((key) => stored.add(key)) });
  if (stored.size === 0) return;
  const again = createTotal();
  const others = new Set([...total.keys].filter((key) => !stored.has(key)));
  await readShardsDeep({
    ...read,
    shards: read.shards.map((shard) => ({ ...shard, only: others })),
    onShard: (findings, at) => addFindings(again, findings, at),
  });
  const forgiven = total.differing - again.differing;
  total.equal += forgiven;
  total.differing = again.differing;
  total.byColumn.clear();
  for (const [column, count] of again.byColumn) total.byColumn.set(column, count);
  const kept = total.differences.filter(({ difference }) => difference.kind !== 'differs');
  total.differences.splice(
    0,
    total.differences.length,
    ...kept,
    ...again.differences.filter(({ difference }) => difference.kind === 'differs'),
  );
}

/** What may have made rows differ without a fault. */
function findExcuse(
  { deletions, loads }: Pick<DeepRequest, 'deletions' | 'loads'>,
  { load, mode, counts }: LedgerLoad,
  total: Total,
): string | undefined {
  const since = loads.slice(loads.findIndex((each) => each.load === load) + 1);
  const later = since.filter((each) => each.mode === 'upsert' || each.mode === 'sync');
  const names = later.map((each) => `${each.load} (${each.mode})`).slice(-3);
  if (later.length > 0) return `later loads wrote over its rows: ${names.join(', ')}`;
  const hasOnlyMissing = total.differing === 0 && total.unfit === 0 && total.missing > 0;
  const deleted = since.reduce((sum, each) => sum + countDeleted(each, deletions), 0);
  if (hasOnlyMissing && total.missing <= deleted)
    return `rows were deleted since, ${formatCount(deleted)} by sluice delete and sluice undo, and their keys are not kept`;
  const isSkipping = mode === 'insert' || mode === 'replace' || mode === 'upsert';
  if (isSkipping && hasOnlyMissing && total.missing <= counts.skipped) {
    return 'a trigger of the table left rows out; they count as skipped';
  }
  return undefined;
}

/** Rows that a deletion, or the undoing of a load, took out of the table: the former counts what it added as less than nothing. */
function countDeleted({ added, load, mode, state }: LedgerLoad, deletions: DeepRequest['deletions']): number {
  if (mode === 'delete') return Math.max(0, -added);
  return state === 'undone' ? (deletions.get(load) ?? 0) : 0;
}

function describeLoad(
  { load, run, source }: Comparing,
  total: Total,
  excuse: string | undefined,
): { readonly load: DeepLoad; readonly differences: readonly DeepDifference[] } {
  const { byColumn, differences, keys: _keys, ...counts } = total;
  const hasDifferences = counts.differing + counts.missing + counts.unfit > 0;
  return {
    load: {
      load: load.load,
      source: source.name,
      ...counts,
      notCompared: undefined,
      excuse: hasDifferences ? excuse : undefined,
      isOk: !hasDifferences || excuse !== undefined,
      byColumn: [...byColumn].map(([column, rows]) => ({ column, rows })).sort((a, b) => b.rows - a.rows || (a.column < b.column ? -1 : 1)),
      passedOver: chooseColumns(run).passedOver,
    },
    differences: differences.map(({ difference }) => difference),
  };
}
