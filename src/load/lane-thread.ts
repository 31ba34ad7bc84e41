/** The worker thread of a lane: takes shards one after another until it is told to close. It holds no truth; the ledger does. */
import { parentPort, workerData } from 'node:worker_threads';
import { SluiceError } from '../errors.ts';
import { reopenSource } from '../source/open.ts';
import type { SourceDescriptor } from '../source/source.ts';
import { packError, type LaneAnswer, type LaneCommand } from './lane-news.ts';
import { openLane, type OpenLane } from './lane-open.ts';
import type { RunPlan } from './run-plan.ts';
import { openTurns } from './turn.ts';

/** What the thread is started with. */
export interface LaneThreadData {
  readonly load: string;
  readonly target: string;
  readonly plan: RunPlan;
  /** Of the session's own source: the plan's may be of an earlier session. */
  readonly source: SourceDescriptor | undefined;
  readonly lockTimeoutMs: number | undefined;
  readonly turnBuffer: SharedArrayBuffer;
}

const port = parentPort;
if (port === null) throw new SluiceError('SLUICE_INTERNAL', 'lane-thread.ts was imported outside a worker thread.');

const data = workerData as LaneThreadData;
const stopping = new AbortController();
const aborting = new AbortController();

function answer(message: LaneAnswer): void {
  port?.postMessage(message);
}

async function open(): Promise<OpenLane> {
  const { plan } = data;
  if (data.source === undefined) throw new SluiceError('SLUICE_INTERNAL', 'A stream was given to a worker thread.');
  const source = await reopenSource(data.source);
  const lane = await openLane({
    load: data.load,
    target: data.target,
    plan,
    lockTimeoutMs: data.lockTimeoutMs,
    source,
    turns: openTurns({ policy: plan.turns, buffer: data.turnBuffer }),
    stopping: stopping.signal,
    aborting: aborting.signal,
    tell: (news) => answer({ kind: 'news', news }),
    breathe: undefined,
  });
  return {
    ...lane,
    close: async () => {
      await lane.close();
      await source.close();
    },
  };
}

async function handle(lane: OpenLane, command: LaneCommand): Promise<void> {
  if (command.kind === 'stop') stopping.abort(new SluiceError(command.code, 'The load was stopped.'));
  else if (command.kind === 'abort') {
    stopping.abort();
    aborting.abort();
  } else if (command.kind === 'close') {
    await lane.close();
    port?.close();
  } else {
    try {
      answer({ kind: 'ended', place: command.place, end: await lane.run(command.claim, command.place) });
    } catch (error) {
      answer({ kind: 'failed', place: command.place, error: packError(error) });
    }
  }
}

try {
  const lane = await open();
  port.on('message', (command: LaneCommand) => {
    handle(lane, command).catch((error: unknown) => answer({ kind: 'failed', place: undefined, error: packError(error) }));
  });
  answer({ kind: 'ready' });
} catch (error) {
  answer({ kind: 'failed', place: undefined, error: packError(error) });
  port.close();
}
