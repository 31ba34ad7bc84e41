/** Pauses, continues and cancels loads that run anywhere, through the ledger: the sessions of a load look there once a second. Nothing here waits without a deadline. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isSluiceError, SluiceError } from '../../errors.ts';
import { refuseUnknownOptions, type NamesOf } from '../../option-names.ts';
import { clearControl, makeControls, readControls, recordControl, type ControlCommand } from '../../ledger/controls.ts';
import { findLoad, readLoads, type LedgerLoad } from '../../ledger/reading.ts';
import { endLoad } from '../../ledger/statements.ts';
import type { Connection } from '../../target/driver.ts';
import { connect } from '../../target/registry.ts';
import { writeBatchResume, writeCommand, writeResumeCommand } from './command-text.ts';
import { listLivingOwners } from '../session/living-owners.ts';
import { describeOwner } from '../session/owner.ts';
import { chooseLoad } from '../session/session.ts';
import { ledgerNames, openLedger, type LedgerOptions } from './status.ts';

/** What became of a command. */
export interface ControlReport {
  readonly schema: 1;
  readonly load: string;
  readonly label: string | undefined;
  /**
   * paused, cancelled, running: so it is · pausing, cancelling: it was asked for, and the processes at work have not told yet that they heard.
   */
  readonly state: 'pausing' | 'paused' | 'cancelling' | 'cancelled' | 'running';
  /** Who works on the load: `process 4711 on host`. */
  readonly owners: readonly string[];
  /** The command that goes on with it. */
  readonly next: string;
}

/** Options of {@link pause}, {@link unpause} and {@link cancel}. */
export interface ControlOptions extends LedgerOptions {
  readonly lockTimeoutMs?: number | undefined;
  /** Cancel: how long the running sessions are waited for; 10,000 ms by default. They finish the batches in flight. */
  readonly waitMs?: number | undefined;
}

const controlNames: NamesOf<ControlOptions> = { ...ledgerNames, lockTimeoutMs: true, waitMs: true };

const defaultWaitMs = 10_000;
const lookMs = 250;

interface Held {
  readonly connection: Connection;
  readonly load: LedgerLoad;
  readonly owners: readonly string[];
  readonly target: string;
}

/** Opens the target for writing: a command is a row of the ledger. */
async function withLoad<Result>(options: ControlOptions, work: (held: Held) => Promise<Result>): Promise<Result> {
  const { in: target, load: name, lockTimeoutMs } = options;
  // Looked at first: a target without a ledger, or without the load, is not opened for writing.
  const reader = await openLedger(target, lockTimeoutMs);
  let load: LedgerLoad;
  try {
    load = name === undefined ? await chooseRunning(reader) : await chooseLoad(reader, name);
  } finally {
    await reader.close();
  }
  refuseBatch(load, target);
  const connection = await connect(target, lockTimeoutMs === undefined ? {} : { lockTimeoutMs });
  try {
    return await work({ connection, load, owners: await listLivingOwners(connection, load.load), target });
  } finally {
    await connection.close();
  }
}

/** Without a name: the one load that runs. */
async function chooseRunning(reader: Connection): Promise<LedgerLoad> {
  const running = (await readLoads(reader)).filter(({ mode, state }) => state === 'running' && mode !== 'batch');
  const [only, second] = running;
  if (only !== undefined && second === undefined) return only;
  throw new SluiceError(
    'SLUICE_USAGE',
    only === undefined ? 'No load is running here.' : `${String(running.length)} loads are running here.`,
    {
      hint:
        only === undefined
          ? 'Name the load; sluice status lists them.'
          : `Name one of them: ${running.map(({ label, load }) => label ?? load).join(', ')}.`,
    },
  );
}

function refuseBatch(load: LedgerLoad, target: string): void {
  if (load.mode !== 'batch') return;
  throw new SluiceError('SLUICE_USAGE', `${load.load} is a batch of statements, which hears no commands.`, {
    hint: `Press Ctrl-C where it runs; go on with: ${writeBatchResume(load, target)}`,
  });
}

/** The load has nothing left that could be held up. */
function refuseOver({ load, target }: Held, verb: ControlCommand): void {
  if (load.state !== 'done' && load.state !== 'undone') return;
  const isDone = load.state === 'done';
  throw new SluiceError('SLUICE_USAGE', `Load ${load.load} is ${load.state}; there is nothing to ${verb}.`, {
    hint: isDone ? `See what is in the table: ${writeCommand('verify', target, load.load)}` : 'Its rows were taken out again.',
  });
}

