/** Node's clients for PostgreSQL, each used the way its own documentation shows. They are dependencies of the benchmark alone, installed when it first needs them. */
import { spawnSync } from 'node:child_process';
import { createReadStream, existsSync } from 'node:fs';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { once } from 'node:events';
import type { VectorRow } from '../data.ts';
import { useClient } from '../postgres-database.ts';

const installTimeoutMs = 5 * 60_000;
/** Rows a statement: what langchain and others take, and near the best of 100 to 5,000. */
const statementRows = 500;

/** Installs what bench/package.json names, once. */
export function provideClients(): void {
  const folder = path.join(import.meta.dirname, '..');
  if (['pg-copy-streams', 'better-sqlite3', '@lancedb/lancedb'].every((name) => existsSync(path.join(folder, 'node_modules', name))))
    return;
  const args = ['install', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
  const done = spawnSync('npm', args, { cwd: folder, encoding: 'utf8', timeout: installTimeoutMs });
  if (done.status !== 0) throw new Error(`npm install in bench/ ended with ${done.status}: ${done.stderr}`);
}

/** Its types are not known to this project, which does not depend on it. */
async function importClient<Shape>(name: string): Promise<Shape> {
  return (await import(name)) as Shape;
}

interface CopyStreams {
  readonly from: (sql: string) => Writable & { readonly submit: (connection: unknown) => void };
}

/** pg-copy-streams: a binary file through `pipeline`. */
export async function copyByStreams(url: string, file: string): Promise<void> {
  const { from } = await importClient<CopyStreams>('pg-copy-streams');
  await useClient(url, async (client) => {
    await pipeline(createReadStream(file, { highWaterMark: 256 * 1024 }), client.query(from('COPY items FROM STDIN WITH (FORMAT binary)')));
  });
}

interface PgVector {
  readonly default: { readonly toSql: (vector: readonly number[]) => string };
}

/** pgvector-node's example for loading: text COPY, a row per write. */
export async function copyByPgvector(url: string, rows: readonly VectorRow[]): Promise<void> {
  const { from } = await importClient<CopyStreams>('pg-copy-streams');
  const { default: pgvector } = await importClient<PgVector>('pgvector');
  await useClient(url, async (client) => {
    const stream = client.query(from('COPY items (id, text, vector) FROM STDIN'));
    for (const { id, text, vector } of rows) {
      if (!stream.write(`${id}\t${text}\t${pgvector.toSql(Array.from(vector))}\n`)) await once(stream, 'drain');
    }
    stream.end();
    await once(stream, 'finish');
  });
}

/** node-postgres: many rows a statement, vectors as text. */
export async function insertByNodePostgres(url: string, rows: readonly VectorRow[]): Promise<void> {
  await useClient(url, async (client) => {
    for (let start = 0; start < rows.length; start += statementRows) {
      const block = rows.slice(start, start + statementRows);
      const tuples = block.map((_, index) => `($${index * 3 + 1}, $${index * 3 + 2}, $${index * 3 + 3})`);
      const values = block.flatMap(({ id, text, vector }) => [id, text, `[${vector.join(',')}]`]);
      await client.query(`INSERT INTO items (id, text, vector) VALUES ${tuples.join(', ')}`, values);
    }
  });
}

/** The little of postgres.js that is used here. */
type PostgresJs = ((rows: readonly object[]) => unknown) &
  ((text: TemplateStringsArray, ...values: unknown[]) => Promise<unknown>) & { readonly end: () => Promise<void> };

/** postgres.js: its helper for many rows. */
export async function insertByPostgresJs(url: string, rows: readonly VectorRow[]): Promise<void> {
  const { default: postgres } = await importClient<{ readonly default: (url: string) => PostgresJs }>('postgres');
  const sql = postgres(url);
  try {
    for (let start = 0; start < rows.length; start += statementRows) {
      const block = rows.slice(start, start + statementRows).map(({ id, text, vector }) => ({ id, text, vector: `[${vector.join(',')}]` }));
      await sql`INSERT INTO items ${sql(block)}`;
    }
  } finally {
    await sql.end();
  }
}
