/** The vector indexes of a table as the catalogue has them, and their end. */
import type { DropIndexRequest, VectorIndexState } from '../../driver.ts';
import { transactLocking } from '../finish/lock.ts';
import type { PgLink } from '../link.ts';
import { parseQualifiedName, quoteName, quoteTable } from '../qualified-name.ts';
import { readSearchColumn, type VectorIndex } from './search-column.ts';

const columnsSql = `SELECT a.attname::text AS name FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass($1::text) AND a.attnum > 0 AND NOT a.attisdropped AND t.typname IN ('vector', 'halfvec') ORDER BY a.attnum`;

const factsSql = `SELECT c.reltuples::float8 AS rows, pg_relation_size(c.oid) AS bytes,
  EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = c.oid) AS building
FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid WHERE i.indrelid = to_regclass($1::text) AND c.relname = $2::text`;

/** pgvector's own, where an index names none. @see https://github.com/pgvector/pgvector#index-options */
const defaultOptions = { hnsw: { m: 16, ef_construction: 64 }, ivfflat: { lists: 100 } } as const;

/** All indexes, by column and name. */
export async function listIndexes(link: PgLink, table: string): Promise<readonly VectorIndexState[]> {
  const { rows } = await link.query(columnsSql, [quoteTable(table)]);
  const states: VectorIndexState[] = [];
  for (const row of rows) {
    const column = await readSearchColumn(link, { table, column: String(row['name']) });
    for (const index of column.indexes) states.push(await describeIndex(link, { table, column: column.name }, index));
  }
  return states;
}

async function describeIndex(
  link: PgLink,
  { table, column }: { readonly table: string; readonly column: string },
  index: VectorIndex,
): Promise<VectorIndexState> {
  const [facts] = (await link.query(factsSql, [quoteTable(table), index.name])).rows;
  const rows = Number(facts?.['rows'] ?? -1);
  const isBuilding = facts?.['building'] === true;
  const options: Readonly<Record<string, number>> = { ...defaultOptions[index.method], ...index.options };
  const { ef_construction: efConstruction, ...others } = options;
  return {
    name: index.name,
    column,
    metric: index.metric,
    method: index.method,
    state: index.isValid ? 'fresh' : isBuilding ? 'building' : 'unusable',
    staleRows: index.isValid ? 0 : undefined,
    rows: index.isValid && rows >= 0 ? rows : undefined,
    byteCount: facts === undefined ? undefined : Number(facts['bytes']),
    builtAt: undefined,
    settings: {
      ...others,
      ...(efConstruction === undefined ? {} : { efConstruction }),
      storage: index.type === 'halfvec' ? 'f16' : 'f32',
    },
    why: explain(index, isBuilding),
  };
}

function explain({ isPartial, isValid }: VectorIndex, isBuilding: boolean): string | undefined {
  if (isPartial) return 'it holds some of the rows only, so searches pass it over';
  if (isValid || isBuilding) return undefined;
  return 'its build did not end; drop it, or build it again';
}

/** Drops one, or all of a column; their names. */
export async function dropIndexes(link: PgLink, request: DropIndexRequest): Promise<readonly string[]> {
  const { column, lockTimeoutMs, name, signal, table } = request;
  const found = await readSearchColumn(link, { table, column });
  const names = found.indexes.map((index) => index.name).filter((each) => name === undefined || each === name);
  if (names.length === 0) return [];
  const { schema } = parseQualifiedName(table);
  const own = schema ?? (await findSchema(link, found.table));
  await transactLocking(link, { what: `Dropping indexes of ${table}`, lockTimeoutMs, signal }, async () => {
    for (const each of names) await link.script(`DROP INDEX IF EXISTS ${quoteName({ schema: own, name: each })}`);
  });
  return names;
}

async function findSchema(link: PgLink, quoted: string): Promise<string> {
  const sql = `SELECT n.nspname::text AS schema FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1::text)`;
  return String((await link.query(sql, [quoted])).rows[0]?.['schema']);
}

/** Bytes of a table with its indexes and what is stored out of line. */
export async function measureTable(link: PgLink, table: string): Promise<number | undefined> {
  const { rows } = await link.query('SELECT pg_total_relation_size(to_regclass($1::text)) AS bytes', [quoteTable(table)]);
  const bytes = rows[0]?.['bytes'];
  return bytes === null || bytes === undefined ? undefined : Number(bytes);
}
