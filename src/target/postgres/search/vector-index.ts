/** Builds the HNSW index of a vector column, unless one is there: unfinished ones are dropped first, the server's memory is what the caller's session may use, progress is told. */
import type { IndexRequest, IndexResult } from '../../driver.ts';
import { transactLocking } from '../finish/lock.ts';
import { watchBuild } from '../finish/index-progress.ts';
import { PgError, type PgLink } from '../link.ts';
import { parseQualifiedName, quoteName } from '../qualified-name.ts';
import { buildConcurrently } from './concurrent-build.ts';
import { chooseShape, nameIndex } from './index-shape.ts';
import { cancelled, countVectors, describeWatch, writeIndex, type Building, type BuildSettings } from './index-work.ts';
import { readSearchColumn, type SearchColumn } from './search-column.ts';

export { nameIndex } from './index-shape.ts';

/**
 * Makes the index of a column for a metric. `threads` are build processes of the server. Others may read the table meanwhile, not write it.
 * @throws SLUICE_CANCELLED, SLUICE_TABLE_UNKNOWN, SLUICE_COLUMN_UNKNOWN, SLUICE_INDEX_UNUSABLE where the column has too many dimensions, SLUICE_TARGET_…
 */
export async function buildVectorIndex(link: PgLink, request: IndexRequest, settings: BuildSettings = {}): Promise<IndexResult> {
  if (request.signal?.aborted === true) throw cancelled(request);
  const column = await readSearchColumn(link, request);
  const method = request.settings?.method;
  const same = column.indexes.filter(
    (index) =>
      index.metric === request.metric &&
      !index.isPartial &&
      index.method === (method ?? (index.name === request.name ? index.method : 'hnsw')) &&
      (request.name === undefined || index.name === request.name),
  );
  const name = request.name ?? (request.how === 'rebuild' && same.length === 1 ? same[0]?.name : undefined) ?? nameIndex(request);
  const shape = chooseShape(
    column,
    request,
    same.find((index) => index.name === name),
  );
  const startedMs = performance.now();
  if (request.how === 'update' && same.some(({ isValid }) => isValid)) {
    return { rows: await countVectors(link, column), buildMs: 0, did: 'nothing' };
  }
  const doomed = same.filter((index) => !index.isValid || (request.how === 'rebuild' && index.name === name));
  const schema = parseQualifiedName(request.table).schema ?? (await findSchema(link, column));
  const building: Building = { request, column, shape, doomed, settings, name, schema };
  const isConcurrent = request.isConcurrent === true && settings.openSecond !== undefined && column.kind === 'r';
  const rows = isConcurrent ? await buildConcurrently(link, building) : await build(link, building);
  return { rows, buildMs: performance.now() - startedMs, did: 'built' };
}

async function build(link: PgLink, building: Building): Promise<number> {
  const { request, column, doomed, settings, schema } = building;
  const statement = `CREATE INDEX ${writeIndex(building, building.name)}`;
  const local = [
    'SET LOCAL statement_timeout = 0',
    ...(settings.memoryKb === undefined ? [] : [`SET LOCAL maintenance_work_mem = ${String(Math.trunc(settings.memoryKb))}`]),
    // The leader builds too: n threads are n - 1 workers.
    ...(request.threads === undefined
      ? []
      : [`SET LOCAL max_parallel_maintenance_workers = ${String(Math.max(0, Math.trunc(request.threads) - 1))}`]),
  ];
  const { signal, lockTimeoutMs } = request;
  try {
    return await transactLocking(link, { what: `Indexing ${request.table}`, lockTimeoutMs, signal, settings: local }, async () => {
      for (const { name } of doomed) await link.script(`DROP INDEX IF EXISTS ${quoteName({ schema, name })}`);
      await watchBuild(describeWatch(building), () => link.query(statement, [], { signal, timeoutMs: 0 }));
      return countVectors(link, column);
    });
  } catch (error) {
    if (signal?.aborted === true && error instanceof PgError && error.sqlState === '57014') throw cancelled(request, error);
    throw error;
  }
}

async function findSchema(link: PgLink, { table }: SearchColumn): Promise<string> {
  const { rows } = await link.query(
    `SELECT n.nspname::text AS schema FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1::text)`,
    [table],
  );
  return String(rows[0]?.['schema']);
}
