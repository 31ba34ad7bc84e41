/** What goes into a target and comes back: claims, marks, batches and their outcomes, comparisons, the end of a load. Plain data. */
import type { Batch, Position, Reject } from '../rows/batch.ts';
import type { Shard } from '../source/source.ts';

/** A shard handed to one lane: only commits with this epoch are taken. */
export interface Claim {
  readonly load: string;
  readonly shard: Shard;
  /** Raised by each claim; a commit with an older one changes nothing. */
  readonly epoch: number;
  /** Where to go on. */
  readonly position: Position;
  /** For provenance: lines of the file before the shard; undefined where they are not known, or nobody asks. */
  readonly firstLine?: number | undefined;
}

/** What a commit writes into the shard's ledger row, in the same transaction as the rows. */
export interface Mark {
  readonly load: string;
  readonly shard: number;
  readonly epoch: number;
  /** The position that the ledger must hold before. */
  readonly from: Position;
  /** The position that it holds after. */
  readonly to: Position;
  /** The shard is finished with this commit. */
  readonly isLast: boolean;
  /** Rows read between `from` and `to`: in the batch and refused. */
  readonly readCount: number;
  /** Bytes of the source between them. */
  readonly byteCount: number;
  readonly embedded: { readonly texts: number; readonly distinct: number; readonly cached: number; readonly embedded: number };
}

/** What became of a batch. committed: `readCount = written + skipped + rejects.length`. fenced: another owner has the shard; nothing was written. */
export type Outcome =
  | {
      readonly kind: 'committed';
      readonly written: number;
      readonly skipped: number;
      /** All rejects of the batch: those handed in, then those of the target. */
      readonly rejects: readonly Reject[];
    }
  | { readonly kind: 'fenced' };

/** Thrown by `commit` when the link broke: `no` = certainly not written; `unknown` = ask `settle` over a new connection. */
export type Landed = 'no' | 'unknown';

/** How much of a refused row the ledger keeps. */
export interface RejectKeeping {
  readonly keepsRows: boolean;
  /** A longer row is cut to this many bytes and marked so. */
  readonly maxBytes: number;
}

/** What stands or falls together: rows, the rejects found among their neighbours, and the mark over both. */
export interface CommitUnit {
  readonly batch: Batch;
  /**
   * Mode sync: rows that {@link Connection.compareRows} found equal. They are noted as seen and count as skipped; nothing of them is written. A key that this load
   * has seen before is refused, here as in `batch`: the first row of a key stays.
   */
  readonly kept?: Batch | undefined;
  /**
   * Mode sync: the keys (key columns alone) of rows among `rejects` whose key could be read. They are noted as seen, so that a row that was refused is not taken
   * for one that vanished, and are not counted again. The first row of a key speaks for it, also when it was refused: later ones are REFUSED_UNIQUE.
   */
  readonly spared?: readonly Batch[] | undefined;
  readonly rejects: readonly Reject[];
  readonly mark: Mark;
}

/** Where a lane may commit: with a signal that ends the waits. */
export interface CommitOptions {
  readonly signal?: AbortSignal | undefined;
}

/** The end of a load's last session. */
export interface FinishOptions {
  /** Of rows that are refused only now; whole, up to 64 KiB, by default. */
  readonly keeping?: RejectKeeping | undefined;
  /** Every shard is done; false: the load goes on later, and only what was put off comes back. */
  readonly isComplete: boolean;
  /** Told of each index that is being made. */
  readonly onProgress?:
    ((progress: { readonly index: string; readonly phase: string; readonly done: number; readonly total: number }) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Mode sync: how many rows may be deleted because the source no longer has them, or a share of the table's. More: none is, SLUICE_DELETE_LIMIT. */
  readonly maxDeletes?: number | `${number}%` | undefined;
  /** Mode sync: why no row is deleted, whatever the source no longer has (rows that could not be read, so that their keys are not known); the keys seen are forgotten. */
  readonly keepsVanished?: string | undefined;
  /** Asked when rows are refused while they are published all at once: whether so many more rejects may be. `false`: nothing is published, SLUICE_REJECT_LIMIT. */
  readonly mayReject?: ((count: number) => boolean) | undefined;
}

/** Rows that came twice into a table whose key was put off, with what the ledger must be told of them. */
export interface DuplicateRepair {
  /** The first row of each key, in the order of the input; it is the one that stays. */
  readonly kept: readonly Batch[];
  /** The others, by shard. */
  readonly refused: readonly { readonly shard: number; readonly batch: Batch }[];
  readonly keeping: RejectKeeping;
}

/** Rows of a batch beside those that the target holds under the same keys. */
export interface CompareRequest {
  readonly table: string;
  readonly key: readonly string[];
  readonly batch: Batch;
  /** Names of the batch's columns that are compared; the others are passed over. */
  readonly compared: readonly string[];
  /** Names of columns that must hold something where the row is found: vectors that an earlier load was to make. */
  readonly filled?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What became of each row of the batch in the comparison. */
export interface RowComparison {
  /** By row: 0 = the target has no row with its key · 1 = it has, and some column differs · 2 = it has, and every compared column holds what the target would store. */
  readonly states: Uint8Array;
  /** Of rows that differ: the names of the columns in which they do. */
  readonly differing: ReadonlyMap<number, readonly string[]>;
}
