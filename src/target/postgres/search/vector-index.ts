/** Builds the HNSW index of a vector column, unless one is there: unfinished ones are dropped first, the server's memory is what the caller's session may use, progress is told. */
import { SluiceError } from '../../../errors.ts';
import type { IndexRequest, IndexResult } from '../../driver.ts';
import { quoteIdentifier } from '../../sql-text.ts';
import { transactLocking } from '../finish/lock.ts';
import { watchBuild } from '../finish/index-progress.ts';
import { PgError, type PgLink } from '../link.ts';
import { parseQualifiedName, quoteName } from '../qualified-name.ts';
import { readSearchColumn, writeIndexed, type SearchColumn, type VectorIndex } from './search-column.ts';
import { formatCount } from '../../../count-text.ts';

/** How many dimensions pgvector can index, by type: a row of the index must fit a page. @see https://github.com/pgvector/pgvector#hnsw */
const maxDimensions = { vector: 2_000, halfvec: 4_000 } as const;

/** PostgreSQL cuts names at 63 bytes, and would cut two into one. */
const maxNameBytes = 63;

export interface BuildSettings {
  /** Opens a second connection for the progress; without it none is told. */
  readonly openSecond?: (() => Promise<PgLink>) | undefined;
  /** `SET LOCAL maintenance_work_mem`, in kB. */
  readonly memoryKb?: number | undefined;
}

/**
 * Makes the index of a column for a metric. `threads` are build processes of the server. Others may read the table meanwhile, not write it.
 * @throws SLUICE_CANCELLED, SLUICE_TABLE_UNKNOWN, SLUICE_COLUMN_UNKNOWN, SLUICE_INDEX_UNUSABLE where the column has too many dimensions, SLUICE_TARGET_…
 */
export async function buildVectorIndex(link: PgLink, request: IndexRequest, settings: BuildSettings = {}): Promise<IndexResult> {
  if (request.signal?.aborted === true) throw cancelled(request);
  const column = await readSearchColumn(link, request);
  const shape = chooseShape(column, request);
  const same = column.indexes.filter((index) => index.metric === request.metric && index.method === 'hnsw' && !index.isPartial);
  const startedMs = performance.now();
  if (request.how === 'update' && same.some(({ isValid }) => isValid)) {
    return { rows: await countVectors(link, column), buildMs: 0, did: 'nothing' };
  }
  const doomed = same.filter((index) => !index.isValid || (request.how === 'rebuild' && index.name === nameIndex(request)));
  const rows = await build(link, { request, column, shape, doomed, settings });
  return { rows, buildMs: performance.now() - startedMs, did: 'built' };
}

interface Shape {
  readonly on: string;
  readonly opclass: string;
}

/** Wider columns are indexed by their halves, which a search then uses. */
function chooseShape(column: SearchColumn, { metric, table }: IndexRequest): Shape {
  const { dimensions, type, name } = column;
  if (dimensions === undefined) {
    throw new SluiceError(
      'SLUICE_INDEX_UNUSABLE',
      `The column ${name} of ${table} has no fixed number of dimensions, so pgvector can't index it.`,
      {
        hint: `Give it one: ALTER TABLE … ALTER COLUMN … TYPE ${type}(n).`,
      },
    );
  }
  if (dimensions > maxDimensions.halfvec) {
    throw new SluiceError(
      'SLUICE_INDEX_UNUSABLE',
      `The column ${name} of ${table} has ${formatCount(dimensions)} dimensions; pgvector indexes at most 2,000, or 4,000 in half precision.`,
      { hint: 'Search exactly, or store shorter vectors (many models can cut theirs).' },
    );
  }
  const isExpression = dimensions > maxDimensions[type];
  const opclass = `${column.extensionSchema}.${isExpression ? 'halfvec' : type}_${metric}_ops`;
  return { on: isExpression ? `(${writeIndexed(column, { isExpression })})` : writeIndexed(column, { isExpression }), opclass };
}

/** `items_embedding_hnsw_cosine`, cut in front of its end where it is too long. */
export function nameIndex({ table, column, metric }: Pick<IndexRequest, 'table' | 'column' | 'metric'>): string {
  const end = `_hnsw_${metric}`;
  let start = `${parseQualifiedName(table).name}_${column}`;
  while (Buffer.byteLength(start + end) > maxNameBytes) start = start.slice(0, -1);
  return start + end;
}

interface Building {
  readonly request: IndexRequest;
  readonly column: SearchColumn;
  readonly shape: Shape;
  /** Unfinished ones, and on a rebuild the one of the same name. */
  readonly doomed: readonly VectorIndex[];
  readonly settings: BuildSettings;
}

async function build(link: PgLink, building: Building): Promise<number> {
  const { request, column, shape, doomed, settings } = building;
  const { schema } = parseQualifiedName(request.table);
  const statement = `CREATE INDEX ${quoteIdentifier(nameIndex(request))} ON ${column.table} USING hnsw (${shape.on} ${shape.opclass})`;
  const local = [
    'SET LOCAL statement_timeout = 0',
    ...(settings.memoryKb === undefined ? [] : [`SET LOCAL maintenance_work_mem = ${String(Math.trunc(settings.memoryKb))}`]),
    // The leader builds too: n threads are n - 1 workers.
    ...(request.threads === undefined
      ? []
      : [`SET LOCAL max_parallel_maintenance_workers = ${String(Math.max(0, Math.trunc(request.threads) - 1))}`]),
  ];
  const { onProgress, signal, lockTimeoutMs, rows } = request;
  const watch = {
    table: column.table,
    openSecond: settings.openSecond,
    onProgress:
      onProgress &&
      (({ done, total }: { done: number; total: number }) => {
        if (rows === undefined || total === 0) onProgress(done, total);
        else onProgress(Math.round((done / total) * rows), rows);
      }),
  };
  try {
    return await transactLocking(link, { what: `Indexing ${request.table}`, lockTimeoutMs, signal, settings: local }, async () => {
      for (const { name } of doomed)
        await link.script(`DROP INDEX IF EXISTS ${quoteName({ schema: schema ?? (await findSchema(link, column)), name })}`);
      await watchBuild(watch, () => link.query(statement, [], { signal, timeoutMs: 0 }));
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

async function countVectors(link: PgLink, { table, name }: SearchColumn): Promise<number> {
  const { rows } = await link.query(`SELECT count(${quoteIdentifier(name)}) AS n FROM ${table}`, [], { timeoutMs: 0 });
  return Number(rows[0]?.['n']);
}

function cancelled({ table, column }: IndexRequest, cause?: unknown): SluiceError {
  return new SluiceError('SLUICE_CANCELLED', `The index of ${table}.${column} was not built: it was stopped.`, { cause });
}
