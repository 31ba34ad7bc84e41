/** Listens, while a load runs, for what is asked of it through the ledger. A connection of its own asks once a second: the session's may be at work for minutes. */
import { readControl, type ControlCommand } from '../../ledger/controls.ts';
import type { Connection } from '../../target/driver.ts';
import { connect } from '../../target/registry.ts';

/** One small read a second; a load that is over before the first one asks nothing. */
const pollMs = 1_000;
/** A target that can't be asked is left alone for longer each time: what is broken, the lanes tell of. */
const maxPollMs = 15_000;
/** A lock is not worth waiting for: the next question is a second away. */
const lockTimeoutMs = 500;

export interface ControlWatchRequest {
  readonly target: string;
  readonly load: string;
  /** Told of each change: the command that stands now, or undefined when there is none any more. */
  readonly tell: (command: ControlCommand | undefined) => void;
}

export interface ControlWatch {
  /** Ends the questions and closes their connection. */
  close(): Promise<void>;
}

/** Begins to ask; whoever asked for it closes it. */
export function watchControls({ load, target, tell }: ControlWatchRequest): ControlWatch {
  const aborting = new AbortController();
  let connection: Connection | undefined;
  let known: ControlCommand | undefined;
  let asking: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  const ask = async (): Promise<void> => {
    connection ??= await connect(target, { isReadOnly: true, lockTimeoutMs, signal: aborting.signal });
    const command = await readControl(connection, load);
    if (command === known || aborting.signal.aborted) return;
    known = command;
    tell(command);
  };
  const drop = async (): Promise<void> => {
    const old = connection;
    connection = undefined;
    await old?.close();
  };
  const schedule = (ms: number): void => {
    timer = setTimeout(() => {
      asking = ask().then(
        () => (aborting.signal.aborted ? undefined : schedule(pollMs)),
        async () => {
          // A lock or a broken link: asked again over a new connection. A command waits in the ledger meanwhile.
          await drop().catch(() => undefined);
          if (!aborting.signal.aborted) schedule(Math.min(2 * ms, maxPollMs));
        },
      );
    }, ms).unref();
  };
  schedule(pollMs);
  return {
    close: async () => {
      clearTimeout(timer);
      aborting.abort();
      await asking;
      await drop();
    },
  };
}
