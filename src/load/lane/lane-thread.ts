/** The worker thread of a lane: opened once it is known for what, it takes shards one after another until it is told to close. It holds no truth; the ledger does. */
import { parentPort, workerData } from 'node:worker_threads';
import { SluiceError } from '../../errors.ts';
import { reopenSource } from '../../source/open.ts';
import type { Source, SourceDescriptor } from '../../source/source.ts';
import { findDriver } from '../../target/registry.ts';
import { joinFlow } from './flow.ts';
import { packError, type LaneAnswer, type LaneCommand, type LaneOpening, type ServeOpening } from './news.ts';
import { openLane, type OpenLane } from './open.ts';
import { serveReads } from './read-ahead.ts';
import type { ThreadStart } from './threads.ts';
import { openTurns } from './turn.ts';

const port = parentPort;
if (port === null) throw new SluiceError('SLUICE_INTERNAL', 'lane-thread.ts was imported outside a worker thread.');

const stopping = new AbortController();
const aborting = new AbortController();
let opened: Promise<Pick<OpenLane, 'close'> & Partial<OpenLane>> | undefined;

function answer(message: LaneAnswer): void {
  port?.postMessage(message);
}

async function reopen(source: SourceDescriptor | undefined): Promise<Source> {
  if (source === undefined) throw new SluiceError('SLUICE_INTERNAL', 'A stream was given to a worker thread.');
  return reopenSource(source);
}

/** Reads for the lane of another thread. */
function serve({ plan, port: to, source }: ServeOpening): Pick<OpenLane, 'close'> {
  const opening = reopen(source);
  const reads = serveReads(to, { source: opening, plan });
  return {
    close: async () => {
      await reads.close();
      const reopened = await opening.catch(() => undefined);
      await reopened?.close();
    },
  };
}

async function open(opening: LaneOpening): Promise<OpenLane> {
  const { plan } = opening;
  const source = await reopen(opening.source);
  const lane = await openLane({
    load: opening.load,
    target: opening.target,
    plan,
    lockTimeoutMs: opening.lockTimeoutMs,
    source,
    reader: opening.reader,
    turns: openTurns({ policy: plan.turns, buffer: opening.turnBuffer }),
    stopping: stopping.signal,
    aborting: aborting.signal,
    tell: (news) => answer({ kind: 'news', news }),
    flow: joinFlow(opening.flow),
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

async function handle(command: LaneCommand): Promise<void> {
  if (command.kind === 'open') {
    opened = open(command.opening);
    // Every run hears of a failure; a lane without one closes without it.
    opened.catch(() => undefined);
  } else if (command.kind === 'serve') opened = Promise.resolve(serve(command.serving));
  else if (command.kind === 'stop') stopping.abort(new SluiceError(command.code, 'The load was stopped.'));
  else if (command.kind === 'abort') {
    stopping.abort();
    aborting.abort();
  } else if (command.kind === 'close') await close();
  else {
    try {
      const lane = await opened;
      if (lane?.run === undefined) throw new SluiceError('SLUICE_INTERNAL', 'A lane was given a shard before it was opened.');
      answer({ kind: 'ended', place: command.place, end: await lane.run(command.claim, command.place) });
    } catch (error) {
      answer({ kind: 'failed', place: command.place, error: packError(error) });
    }
  }
}

async function close(): Promise<void> {
  try {
    const lane = await opened?.catch(() => undefined);
    await lane?.close();
  } finally {
    port?.close();
  }
}

port.on('message', (command: LaneCommand) => {
  handle(command).catch((error: unknown) => answer({ kind: 'failed', place: undefined, error: packError(error) }));
});
const driver = await findDriver((workerData as ThreadStart).target);
await driver.warmUp?.();
