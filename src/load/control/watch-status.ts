/** Watches the running loads of a target from anywhere, by reading its ledger: a few small reads a second, nothing written, and nothing asked of the processes at work. */
import { setTimeout as sleep } from 'node:timers/promises';
import { refuseUnknownOptions, type NamesOf } from '../../option-names.ts';
import { readControls } from '../../ledger/controls.ts';
import { findLoad, hasLedger, type LedgerLoad } from '../../ledger/reading.ts';
import { text } from '../../ledger/fields.ts';
import type { Connection } from '../../target/driver.ts';
import { hideSecrets } from '../../secret-text.ts';
import type { LoadStatus } from '../options.ts';
import { leaseMs } from '../session/owner.ts';
import { chooseLoad } from '../session/session.ts';
import { isAlive, ledgerNames, markPaused, openLedger, toStatus, type LedgerOptions } from './status.ts';

/** A load at a moment of the watch. */
export interface WatchedLoad extends LoadStatus {
  /** Over the last ten seconds of the watch; undefined at its first look. Commits come batch by batch, so a slow load moves in steps. */
  readonly rowsPerSecond: number | undefined;
  readonly bytesPerSecond: number | undefined;
  /** By bytes, or by shards where bytes are not known; undefined while nothing moves. */
  readonly etaMs: number | undefined;
}

/** Options of {@link watchStatus}. */
export interface WatchOptions extends LedgerOptions {
  /** Between two looks; 1,000 ms by default, 100 at least. */
  readonly intervalMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const watchNames: NamesOf<WatchOptions> = { ...ledgerNames, intervalMs: true, signal: true };

const defaultIntervalMs = 1_000;
const minIntervalMs = 100;
const windowMs = 10_000;

/** What a load had at a look; the difference of two makes a rate. */
interface Look {
  readonly atMs: number;
  readonly rows: number;
  readonly bytes: number;
  readonly shardsDone: number;
}

/**
 * The loads that run, at each look; those that ended since the look before once more, with how they ended. Ends by itself when no load runs any more (the last
 * answer may be empty), and when `signal` is aborted. Loads that a dead process left are shown as interrupted at the first look only.
 * @throws SLUICE_TARGET_MISSING, SLUICE_LOAD_UNKNOWN
 */
export async function* watchStatus(options: WatchOptions): AsyncGenerator<readonly WatchedLoad[], void, undefined> {
  refuseUnknownOptions('watchStatus', options, watchNames);
  const { load: name, signal, intervalMs = defaultIntervalMs } = options;
  const connection = await openLedger(options.in);
  const looks = new Map<string, Look[]>();
  let watched: readonly string[] = name === undefined ? [] : [await nameOf(connection, name)];
  try {
    for (;;) {
      if (signal?.aborted === true) return;
      const running = name === undefined ? await listRunning(connection) : watched;
      const shown = [...new Set([...watched, ...running])];
      const loads = await lookAt(connection, shown, hideSecrets(options.in));
      yield loads.map((load) => measure(load, looks));
      watched = loads.filter(isGoingOn).map(({ load }) => load);
      if (watched.length === 0) return;
      await sleep(Math.max(minIntervalMs, intervalMs), undefined, signal === undefined ? {} : { signal }).catch((error: unknown) => {
        if (signal?.aborted !== true) throw error;
      });
    }
  } finally {
    await connection.close();
  }
}

async function nameOf(connection: Connection, name: string): Promise<string> {
  return (await chooseLoad(connection, name)).load;
}

/** Ids of the loads that are entered as running: one small read of one table. */
async function listRunning(connection: Connection): Promise<readonly string[]> {
  if (!(await hasLedger(connection))) return [];
  const rows = await connection.query({ sql: `SELECT load FROM sluice_loads WHERE state = 'running' ORDER BY started_at`, parameters: [] });
  return rows.map((row) => text(row, 'load'));
}

async function lookAt(connection: Connection, names: readonly string[], target: string): Promise<readonly LoadStatus[]> {
  const found: LoadStatus[] = [];
  for (const name of names) {
    const load = await findLoad(connection, name);
    if (load !== undefined) found.push(toStatus(load, target, (await isAlive(connection, load)) || isFinishing(load)));
  }
  return found.some(({ state }) => state === 'running') ? markPaused(found, await readControls(connection)) : found;
}

/** Every row is there and the index is being built: no shard has an owner then. Believed for as long as a lease, for nothing else tells. */
function isFinishing({ shards, shardsDone, state, updatedAt }: LedgerLoad): boolean {
  return state === 'running' && shards > 0 && shards === shardsDone && Date.now() - Date.parse(updatedAt) < leaseMs;
}

function isGoingOn({ state }: LoadStatus): boolean {
  return state === 'running' || state === 'paused';
}

function measure(load: LoadStatus, looks: Map<string, Look[]>): WatchedLoad {
  const now: Look = { atMs: performance.now(), rows: load.counts.read, bytes: load.bytes, shardsDone: load.shards.done };
  const past = looks.get(load.load) ?? [];
  looks.set(
    load.load,
    [...past, now].filter(({ atMs }) => now.atMs - atMs <= windowMs),
  );
  const first = past.find(({ atMs }) => now.atMs - atMs <= windowMs);
  // A pause has no rate; the time in it is none of the rate after it.
  if (load.state === 'paused') looks.set(load.load, [now]);
  if (first === undefined || load.state === 'paused')
    return { ...load, rowsPerSecond: undefined, bytesPerSecond: undefined, etaMs: undefined };
  const seconds = Math.max(1, now.atMs - first.atMs) / 1_000;
  const rowsPerSecond = (now.rows - first.rows) / seconds;
  const bytesPerSecond = (now.bytes - first.bytes) / seconds;
  return {
    ...load,
    rowsPerSecond,
    bytesPerSecond,
    etaMs: estimateEta(load, { bytesPerSecond, shardsPerSecond: (now.shardsDone - first.shardsDone) / seconds }),
  };
}

function estimateEta(
  { bytes, shards, state, totalBytes }: LoadStatus,
  { bytesPerSecond, shardsPerSecond }: { readonly bytesPerSecond: number; readonly shardsPerSecond: number },
): number | undefined {
  if (state !== 'running') return undefined;
  if (totalBytes !== undefined) return bytesPerSecond > 0 ? (Math.max(0, totalBytes - bytes) / bytesPerSecond) * 1_000 : undefined;
  return shards.total > 1 && shardsPerSecond > 0 ? ((shards.total - shards.done) / shardsPerSecond) * 1_000 : undefined;
}