/** Leaves the command in the ledger. @throws SLUICE_FENCED when the load ended at this moment */
async function leaveCommand({ connection, load }: Held, command: ControlCommand): Promise<void> {
  await connection.transact([makeControls]);
  await connection.transact([{ ...recordControl(load.load, command), mustChange: 1 }]);
}

function report({ load, owners, target }: Held, state: ControlReport['state']): ControlReport {
  return {
    schema: 1,
    load: load.load,
    label: load.label,
    state,
    owners: owners.map(describeOwner),
    next: writeResumeCommand(target, load.load),
  };
}

/**
 * Asks the sessions of a running load to pause: each finishes the batch in hand, keeps its shards, and waits for {@link unpause} or {@link cancel}.
 * They hear it within about a second. An index that is being built at the end is finished first.
 * @throws SLUICE_LOAD_UNKNOWN; SLUICE_USAGE when nobody works on the load
 */
export async function pause(options: ControlOptions): Promise<ControlReport> {
  refuseUnknownOptions('pause', options, controlNames);
  return withLoad(options, async (held) => {
    const { load, owners, target } = held;
    refuseOver(held, 'pause');
    if (load.state !== 'running' || owners.length === 0) {
      throw new SluiceError('SLUICE_USAGE', `Nobody works on load ${load.load} at this moment; there is nothing to pause.`, {
        hint: `Go on with it: ${writeResumeCommand(target, load.load)}`,
      });
    }
    try {
      await leaveCommand(held, 'pause');
    } catch (error) {
      if (!isSluiceError(error, 'SLUICE_FENCED')) throw error;
      throw new SluiceError('SLUICE_USAGE', `Load ${load.load} ended at this moment; there is nothing to pause.`, {
        hint: `See: ${writeCommand('status', target, load.load)}`,
      });
    }
    return report(held, 'pausing');
  });
}

/**
 * Lets a paused load go on where it is held. Undefined when it is not paused or nobody holds it: then `resume` goes on with it here.
 * @throws SLUICE_LOAD_UNKNOWN
 */
export async function unpause(options: ControlOptions): Promise<ControlReport | undefined> {
  refuseUnknownOptions('unpause', options, controlNames);
  const reader = await openLedger(options.in, options.lockTimeoutMs);
  let found: LedgerLoad;
  try {
    found = await chooseLoad(reader, options.load);
    if (found.state !== 'running' || found.mode === 'batch') return undefined;
    if ((await readControls(reader)).get(found.load) !== 'pause') return undefined;
    if ((await listLivingOwners(reader, found.load)).length === 0) return undefined;
  } finally {
    await reader.close();
  }
  return withLoad({ ...options, load: found.load }, async (held) => {
    await held.connection.transact([clearControl(held.load.load)]);
    return report(held, 'running');
  });
}

/**
 * Stops a load for good, wherever it runs; it can be resumed. Its sessions finish the batches in flight and end as cancelled. A load that nobody works on is marked.
 * @throws SLUICE_LOAD_UNKNOWN; SLUICE_USAGE when the load is done
 */
export async function cancel(options: ControlOptions): Promise<ControlReport> {
  refuseUnknownOptions('cancel', options, controlNames);
  return withLoad(options, async (held) => {
    const { connection, load } = held;
    refuseOver(held, 'cancel');
    // With every shard done a session may still build the index: nothing in the ledger tells whether it lives, so it is asked.
    const mayRun = load.state === 'running' && (held.owners.length > 0 || load.shards === load.shardsDone);
    if (mayRun) {
      try {
        await leaveCommand(held, 'cancel');
      } catch (error) {
        if (!isSluiceError(error, 'SLUICE_FENCED')) throw error;
      }
      const state = await waitForEnd(held, options.waitMs ?? defaultWaitMs);
      if (state === 'running' && held.owners.length > 0) return report(held, 'cancelling');
      if (state === 'done') refuseOver({ ...held, load: { ...load, state } }, 'cancel');
    }
    await connection.transact([endLoad(load.load, 'cancelled')]);
    return report({ ...held, owners: [] }, 'cancelled');
  });
}

/** The load's state once no session works on it any more, or when the time is over. */
async function waitForEnd({ connection, load, owners }: Held, waitMs: number): Promise<string> {
  // Without shards to hold on to, sessions show themselves only by their end.
  const deadline = performance.now() + (owners.length > 0 ? waitMs : Math.min(waitMs, 3_000));
  for (;;) {
    const found = await findLoad(connection, load.load);
    const state = found?.state ?? 'running';
    if (state !== 'running' || performance.now() >= deadline) return state;
    await sleep(lookMs);
  }
}
