/** Runs one unit over a link that may break: what certainly did not land is sent again over a new connection, what may have landed never is. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isSluiceError, SluiceError } from '../errors.ts';
import type { Connection, RunOptions, UnitOutcome, UnitRequest } from '../target/driver.ts';
import { LinkLostError, readLanded } from '../target/link.ts';
import { connect } from '../target/registry.ts';
import { hideSecrets } from '../secret-text.ts';

/** Waits before the link is tried again: about 8 s in all, as long as a server takes to start again. A fail-over that takes longer is the caller's to wait for. */
const retryDelaysMs: readonly number[] = [0, 250, 500, 1_000, 2_000, 4_000];

/** A connection that is replaced after it broke. */
export interface UnitLink {
  readonly connection: Connection;
  /** Closes the broken one and opens another, with waits. @throws the last error when it can't be had */
  renew(): Promise<void>;
  close(): Promise<void>;
}

export interface LinkRequest {
  readonly to: string;
  readonly lockTimeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A connection that can run statements. */
export type RunningConnection = Connection & Required<Pick<Connection, 'run'>>;

/** @throws SLUICE_USAGE for a target that does not take statements */
function checkRuns(connection: Connection, to: string): asserts connection is RunningConnection {
  if (connection.run !== undefined) return;
  throw new SluiceError(
    'SLUICE_USAGE',
    `The target ${hideSecrets(to)} (${connection.capabilities.name}) does not take batches of statements.`,
    {
      hint: 'Batches go to sqlite:, postgres:, pglite: and rqlite:. Rows go to any target: sluice load.',
    },
  );
}

/** Opens a link to a target that takes statements. @throws SLUICE_USAGE, SLUICE_TARGET_… */
export async function openUnitLink(request: LinkRequest): Promise<UnitLink & { readonly connection: RunningConnection }> {
  let current = await openRunning(request);
  return {
    get connection() {
      return current;
    },
    renew: async () => {
      await closeBroken(current);
      current = await reopen(request);
    },
    close: () => current.close(),
  };
}

async function openRunning({ to, lockTimeoutMs, signal }: LinkRequest): Promise<RunningConnection> {
  const connection = await connect(to, { ...(lockTimeoutMs === undefined ? {} : { lockTimeoutMs }), signal });
  try {
    checkRuns(connection, to);
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** How a link that is broken already ends is of no matter. */
async function closeBroken(connection: Connection): Promise<void> {
  await connection.close().catch(() => undefined);
}

async function reopen(request: LinkRequest): Promise<RunningConnection> {
  let failure: unknown;
  for (const delayMs of retryDelaysMs) {
    await sleep(delayMs);
    if (request.signal?.aborted === true) throw new SluiceError('SLUICE_CANCELLED', 'Stopped while the link was mended.');
    try {
      return await openRunning(request);
    } catch (error) {
      if (!isSluiceError(error) || !error.isTransient) throw error;
      failure = error;
    }
  }
  throw failure;
}

/** How often a unit that certainly did not land is sent. */
const maxSends = 4;

/**
 * Runs a unit. What broke before anything was committed is sent again, a few times.
 * @throws LinkLostError with `landed: unknown` when only somebody who can look may tell, with `no` when the link can't be mended; what `run` throws
 */
export async function runUnit(
  link: UnitLink & { readonly connection: RunningConnection },
  unit: UnitRequest,
  options: RunOptions,
): Promise<UnitOutcome> {
  for (let sends = 1; ; sends++) {
    try {
      return await link.connection.run(unit, options);
    } catch (error) {
      if (readLanded(error) !== 'no' || sends >= maxSends) throw error;
      await mendLink(link, error);
    }
  }
}

/** Does what may be done twice, over a new connection when the link breaks under it. */
export async function repeatOver<Result>(
  link: UnitLink & { readonly connection: RunningConnection },
  work: (connection: RunningConnection) => Promise<Result>,
): Promise<Result> {
  for (let sends = 1; ; sends++) {
    try {
      return await work(link.connection);
    } catch (error) {
      if (readLanded(error) === undefined || sends >= maxSends) throw error;
      await link.renew();
    }
  }
}

async function mendLink(link: UnitLink, broken: unknown): Promise<void> {
  try {
    await link.renew();
  } catch (error) {
    if (isSluiceError(error, 'SLUICE_CANCELLED')) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new LinkLostError('no', `The link broke and could not be mended: ${why}`, { cause: broken });
  }
}
