/** The part of the driver contract that is about deleting rows: by key or by a condition, all or nothing, with an account that the ledger keeps. */
import type { Scalar } from '../rows/schema.ts';
import type { Statement } from './batch-contract.ts';

export interface DeleteRequest {
  readonly table: string;
  /** Columns of `keys`, and those whose digest the outcome has; empty for a table without a key. */
  readonly key: readonly string[];
  /** The rows, by the values of `key`; or an SQL expression over the table's columns that was checked before. */
  readonly rows: { readonly keys: readonly (readonly Scalar[])[] } | { readonly where: string };
  /** More rows than this, or this share of the table's: nothing is deleted, SLUICE_DELETE_LIMIT. */
  readonly maxDeletes?: number | `${number}%` | undefined;
  /** The ledger's statements for what was deleted; they run in the same transaction. Not called when nothing was deleted. */
  readonly record: (deleted: { readonly count: number; readonly digest: string | undefined }) => readonly Statement[];
  readonly signal?: AbortSignal | undefined;
  readonly lockTimeoutMs?: number | undefined;
}

export interface DeleteOutcome {
  readonly deleted: number;
  /** Indexes of `keys` that were not in the table, ascending. */
  readonly missing: readonly number[];
}
