/** Reads what the ledger says of loads and their refused rows. Reads only. */
import { SluiceError } from '../../errors.ts';
import { refuseUnknownOptions, type NamesOf } from '../../option-names.ts';
import { hasLedger, readLoads, type LedgerLoad } from '../../ledger/reading.ts';
import { readControls, type ControlCommand } from '../../ledger/controls.ts';
import { readRejectCauses, readRejects } from '../../ledger/rejects.ts';
import type { Connection } from '../../target/driver.ts';
import { connect } from '../../target/registry.ts';
import { hideSecrets } from '../../secret-text.ts';
import type { LoadStatus, RejectCause, RejectRecord } from '../options.ts';
import { writeNextCommand } from './command-text.ts';
import { listLivingOwners } from '../session/living-owners.ts';
import { parseRunPlan } from '../plan/run-plan.ts';
import { chooseLoad } from '../session/session.ts';

/** Which loads are meant. */
export interface LedgerOptions {
  /** Target URL. */
  readonly in: string;
  /** Load id or label. */
  readonly load?: string | undefined;
}

/** Of {@link LedgerOptions}. */
export const ledgerNames: NamesOf<LedgerOptions> = { in: true, load: true };

/**
 * Opens a target that must hold a ledger.
 * @throws SLUICE_TARGET_MISSING, SLUICE_LOAD_UNKNOWN
 */
export async function openLedger(url: string, lockTimeoutMs?: number): Promise<Connection> {
  const connection = await connect(url, { isReadOnly: true, ...(lockTimeoutMs === undefined ? {} : { lockTimeoutMs }) });
  try {
    if (await hasLedger(connection)) return connection;
    throw new SluiceError('SLUICE_LOAD_UNKNOWN', `There is no ledger in ${hideSecrets(url)}: sluice never loaded into it.`, {
      hint: 'Check the target, or load into it first: sluice load … --to …',
    });
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** The loads of a target, oldest first, or the one asked for. A load that no living process works on is not said to be running. */
export async function status(options: LedgerOptions): Promise<readonly LoadStatus[]> {
  refuseUnknownOptions('status', options, ledgerNames);
  const connection = await openLedger(options.in);
  try {
    const loads = options.load === undefined ? await readLoads(connection) : [await chooseLoad(connection, options.load)];
    const found: LoadStatus[] = [];
    for (const load of loads) found.push(toStatus(load, hideSecrets(options.in), await isAlive(connection, load)));
    return found.some(({ state }) => state === 'running') ? markPaused(found, await readControls(connection)) : found;
  } finally {
    await connection.close();
  }
}

/** What a user sees of a load. `running` is said as `interrupted` when no living owner holds it; `next` is the command that goes on. */
export function toStatus(load: LedgerLoad, target: string, isOwned: boolean): LoadStatus {
  const state = load.state === 'running' && !isOwned ? 'interrupted' : load.state;
  return {
    load: load.load,
    label: load.label,
    state: state as LoadStatus['state'],
    table: load.table,
    mode: load.mode,
    source: load.source,
    counts: load.counts,
    shards: { total: load.shards, done: load.shardsDone },
    bytes: load.bytes,
    totalBytes: load.totalBytes,
    openRejects: load.openRejects,
    startedAt: load.startedAt,
    updatedAt: load.updatedAt,
    next: writeNextCommand(load, target),
  };
}

/** Running loads that were told to pause. */
export function markPaused(loads: readonly LoadStatus[], controls: ReadonlyMap<string, ControlCommand>): readonly LoadStatus[] {
  return loads.map((load) => (load.state === 'running' && controls.get(load.load) === 'pause' ? { ...load, state: 'paused' } : load));
}

export async function isAlive(connection: Connection, load: LedgerLoad): Promise<boolean> {
  return load.state === 'running' && (await listLivingOwners(connection, load.load)).length > 0;
}

/** Open rejects of a load (the newest one by default), in the order of the input. Rows already handed to a retry are not among them. */
export async function* rejects(options: LedgerOptions): AsyncGenerator<RejectRecord> {
  refuseUnknownOptions('rejects', options, ledgerNames);
  const connection = await openLedger(options.in);
  try {
    const load = await chooseRejected(connection, options.load);
    const files = parseRunPlan(load.plan, load.load).source?.files ?? [load.source];
    for await (const { shard: _shard, shardRow: _row, ...reject } of readRejects(connection, load.load)) {
      yield { ...reject, file: files[Number(reject.file)] ?? load.source };
    }
  } finally {
    await connection.close();
  }
}

/** Rejects of a load grouped by cause, most first, at most 100 causes. */
export async function rejectSummary(options: LedgerOptions): Promise<readonly RejectCause[]> {
  refuseUnknownOptions('rejectSummary', options, ledgerNames);
  const connection = await openLedger(options.in);
  try {
    return await readRejectCauses(connection, (await chooseRejected(connection, options.load)).load);
  } finally {
    await connection.close();
  }
}

/** Without a name: the newest load that has open rejects, else the newest. */
export async function chooseRejected(connection: Connection, name: string | undefined): Promise<LedgerLoad> {
  if (name !== undefined) return chooseLoad(connection, name);
  const loads = await readLoads(connection);
  return (
    loads.findLast((load) => load.openRejects > 0) ?? loads.findLast(({ mode }) => mode !== 'delete') ?? chooseLoad(connection, undefined)
  );
}
