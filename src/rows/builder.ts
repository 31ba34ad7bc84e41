/** placeholder: contract only, to be written by its owner */
import type { Column } from './schema.ts';
import type { Batch, Reject } from './batch.ts';
import type { Records } from '../source/source.ts';

/** Collects records into a batch by column: every value is checked and coerced on the way in, and a row with a value that does not fit is handed back. */
export interface BatchBuilder {
  /** Rows in the batch so far. */
  readonly rowCount: number;
  /** Estimated bytes that the batch so far holds. */
  readonly byteCount: number;
  /** Adds the rows that fit their columns, in order, and returns a reject for each that doesn't. */
  add(records: Records): readonly Reject[];
  /** The batch so far; the builder is empty afterwards. The batch owns its arrays. */
  take(): Batch;
}

export declare function createBatchBuilder(columns: readonly Column[]): BatchBuilder;
