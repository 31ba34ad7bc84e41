/** Draws stored vectors to measure recall with: the same ones for the same seed and table. Only reads. */
import type { DatabaseSync } from 'node:sqlite';
import type { SampleRequest } from '../driver.ts';
import { quoteIdentifier } from '../sql-text.ts';
import {
  findVectorTable,
  linkVectors,
  prepareFreshRows,
  prepareRows,
  readRows,
  readSnapshot,
  refreshSchema,
  type RowValues,
} from './vector-link.ts';
import { isVectorSql, readVector } from './vector-table.ts';

/** At most `count` different rows' vectors, in one pass over the table: a small part of what measuring recall with them costs. */
export function sampleVectors(db: DatabaseSync, request: SampleRequest): readonly Float32Array[] {
  const link = linkVectors(db);
  return readSnapshot(db, () => {
    refreshSchema(link);
    const table = findVectorTable(link, request.table, request.column);
    const from = `FROM ${quoteIdentifier(table.name)} WHERE ${isVectorSql(table)}`;
    const total = Number(readRows(prepareRows(link, `SELECT count(*) ${from}`))[0]?.[0] ?? 0);
    const drawn = drawNumbers(request, total);
    const vectors: Float32Array[] = [];
    let row = 0;
    for (const values of prepareFreshRows(link, `SELECT ${quoteIdentifier(table.column)} ${from}`).iterate()) {
      if (drawn.has(row++)) vectors.push(readVector((values as unknown as RowValues)[0] as Uint8Array));
      if (vectors.length === drawn.size) break;
    }
    return vectors;
  });
}

/** Different whole numbers below `total`. */
function drawNumbers({ count, seed }: SampleRequest, total: number): ReadonlySet<number> {
  if (count >= total) return new Set(Array.from({ length: total }, (_, index) => index));
  const drawn = new Set<number>();
  // Numerical Recipes' generator: good enough to choose rows, and the same everywhere.
  for (let state = seed >>> 0; drawn.size < count;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    drawn.add(Math.floor((state / 2 ** 32) * total));
  }
  return drawn;
}
