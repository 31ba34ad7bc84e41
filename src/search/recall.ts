/** Measures how many of the true nearest rows the index finds: stored vectors as queries, each answered by the index and by a scan. */
import { isSluiceError, SluiceError } from '../errors.ts';
import type { Connection, SearchHit, SearchRequest } from '../target/driver.ts';

/** Share of the true nearest rows that were found. */
export interface Recall {
  readonly k: number;
  readonly queries: number;
  /** 0 to 1. */
  readonly recall: number;
  /** `exact`: there is no index to be measured, and a scan misses nothing. */
  readonly way: 'index' | 'exact';
}

/** Queries by default: recall@10 then has a standard error of about 0.007. */
export const defaultRecallQueries = 100;

/** The same vectors are drawn each time, so that two measurements can be compared. */
const seed = 1;

/** Scores are computed twice from the same numbers; a row as near as the k-th true one is as good. */
const tolerance = 1e-12;

/**
 * Recall@k over `queries` stored vectors. Every query costs a scan of the table.
 * @throws SLUICE_USAGE where the target can't hand out stored vectors
 */
export async function measureRecall(
  connection: Connection,
  request: Omit<SearchRequest, 'vector' | 'where' | 'way'>,
  queries: number,
): Promise<Recall> {
  if (connection.sampleVectors === undefined) {
    throw new SluiceError('SLUICE_USAGE', `Recall can't be measured on ${connection.capabilities.name}.`, {
      hint: 'Leave the measurement out.',
    });
  }
  const vectors = await connection.sampleVectors({ table: request.table, column: request.column, count: queries, seed });
  let found = 0;
  let expected = 0;
  for (const vector of vectors) {
    const common = { ...request, vector, where: undefined, columns: [] };
    const proposed = await searchIndex(connection, common);
    if (proposed === undefined) return { k: request.k, queries: vectors.length, recall: 1, way: 'exact' };
    const { hits } = await connection.search({ ...common, way: 'exact' });
    found += countFound(proposed, hits);
    expected += hits.length;
  }
  return { k: request.k, queries: vectors.length, recall: expected === 0 ? 1 : found / expected, way: 'index' };
}

async function searchIndex(connection: Connection, request: Omit<SearchRequest, 'way'>): Promise<readonly SearchHit[] | undefined> {
  try {
    return (await connection.search({ ...request, way: 'index' })).hits;
  } catch (error) {
    if (isSluiceError(error, 'SLUICE_INDEX_UNUSABLE')) return undefined;
    throw error;
  }
}

/** By score, because of rows with equal vectors any may be returned. */
function countFound(proposed: readonly SearchHit[], exact: readonly SearchHit[]): number {
  const last = exact.at(-1);
  return last === undefined ? 0 : proposed.filter((hit) => hit.score >= last.score - tolerance).length;
}
