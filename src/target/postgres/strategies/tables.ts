/** The tables of `sluice bench` on PostgreSQL: all in one schema of the bench's own, whose drop takes everything along, whatever happened before. */
import { randomBytes } from 'node:crypto';
import { SluiceError } from '../../../errors.ts';
import { quoteIdentifier } from '../../sql-text.ts';
import type { BenchRows, LoadPlace, StrategyRequest } from '../../strategy.ts';
import { openLink } from '../connect/connect.ts';
import { toSluiceError } from '../errors.ts';
import { PgError, type PgLink } from '../link.ts';
import type { WireColumn, WireType } from '../wire-column.ts';

/** All that a bench makes has a name that begins so. */
const prefix = 'sluice_bench_';

/** One bench on one database. */
export interface Ground {
  readonly url: string;
  readonly link: PgLink;
  /** Not quoted. */
  readonly schema: string;
  /** All schemas that were made and are not dropped yet. */
  readonly schemas: Set<string>;
  readonly rows: BenchRows;
  readonly columns: readonly WireColumn[];
  readonly types: readonly string[];
  /** Schema of pgvector, for names of operator classes; not quoted. */
  readonly vectorSchema: string;
}

/** Connects and makes the schema. @throws SLUICE_TARGET_…, and SLUICE_USAGE where vectors are asked for without pgvector */
export async function openGround({ url, rows, signal }: StrategyRequest): Promise<Ground> {
  const link = await openLink(url, { signal });
  const schema = `${prefix}${randomBytes(4).toString('hex')}`;
  try {
    const vectorSchema = rows.dimensions > 0 ? await findVectorSchema(link) : '';
    await link.query(`CREATE SCHEMA ${quoteIdentifier(schema)}`);
    return { url, link, schema, schemas: new Set([schema]), rows, ...describeColumns(link, rows, vectorSchema), vectorSchema };
  } catch (error) {
    await link.close();
    throw toSluiceError(error, link.place);
  }
}

async function findVectorSchema(link: PgLink): Promise<string> {
  const sql = `SELECT n.nspname AS name FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'`;
  const found = (await link.query(sql)).rows[0]?.['name'];
  if (found !== undefined) return String(found);
  throw new SluiceError('SLUICE_USAGE', `There is no pgvector in ${link.place}.`, {
    hint: 'Run CREATE EXTENSION vector there, or leave vectors out with --dims 0.',
  });
}

const noModifier = { typmod: -1, isArray: false, elementOid: 0, kind: 'base' } as const;

function describeColumns(link: PgLink, rows: BenchRows, vectorSchema: string): Pick<Ground, 'columns' | 'types'> {
  const vectorOid = [...link.server.extensionTypes].find(([, name]) => name === 'vector')?.[0] ?? 0;
  const types: readonly WireType[] = [
    { name: 'int8', oid: 20, ...noModifier },
    { name: 'text', oid: 25, ...noModifier },
    { name: 'vector', oid: vectorOid, ...noModifier, typmod: rows.dimensions },
  ];
  return {
    columns: rows.columns.map((column, index) => ({ column, type: types[index] as WireType })),
    types: ['bigint', 'text', `${quoteIdentifier(vectorSchema)}.vector`].slice(0, rows.columns.length),
  };
}

export interface TableShape {
  readonly isUnlogged?: boolean;
  readonly hasKey?: boolean;
  /** Storage parameters. */
  readonly storage?: string;
}

