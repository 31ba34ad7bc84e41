/** One field of a row group, read forward: what every kind of field can be asked. */
import type { ColumnValues } from '../../rows/batch.ts';

export interface ColumnCursor {
  /** Decodes until at least one row is there: how many can be taken now, at most `maxRows`, of about `maxBytes` or one. 0 behind the last row. */
  ready(maxRows: number, maxBytes: number): Promise<number>;
  /** Bytes in memory of the next rows, which must be ready. */
  measure(rows: number): number;
  /** Takes the next rows, which must be ready. */
  take(rows: number): ColumnValues;
}
