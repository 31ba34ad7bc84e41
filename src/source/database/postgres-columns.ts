/** What a PostgreSQL table or query holds and how each column is asked for: in binary where its form is known, else as text or JSON that says the same. */
import { SluiceError } from '../../errors.ts';
import type { ColumnType } from '../../rows/schema.ts';
import { readColumnType } from '../../target/postgres/catalog/column-types.ts';
import type { PgLink } from '../../target/postgres/link.ts';
import { quoteTable } from '../../target/postgres/qualified-name.ts';
import type { WireType } from '../../target/postgres/wire-column.ts';
import { quoteIdentifier } from '../../target/sql-text.ts';

/** A column of what is read. */
export interface PostgresField {
  readonly name: string;
  /** What is selected for it; `source` is the alias of what it stands in. */
  readonly sql: string;
  /** What arrives. */
  readonly wire: WireType;
  readonly type: ColumnType;
  readonly dimensions: number | undefined;
  readonly isNullable: boolean;
}

/** A column as the catalogue has it. */
interface RawColumn {
  readonly name: string;
  readonly oid: number;
  readonly typmod: number;
  readonly isNullable: boolean;
}

/** A relation's facts that decide how it is read. */
export interface Relation {
  readonly oid: number;
  /** `pg_class.relkind`: r table · p partitioned · v view · m materialized view · f foreign. */
  readonly kind: string;
  readonly hasChildren: boolean;
  /** Bytes of its pages, without what is stored out of line. */
  readonly mainBytes: number;
  readonly blockBytes: number;
  /** As the last ANALYZE saw it; below 1 where there was none. */
  readonly analyzedRows: number;
  readonly analyzedPages: number;
}

/** Finds a table. @throws SLUICE_SOURCE_MISSING */
export async function findRelation(link: PgLink, table: string): Promise<Relation> {
  const { rows } = await link.query(
    `SELECT c.oid::int8 AS oid, c.relkind::text AS kind, c.relhassubclass AS children, c.reltuples::float8 AS tuples, c.relpages AS pages,
  CASE WHEN c.relkind IN ('r', 'm') THEN pg_relation_size(c.oid) ELSE 0 END AS bytes, current_setting('block_size') AS block
FROM pg_class c WHERE c.oid = to_regclass($1)`,
    [quoteTable(table)],
  );
  const [row] = rows;
  if (row === undefined) {
    throw new SluiceError('SLUICE_SOURCE_MISSING', `there is no table ${table} in ${link.place}`, {
      hint: 'Check the name, and its schema: table=schema.name. Capitals count.',
    });
  }
  return {
    oid: Number(row['oid']),
    kind: String(row['kind']),
    hasChildren: row['children'] === true,
    mainBytes: Number(row['bytes']),
    blockBytes: Number(row['block']),
    analyzedRows: Number(row['tuples']),
    analyzedPages: Number(row['pages']),
  };
}

export async function readTableFields(link: PgLink, relation: Relation): Promise<readonly PostgresField[]> {
  const { rows } = await link.query(
    `SELECT attname AS name, atttypid::int8 AS oid, atttypmod AS typmod, attnotnull AS required FROM pg_attribute
WHERE attrelid = $1::int8::oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [relation.oid],
  );
  return resolveFields(
    link,
    rows.map((row) => ({
      name: String(row['name']),
      oid: Number(row['oid']),
      typmod: Number(row['typmod']),
      isNullable: row['required'] !== true,
    })),
  );
}

/** Names and types of a query's columns, without running it: joined to one row on a condition that never holds, it gives a single row of nulls. */
export async function readQueryFields(link: PgLink, query: string): Promise<readonly PostgresField[]> {
  const never = `FROM (SELECT 1) AS sluice_one LEFT JOIN (${query}\n) AS source ON false`;
  const named = await link.query(`SELECT source.* ${never}`);
  const names = Object.keys(named.rows[0] ?? {});
  if (names.length === 0) throw new SluiceError('SLUICE_USAGE', 'the query gives no columns', { hint: 'Only a SELECT can be a source.' });
  const types = names.map((name, index) => `pg_typeof(source.${quoteIdentifier(name)})::oid::int8 AS t${String(index)}`);
  const [row] = (await link.query(`SELECT ${types.join(', ')} ${never}`)).rows;
  return resolveFields(
    link,
    names.map((name, index) => ({ name, oid: Number(row?.[`t${String(index)}`]), typmod: -1, isNullable: true })),
  );
}

/** A type with domains resolved. */
interface ResolvedType {
  readonly oid: number;
  readonly name: string;
  /** `pg_type.typtype` and `typcategory`. */
  readonly kind: string;
  readonly category: string;
  readonly typmod: number;
}

async function resolveFields(link: PgLink, columns: readonly RawColumn[]): Promise<readonly PostgresField[]> {
  const oids = [...new Set(columns.map(({ oid }) => oid))];
  const { rows } = await link.query(`WITH RECURSIVE known(asked, oid, typmod) AS (
  SELECT t.oid, t.oid, -1 FROM pg_type t WHERE t.oid = ANY ('{${oids.join(',')}}'::oid[])
  UNION ALL SELECT known.asked, t.typbasetype, t.typtypmod FROM known JOIN pg_type t ON t.oid = known.oid WHERE t.typtype = 'd')
SELECT known.asked::int8 AS asked, t.oid::int8 AS oid, t.typname AS name, t.typtype::text AS kind,
  t.typcategory::text AS category, known.typmod AS typmod
FROM known JOIN pg_type t ON t.oid = known.oid WHERE t.typtype <> 'd'`);
  const types = new Map(
    rows.map((row): [number, ResolvedType] => [
      Number(row['asked']),
      {
        oid: Number(row['oid']),
        name: String(row['name']),
        kind: String(row['kind']),
        category: String(row['category']),
        typmod: Number(row['typmod']),
      },
    ]),
  );
  return columns.map((column) => chooseForm(column, types.get(column.oid)));
}

/** Types that are read in binary; the extension's among them by name. */
const binaryTypes: ReadonlySet<string> = new Set(
  'bool int2 int4 int8 float4 float8 numeric text varchar bpchar bytea json jsonb uuid date timestamp timestamptz vector halfvec'.split(
    ' ',
  ),
);

const textWire: WireType = { name: 'text', oid: 25, typmod: -1, isArray: false, elementOid: 0, kind: 'base' };

function chooseForm({ isNullable, name, oid, typmod: ownTypmod }: RawColumn, type: ResolvedType | undefined): PostgresField {
  const column = `source.${quoteIdentifier(name)}`;
  const asText = { name, sql: `${column}::text`, wire: textWire, type: 'text' as const, dimensions: undefined, isNullable };
  if (type === undefined) return asText;
  const typmod = ownTypmod >= 0 || type.oid === oid ? ownTypmod : type.typmod;
  if (type.kind === 'b' && type.category !== 'A' && binaryTypes.has(type.name)) {
    const wire: WireType = { name: type.name, oid: type.oid, typmod, isArray: false, elementOid: 0, kind: 'base' };
    const spec = readColumnType(wire);
    return { name, sql: column, wire, type: spec.type, dimensions: spec.dimensions, isNullable };
  }
  if (type.category === 'N' && type.name === 'oid')
    return { ...asText, sql: `${column}::int8`, wire: { ...textWire, name: 'int8', oid: 20 }, type: 'integer' };
  // Arrays and rows have no text that another database reads; JSON keeps every digit of theirs.
  return type.category === 'A' || type.kind === 'c' ? { ...asText, sql: `to_json(${column})::text`, type: 'json' } : asText;
}
