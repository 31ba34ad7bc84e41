/** What PostgreSQL's driver notes for itself in a plan: how rows are written, staged and published. Plain data; a resume does what it says. */
import type { TablePlan } from '../driver.ts';

export interface PostgresSettings extends Readonly<Record<string, string | number | boolean>> {
  /** `copy`: COPY FROM STDIN · `insert`: INSERT … SELECT FROM unnest, values in binary. */
  readonly way: 'copy' | 'insert';
  /** Of COPY. `text` only where a column has no binary form that is known. */
  readonly format: 'binary' | 'text';
  /**
   * Where the rows of upsert and skip wait for their INSERT … SELECT: `temporary` (a table of the transaction), `unlogged` (a table of the lane, where a pooler
   * forbids temporary ones), `none` (rows go straight into the table).
   */
  readonly staging: 'none' | 'temporary' | 'unlogged';
  /**
   * How the rows become visible. `rows`: with each commit · `swap`: `writesTo` takes the table's place at the end (mode replace; --atomic into an empty or new
   * table) · `move`: `writesTo` holds them with their places until one INSERT … SELECT at the end (--atomic beside rows that stay).
   */
  readonly publish: 'rows' | 'swap' | 'move';
  /** The key is made at the end ({@link TablePlan.deferredIndexes} holds it): rows with equal keys are found then. */
  readonly defersKey: boolean;
  /** `SET LOCAL synchronous_commit = off` for the batches, with the caller's consent. */
  readonly isFastSession: boolean;
  /** Mode sync over a table that stays: the table where keys are noted as seen with each commit; rows whose key is not in it are deleted at the end. */
  readonly seen?: string;
  /** See sqlite: whether rows and keys can be counted and digested by what was committed. */
  readonly countsRows: boolean;
  readonly tracksKeys: boolean;
  /** JSON: the names of the columns' types, by column. A load never goes on in a table with others; undefined: a plan that writes nothing. */
  readonly columnTypes?: string;
  /** JSON: names of columns that the load itself added to the table or widened, in which a table that replaces another differs from it; undefined: none. */
  readonly changedColumns?: string;
  /** `SET LOCAL maintenance_work_mem` while indexes are made, in kB; undefined: the server's. */
  readonly buildMemoryKb?: number;
  /** `SET LOCAL max_parallel_maintenance_workers` while indexes are made; undefined: the server's. */
  readonly buildWorkers?: number;
}

export function readSettings(plan: TablePlan): PostgresSettings {
  return plan.settings as PostgresSettings;
}

/** Columns that a table of publish `move` has beside the load's own: the place each row came from. No name is one of provenance (`sluice_line`). */
export const placeColumns = ['sluice_shard', 'sluice_row', 'sluice_offset', 'sluice_at_line'] as const;

/** Column of a staging table: the row's ordinal in its batch, from 0. */
export const ordinalColumn = 'sluice_ordinal';
