/** Hands out the unfinished shards of a load, in order. A claim raises the shard's epoch in the ledger, so whoever had it before can't commit any more. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isSluiceError, SluiceError } from '../../errors.ts';
import { claimShard, touchShards } from '../../ledger/statements.ts';
import { readShards, type LedgerShard } from '../../ledger/reading.ts';
import type { Claim, Connection } from '../../target/driver.ts';
import { describeOwner, isOwnerAlive, leaseMs } from './owner.ts';

/** Shards claimed in one transaction: a claim costs a commit of its own, so 16 shards share one. */
const claimBlock = 16;

/** Shards looked at for one block where the order does not count: more than other processes hold at a time. */
const maxRead = 4_096;

/** How long another process may go without progress before waiting for its shards is given up. */
const foreignWaitMs = 90_000;
const pollMs = 250;

/** A batch may take longer than the lease (a slow embedder): the owner says this often that it lives, so that three lost calls do no harm. */
const touchMs = leaseMs / 4;

export interface ClaimRequest {
  readonly connection: Connection;
  readonly load: string;
  readonly owner: string;
  /** Commits follow the order of the input: then no shard is claimed while another process has one before it. */
  readonly isOrdered: boolean;
  readonly signal: AbortSignal;
}

/** The claims of one session, in the order of the shards. */
export interface Claims {
  /** The next shard; undefined when none is left for this session. */
  next(): Promise<Claim | undefined>;
  /** Ends the use of the connection. */
  close(): Promise<void>;
}

/** Calls of one connection, one after another. */
type Queue = <Result>(work: () => Promise<Result>) => Promise<Result>;

function createQueue(): Queue {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
}

/** Claims are made one block at a time; callers may ask concurrently and are served in order. */
export function openClaims(request: ClaimRequest): Claims {
  const ready: Claim[] = [];
  const callers = createQueue();
  const calls = createQueue();
  const timer = setInterval(() => {
    // Nobody waits for it: if the target is out of reach, the next commit says so.
    calls(() => request.connection.transact([touchShards(request.load, request.owner)])).catch(() => undefined);
  }, touchMs).unref();
  return {
    next: () =>
      callers(async () => {
        if (ready.length === 0 && !request.signal.aborted) ready.push(...(await claimNext(request, calls)));
        return ready.shift();
      }),
    close: async () => {
      clearInterval(timer);
      await calls(() => Promise.resolve());
    },
  };
}

async function claimNext(request: ClaimRequest, calls: Queue): Promise<readonly Claim[]> {
  const { connection, isOrdered, load, owner, signal } = request;
  let waitedSince = performance.now();
  let seen = '';
  for (;;) {
    const open = await calls(() =>
      readShards(connection, load, { isOpen: true, notOwnedBy: owner, limit: isOrdered ? claimBlock : maxRead }),
    );
    const free = listFree(open, isOrdered).slice(0, claimBlock);
    if (free.length > 0) {
      const claims = await calls(() => claimAll(request, free));
      if (claims.length > 0) return claims;
      continue;
    }
    if (open.length === 0 || signal.aborted) return [];
    // What others hold is theirs while they move; a move is any change of position or number of their shards.
    const state = open.map((shard) => `${String(shard.shard.ordinal)}:${String(shard.position.offset)}:${shard.updatedAt}`).join(' ');
    if (state !== seen) {
      seen = state;
      waitedSince = performance.now();
    }
    if (performance.now() - waitedSince > foreignWaitMs) throw busy(load, open);
    await sleep(pollMs);
  }
}

function listFree(open: readonly LedgerShard[], isOrdered: boolean): readonly LedgerShard[] {
  const held = isOrdered ? open.findIndex((shard) => !isFree(shard)) : -1;
  return held === -1 ? open.filter(isFree) : open.slice(0, held);
}

function isFree(shard: LedgerShard): boolean {
  return shard.owner === undefined || !isOwnerAlive(shard.owner, shard.updatedAt, Date.now());
}

function busy(load: string, foreign: readonly LedgerShard[]): SluiceError {
  const owner = foreign[0]?.owner ?? '';
  return new SluiceError(
    'SLUICE_LOAD_BUSY',
    `Load ${load} has ${String(foreign.length)} shards with ${describeOwner(owner)}, which no longer moves.`,
    {
      hint: 'End that process, then resume the load.',
    },
  );
}

/** All or none of the block: if another process took one of them at the same moment, the ledger is read again. */
async function claimAll({ connection, load, owner }: ClaimRequest, shards: readonly LedgerShard[]): Promise<readonly Claim[]> {
  const statements = shards.map(({ shard, epoch }) => ({ ...claimShard(load, shard.ordinal, { epoch, owner }), mustChange: 1 }));
  try {
    await connection.transact(statements);
  } catch (error) {
    if (isSluiceError(error, 'SLUICE_FENCED')) return [];
    throw error;
  }
  return shards.map(({ shard, epoch, position }) => ({ load, shard, epoch: epoch + 1, position }));
}