/** Makes an empty table, runs the work with its quoted name, and drops it. */
export async function useTable<Result>(ground: Ground, shape: TableShape, work: (table: string) => Promise<Result>): Promise<Result> {
  const { link, schema, types, rows } = ground;
  const table = `${quoteIdentifier(schema)}.${quoteIdentifier(`rows_${randomBytes(4).toString('hex')}`)}`;
  const declared = rows.columns.map(({ name, dimensions }, index) => {
    const modifier = dimensions === undefined ? '' : `(${dimensions})`;
    return `${quoteIdentifier(name)} ${types[index]}${modifier} NOT NULL`;
  });
  if (shape.hasKey !== false) declared.push('PRIMARY KEY (id)');
  const storage = shape.storage === undefined ? '' : ` WITH (${shape.storage})`;
  await link.query(`CREATE ${shape.isUnlogged === true ? 'UNLOGGED ' : ''}TABLE ${table} (${declared.join(', ')})${storage}`);
  const result = await work(table);
  // After an error the drop of the schema takes the table along: the link may be broken, or inside a failed transaction.
  await link.query(`DROP TABLE ${table}`);
  return result;
}

export async function countRows(link: PgLink, table: string): Promise<number> {
  return Number((await link.query(`SELECT count(*) AS count FROM ${table}`)).rows[0]?.['count']);
}

/** Bytes of write-ahead log since the server was made; undefined where it is not told (a relative of PostgreSQL, or no right to ask). */
export async function readLogBytes(link: PgLink): Promise<number | undefined> {
  try {
    const { rows } = await link.query(`SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 AS bytes`);
    return Number(rows[0]?.['bytes']);
  } catch (error) {
    // 42883 there is no such function · 42501 no right to call it · 0A000 not supported · 55000 not in this state of the server
    if (error instanceof PgError && ['42883', '42501', '0A000', '55000'].includes(error.sqlState)) return undefined;
    throw error;
  }
}

/** A schema for a load, its ledger included: it comes first on the search path, where the ledger is made. */
export async function openLoadPlace({ url, link, schemas }: Ground): Promise<LoadPlace> {
  const schema = `${prefix}${randomBytes(4).toString('hex')}`;
  const shown = String((await link.query('SHOW search_path')).rows[0]?.['search_path'] ?? 'public');
  const path = [quoteIdentifier(schema), ...shown.split(',').map((name) => name.trim())].join(',');
  schemas.add(schema);
  await link.query(`CREATE SCHEMA ${quoteIdentifier(schema)}`);
  return {
    url: addOption(url, `-csearch_path=${path.replaceAll(/[\\ ]/g, '\\$&')}`),
    table: `${schema}.rows`,
    count: () => countRows(link, `${quoteIdentifier(schema)}.rows`),
    readLogBytes: () => readLogBytes(link),
    dispose: async () => {
      // Closing the bench drops it where the link is gone; the error that broke it is the one to be told.
      if (link.isBroken) return;
      await link.query(`DROP SCHEMA ${quoteIdentifier(schema)} CASCADE`);
      schemas.delete(schema);
    },
  };
}

function addOption(url: string, option: string): string {
  const [base = '', query = ''] = url.split('?', 2);
  const parameters = new URLSearchParams(query);
  parameters.set('options', [parameters.get('options'), option].filter((text) => text !== null).join(' '));
  return `${base}?${parameters.toString().replaceAll('+', '%20')}`;
}

/** Statements that drop what a killed bench left; never run unasked, for it may be one that still runs. */
export async function findLeftovers({ link, schema }: Pick<Ground, 'link' | 'schema'>): Promise<readonly string[]> {
  const sql = `SELECT nspname AS name FROM pg_namespace WHERE starts_with(nspname, $1) AND nspname <> $2 ORDER BY 1`;
  const { rows } = await link.query(sql, [prefix, schema]);
  return rows.map(({ name }) => `DROP SCHEMA ${quoteIdentifier(String(name))} CASCADE`);
}

/** Drops the schemas and closes; over a new link where the old one broke or hangs in a failed transaction. */
export async function closeGround({ url, link, schemas }: Ground): Promise<void> {
  await link.close();
  const last = await openLink(url, {});
  try {
    for (const schema of schemas) await last.query(`DROP SCHEMA IF EXISTS ${quoteIdentifier(schema)} CASCADE`);
  } catch (error) {
    throw toSluiceError(error, last.place);
  } finally {
    await last.close();
  }
}
