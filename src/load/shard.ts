/** placeholder: contract only */
import type { Batch } from '../rows/batch.ts';
import type { Claim, Connection, Outcome } from '../target/driver.ts';
import type { BatchBuilder } from '../rows/builder.ts';
import type { EmbedStage, EmptyTextPolicy } from '../embed/embedder.ts';
import type { Source } from '../source/source.ts';
import type { Column } from '../rows/schema.ts';
import type { StageName } from './options.ts';

/** The right to commit. Lanes of a target with one writer take turns in the order of the shards, so that the table is the one that a single lane would make. */
export interface Turn {
  /** Waits until the lane may commit for the shard; the caller gives it back by `release`. */
  take(shard: number, signal: AbortSignal): Promise<void>;
  /** `isDone`: the shard needs no more turns, the next one may go. */
  release(shard: number, isDone: boolean): void;
}

export interface Lane {
  readonly source: Pick<Source, 'read'>;
  readonly columns: readonly Column[];
  readonly builder: BatchBuilder;
  readonly limits: { readonly maxBatchBytes: number; readonly maxBatchRows: number; readonly maxRejectBytes: number };
  readonly embed: { readonly stage: EmbedStage; readonly from: number; readonly into: number; readonly emptyText: EmptyTextPolicy } | undefined;
  /** The lane's connection; `reconnect` replaces it after a broken link. */
  connection(): Promise<Pick<Connection, 'commit' | 'settle'>>;
  reconnect(): Promise<void>;
  readonly turn: Turn;
  readonly clock: { now(): number; sleep(ms: number, signal: AbortSignal): Promise<void> };
  /** Told of each stage's time and each outcome. */
  observe(event: LaneEvent): void;
  /** Stop after the batch in flight. */
  readonly stopping: AbortSignal;
}

export type LaneEvent =
  | { readonly kind: 'stage'; readonly stage: StageName; readonly ms: number }
  | { readonly kind: 'batch'; readonly batch: Batch; readonly outcome: Outcome };

export declare function runShard(claim: Claim, lane: Lane): Promise<'done' | 'fenced' | 'stopped'>;
