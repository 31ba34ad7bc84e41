/** The contract of the durable queue (`/db/execute?queue`): a request is acknowledged when it lies on the disk, and applied in order, exactly once. Shapes without code. */
import type { QueuedOutcome } from '../engine/contract.ts';

/** What the queue did on its own that an operator should know; never row data. */
export interface QueueNotice {
  /**
   * torn: bytes behind the last whole record were cut off, as a crash leaves them · damaged: a record's checksum is wrong, it was not applied ·
   * retry: the engine can't take requests for now · buried: one request made the engine fail, and was passed over · append, outcomes, remove: a file can't be written.
   */
  readonly kind: 'torn' | 'damaged' | 'retry' | 'buried' | 'append' | 'outcomes' | 'remove';
  readonly message: string;
}

/** How large, how long, how often; the first four have rqlite's meaning and defaults. */
export interface QueueOptions {
  /** The database's file: the queue's files lie beside it, in the folder `<file>-sluice-queue`. */
  readonly file: string;
  /** Requests that may wait to be applied; 1,024 by default. */
  readonly capacity?: number | undefined;
  /** Requests that are applied together; 128 by default. */
  readonly batchSize?: number | undefined;
  /** How long the first request of a group waits for others, in ms; 50 by default. Unlike rqlite, 0 does not wait for a full group: it applies at once. */
  readonly timeoutMs?: number | undefined;
  /** A group is one SQL transaction, all or nothing; false by default. */
  readonly isTransaction?: boolean | undefined;
  /** Bytes of requests that may wait to be applied; 16 MiB by default. One request is always let in. */
  readonly capacityBytes?: number | undefined;
  /** Bytes of requests that are applied together; 2 MiB by default. */
  readonly batchBytes?: number | undefined;
  /** How long `add` waits for room in a full queue; 10 s by default. */
  readonly fullTimeoutMs?: number | undefined;
  /** How long `close` and `whileEmpty` wait for what is queued to be applied; 30 s by default. */
  readonly flushTimeoutMs?: number | undefined;
  /** How long `openQueue` waits for what an earlier process left to be applied; 60 s by default, then it goes on behind the caller's back. */
  readonly replayTimeoutMs?: number | undefined;
  /** Size at which a new file is begun; 16 MiB by default. */
  readonly segmentBytes?: number | undefined;
  /** Outcomes that are kept; 16,384 by default. */
  readonly outcomeCapacity?: number | undefined;
  /** Bytes of outcomes that are kept, in memory and (twice) on disk; 8 MiB by default. */
  readonly outcomeBytes?: number | undefined;
  readonly onNotice?: ((notice: QueueNotice) => void) | undefined;
  /** The wall clock in nanoseconds, where sequence numbers begin. */
  readonly readClock?: (() => bigint) | undefined;
}

/** What `/status` and `/metrics` tell of the queue. */
export interface QueueFacts {
  readonly capacity: number;
  readonly batchSize: number;
  readonly timeoutMs: number;
  readonly isTransaction: boolean;
  readonly capacityBytes: number;
  /** Requests that are durable and not yet applied. */
  readonly depth: number;
  readonly depthBytes: number;
  /** Requests that wait for room or for the disk: not acknowledged. */
  readonly waiting: number;
  /** The last number given out; 0n for none since the start. */
  readonly lastSequence: bigint;
  /** Everything up to here has been applied. */
  readonly appliedSequence: bigint;
  /** Of the oldest outcome that is kept; 0n for none. What is older is forgotten. */
  readonly oldestOutcome: bigint;
  /** Since the start. */
  readonly appendedRequests: number;
  readonly appliedRequests: number;
  readonly groups: number;
  readonly syncs: number;
  readonly retries: number;
  readonly refusedRequests: number;
  /** Records with wrong checksums that were found at the start. */
  readonly damagedRecords: number;
  /** What an earlier process left is still being applied. */
  readonly isReplaying: boolean;
  /** Why the last group was not taken; undefined when the engine takes requests. */
  readonly lastError: string | undefined;
}

export interface QueueAddition {
  /** A JSON body that `checkBody` has passed, or an empty list, which does nothing but keep its place. Not changed until it has been applied. */
  readonly body: Uint8Array;
  readonly isStrict: boolean;
}

export interface Queue {
  /**
   * Resolves with the request's sequence number when it is durable.
   * @throws SLUICE_TARGET_BUSY (full), SLUICE_TARGET_FULL (disk), SLUICE_CLOSED: nothing was queued
   */
  add(request: QueueAddition): Promise<bigint>;
  /** Resolves when everything up to `sequence` has been applied, or after the time-out. */
  waitFor(sequence: bigint, timeoutMs: number): Promise<'applied' | 'timeout'>;
  /** Outcomes above `since` in order, at most `limit`. */
  outcomes(since: bigint, limit: number): readonly QueuedOutcome[];
  facts(): QueueFacts;
  /**
   * Applies everything that is queued, keeps new requests waiting, then runs `run`, which may put another database in place; sequence numbers go on above its position.
   * @throws SLUICE_TARGET_BUSY when the queue can't be emptied in time; `run` was not called
   */
  whileEmpty<Result>(run: () => Promise<Result>): Promise<Result>;
  /** Takes no more requests, applies what is queued and ends; what can't be applied in time stays for the next start. */
  close(): Promise<void>;
}
