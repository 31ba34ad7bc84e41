/** What a search must know of a vector column: its type, the table's other columns and key, and the indexes that can answer by a metric. */
import { SluiceError } from '../../../errors.ts';
import type { Metric } from '../../driver.ts';
import type { PgLink } from '../link.ts';
import { quoteTable } from '../qualified-name.ts';

/** pgvector's operators; each orders by a distance, smallest first. `<#>` is the negative inner product. */
export const metricOperators: Readonly<Record<Metric, string>> = { cosine: '<=>', ip: '<#>', l2: '<->' };

export type VectorType = 'vector' | 'halfvec';

/** An index over the column, or over the column cast to halfvec. */
export interface VectorIndex {
  readonly name: string;
  readonly method: 'hnsw' | 'ivfflat';
  readonly metric: Metric;
  /** What the index is over, and what a query must order by to use it. */
  readonly type: VectorType;
  readonly isExpression: boolean;
  readonly isValid: boolean;
  /** Over some of the rows only: a query without its condition can't use it. */
  readonly isPartial: boolean;
  readonly lists: number;
  /** Storage parameters as they were given: `m`, `ef_construction`, `lists`. */
  readonly options: Readonly<Record<string, number>>;
}

export interface SearchColumn {
  /** Quoted. */
  readonly table: string;
  readonly name: string;
  readonly type: VectorType;
  /** undefined where the column takes vectors of any length. */
  readonly dimensions: number | undefined;
  /** With the type that each has, vectors told apart. */
  readonly columns: readonly { readonly name: string; readonly isVector: boolean }[];
  readonly key: readonly string[];
  /** Schema of pgvector, quoted: its operators may not be on the search path. */
  readonly extensionSchema: string;
  readonly indexes: readonly VectorIndex[];
  /** `pg_class.relkind`: r table · p partitioned · m materialized view … */
  readonly kind: string;
}

const columnSql = `SELECT a.attnum::int8 AS attnum, t.typname::text AS type, a.atttypmod::int8 AS typmod, quote_ident(tn.nspname) AS schema, c.relkind::text AS kind,
  (SELECT json_agg(json_build_object('name', o.attname, 'isVector', ot.typname IN ('vector', 'halfvec', 'sparsevec')) ORDER BY o.attnum)
    FROM pg_attribute o JOIN pg_type ot ON ot.oid = o.atttypid WHERE o.attrelid = c.oid AND o.attnum > 0 AND NOT o.attisdropped)::text AS columns,
  (SELECT coalesce(json_agg(o.attname ORDER BY k.at), '[]') FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY k(num, at), pg_attribute o
    WHERE i.indrelid = c.oid AND i.indisprimary AND o.attrelid = c.oid AND o.attnum = k.num AND k.at <= i.indnkeyatts)::text AS key
FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = $2::text AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_namespace tn ON tn.oid = t.typnamespace WHERE c.oid = to_regclass($1::text)`;

/** An expression index counts when it is exactly the cast of this column. */
const indexesSql = `SELECT ic.relname::text AS name, am.amname::text AS method, oc.opcname::text AS opclass, i.indisvalid AS valid, i.indpred IS NOT NULL AS partial, i.indkey[0] = 0 AS is_expression,
  coalesce((SELECT o.option_value::int8 FROM pg_options_to_table(ic.reloptions) o WHERE o.option_name = 'lists'), 100) AS lists,
  (SELECT json_object_agg(o.option_name, o.option_value) FROM pg_options_to_table(ic.reloptions) o)::text AS options
FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid JOIN pg_am am ON am.oid = ic.relam JOIN pg_opclass oc ON oc.oid = i.indclass[0]
WHERE i.indrelid = to_regclass($1::text) AND am.amname IN ('hnsw', 'ivfflat')
  AND (i.indkey[0] = $2::int8 OR i.indkey[0] = 0 AND pg_get_indexdef(ic.oid, 1, true) ~ ('^\\(?' || quote_ident($3::text) || '::([a-z_]+\\.)?halfvec(\\(\\d+\\))?\\)?$'))
ORDER BY ic.relname`;

/** @throws SLUICE_TABLE_UNKNOWN, SLUICE_COLUMN_UNKNOWN */
export async function readSearchColumn(
  link: PgLink,
  { table, column }: { readonly table: string; readonly column: string },
): Promise<SearchColumn> {
  const { rows } = await link.query(columnSql, [quoteTable(table), column]);
  const row = rows[0];
  if (row === undefined) {
    throw new SluiceError('SLUICE_TABLE_UNKNOWN', `There is no table ${table} in ${link.place}.`, {
      hint: 'Check the name and its schema.',
    });
  }
  const columns = JSON.parse(String(row['columns'])) as SearchColumn['columns'];
  const type = row['type'];
  if (type !== 'vector' && type !== 'halfvec') {
    const what = type === null ? 'has no column' : 'has no vectors in the column';
    const vectors = columns.filter(({ isVector }) => isVector).map(({ name }) => name);
    throw new SluiceError('SLUICE_COLUMN_UNKNOWN', `The table ${table} ${what} ${column}.`, {
      hint: vectors.length === 0 ? 'It has no vector column.' : `Its vector columns: ${vectors.join(', ')}.`,
    });
  }
  const typmod = Number(row['typmod']);
  return {
    table: quoteTable(table),
    name: column,
    type,
    dimensions: typmod > 0 ? typmod : undefined,
    columns,
    key: JSON.parse(String(row['key'])) as readonly string[],
    kind: String(row['kind']),
    extensionSchema: String(row['schema']),
    indexes: await readIndexes(link, { table, column, type, attnum: Number(row['attnum']) }),
  };
}

async function readIndexes(
  link: PgLink,
  of: { readonly table: string; readonly column: string; readonly type: VectorType; readonly attnum: number },
): Promise<readonly VectorIndex[]> {
  const { rows } = await link.query(indexesSql, [quoteTable(of.table), of.attnum, of.column]);
  return rows.flatMap((row) => {
    const metric = readMetric(String(row['opclass']));
    if (metric === undefined) return [];
    return {
      name: String(row['name']),
      method: row['method'] === 'hnsw' ? 'hnsw' : 'ivfflat',
      metric,
      type: String(row['opclass']).startsWith('halfvec') ? 'halfvec' : of.type,
      isExpression: row['is_expression'] === true,
      isValid: row['valid'] === true,
      isPartial: row['partial'] === true,
      lists: Number(row['lists']),
      options: readOptions(row['options']),
    };
  });
}

function readOptions(text: unknown): VectorIndex['options'] {
  const found = typeof text === 'string' ? (JSON.parse(text) as Record<string, unknown>) : {};
  return Object.fromEntries(Object.entries(found).map(([name, value]) => [name, Number(value)]));
}

function readMetric(opclass: string): Metric | undefined {
  const name = /^(?:vector|halfvec)_(cosine|ip|l2)_ops$/u.exec(opclass)?.[1];
  return name === 'cosine' || name === 'ip' || name === 'l2' ? name : undefined;
}

/** The column as an index has it: an expression that is written the same way. */
export function writeIndexed({ name, extensionSchema, dimensions }: SearchColumn, index: Pick<VectorIndex, 'isExpression'>): string {
  const column = `"${name.replaceAll('"', '""')}"`;
  return index.isExpression ? `(${column}::${extensionSchema}.halfvec(${String(dimensions ?? 0)}))` : column;
}
