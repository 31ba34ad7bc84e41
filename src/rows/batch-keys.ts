/** Batches cut down to what identifies their rows. The old batch is never changed; values are shared, not copied. */
import type { Batch } from './batch.ts';
import { dropRows } from './batch-edit.ts';

/** The batch with these columns alone, in the order of `names`; names that it does not have are left out. */
export function pickColumns(batch: Batch, names: readonly string[]): Batch {
  const indexes = names.map((name) => batch.columns.findIndex((column) => column.name === name)).filter((index) => index >= 0);
  return {
    ...batch,
    columns: indexes.flatMap((index) => batch.columns[index] ?? []),
    values: indexes.flatMap((index) => batch.values[index] ?? []),
    byteCount: batch.columns.length === 0 ? 0 : Math.round((batch.byteCount * indexes.length) / batch.columns.length),
  };
}

/** The batch with the rows alone for which `isWanted` holds. */
export function keepRows(batch: Batch, isWanted: (row: number) => boolean): Batch {
  const dropped: number[] = [];
  for (let row = 0; row < batch.rowCount; row++) if (!isWanted(row)) dropped.push(row);
  return dropRows(batch, dropped);
}

/** Rows whose key has a null, with the name of the column. */
export function findNullKeys(batch: Batch, key: readonly string[]): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  for (const name of key) {
    const data = batch.values[batch.columns.findIndex((column) => column.name === name)];
    if (data?.kind !== 'scalar') continue;
    for (let row = 0; row < batch.rowCount; row++) if ((data.values[row] ?? null) === null && !found.has(row)) found.set(row, name);
  }
  return found;
}
