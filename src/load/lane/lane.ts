/** The contract between the flow of a shard and what carries it: one lane, in a worker thread, on the main thread or on another machine. */
import type { Batch, Reject } from '../../rows/batch.ts';
import type { BatchBuilder } from '../../rows/builder.ts';
import type { Column } from '../../rows/schema.ts';
import type { EmbedStage, EmptyTextPolicy } from '../../embed/embedder.ts';
import type { RowReader } from '../../source/source.ts';
import type { Connection, Mark, Outcome } from '../../target/driver.ts';
import type { LaneFlow } from './flow.ts';
import type { StageName } from '../options.ts';
import type { Origin } from './row-origin.ts';

/**
 * What a shard does with the turn that it gives back.
 * again: more batches will follow, or the shard will be run again in this session · done: it needs no more turns (finished, or another owner has
 * it) · left: it stays unfinished in this session, so no shard after it may commit where the order counts.
 */
export type TurnEnd = 'again' | 'done' | 'left';

/** The right of one shard to commit, see turn.ts. Lanes of a target with one writer take turns in the order of the shards. */
export interface Turn {
  /** Waits for the right to commit. `closed`: it can't come any more, or `signal` was aborted. The caller gives a taken turn back by `release`. */
  take(signal: AbortSignal | undefined): Promise<'taken' | 'closed'>;
  /** Repeatable, and allowed without holding the turn: so the owner of a lane that died speaks for it. */
  release(end: TurnEnd): void;
}

/** Time as a lane sees it. */
export interface Clock {
  /** Milliseconds, monotonic. */
  now(): number;
  /** Resolves after `ms`, and early when `signal` is aborted; never rejects. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** What a lane needs to compare; undefined in every other mode. */
export interface LaneSync {
  readonly table: string;
  readonly key: readonly string[];
  readonly compared: readonly string[];
  /** The column of embedded vectors, which are not compared but must be there. */
  readonly filled: readonly string[];
  /** Reads the keys of rows that did not fit. */
  readonly keys: BatchBuilder;
}

/** Texts of one column, and where their vectors go. */
export interface LaneEmbed {
  readonly stage: EmbedStage;
  readonly from: number;
  readonly into: number;
  readonly emptyText: EmptyTextPolicy;
}

/** All embeddings of a lane. */
export function listLaneEmbeds({ embed, moreEmbeds }: Pick<Lane, 'embed' | 'moreEmbeds'>): readonly LaneEmbed[] {
  return embed === undefined ? [] : [embed, ...(moreEmbeds ?? [])];
}

/** Everything that the flow of a shard needs. One run at a time uses it; `turn` belongs to the shard that is run. */
export interface Lane {
  readonly source: RowReader;
  readonly columns: readonly Column[];
  readonly builder: BatchBuilder;
  readonly limits: { readonly maxBatchBytes: number; readonly maxBatchRows: number; readonly maxRejectBytes: number };
  /** Column indexes of the texts and of the vectors; undefined when the load does not embed. The policy for empty texts is the stage's own. */
  readonly embed: LaneEmbed | undefined;
  /** Further columns of texts, each with its vectors. */
  readonly moreEmbeds?: readonly LaneEmbed[] | undefined;
  /** What mode sync compares; undefined in every other mode. */
  readonly sync?: LaneSync | undefined;
  /** The lane's connection. Rejects like `reconnect` where there is none yet. */
  connection(): Promise<Pick<Connection, 'ready' | 'commit' | 'settle' | 'compareRows'>>;
  /** Replaces the connection after a broken link; one attempt. */
  reconnect(): Promise<void>;
  readonly turn: Turn;
  readonly clock: Clock;
  /** Told of each stage's time and of each batch. */
  observe(event: LaneEvent): void;
  /** Stop after the batch in flight. A reason with the code SLUICE_REJECT_LIMIT says that the reject limit stops the load. */
  readonly stopping: AbortSignal;
  /** Stop at once: ends the waits in embedding, turn and commit; the batch in hand is dropped. */
  readonly aborting?: AbortSignal | undefined;
  /** What fills the columns that say where a row came from; undefined without them. */
  readonly origin?: Origin | undefined;
  /** What holds the lanes of this process back; nothing when undefined. */
  readonly flow?: LaneFlow | undefined;
  /** Gives the event loop a chance between stretches; for a lane that shares its thread. */
  breathe?(): Promise<void>;
}

export type LaneEvent =
  | { readonly kind: 'stage'; readonly stage: StageName; readonly ms: number }
  | { readonly kind: 'batch'; readonly batch: Batch; readonly outcome: Outcome; readonly mark: Mark }
  /** The commit was found in the ledger after its answer was lost: its counts stand there. `rejects` are those that were handed in. */
  | { readonly kind: 'landed'; readonly mark: Mark; readonly rejects: readonly Reject[] }
  | { readonly kind: 'link'; readonly landed: 'no' | 'unknown'; readonly losses: number };
