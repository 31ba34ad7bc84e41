/** `bench` on a real PostgreSQL server: every way writes what it says, with the rights of a plain user, and no schema, session or ledger stays behind. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { bench } from '../../src/index.ts';
import { runSluice } from '../cli/process.ts';
import { createDatabase, readSql, runSql, skipReason } from '../postgres/server.ts';
import type { TestDatabase } from '../postgres/server.ts';

let database: TestDatabase | undefined;
before(async () => {
  if (skipReason === false) database = await createDatabase();
});
after(async () => database?.dispose());

const url = (): string => database?.url ?? '';

/** What a bench could leave: its schemas, tables anywhere, sessions. */
async function listLeftovers(): Promise<readonly unknown[]> {
  const schemas = await readSql(url(), `SELECT nspname FROM pg_namespace WHERE nspname LIKE 'sluice%'`);
  const tables = await readSql(url(), `SELECT relname FROM pg_class WHERE relname LIKE 'sluice%' OR relname LIKE 'rows%'`);
  const sessions = await readSql(
    url(),
    `SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`,
  );
  return [...schemas, ...tables, ...sessions];
}

test('every way into PostgreSQL is counted with its log and leaves nothing behind', { skip: skipReason }, async () => {
  const report = await bench({ to: url(), rows: 600, dims: 12 });
  assert.deepEqual(report.skipped, []);
  const names = report.results.map((result) => result.name);
  for (const name of [
    'row by row, autocommit',
    'text COPY',
    'binary COPY',
    'HNSW dropped and rebuilt',
    '10 connections',
    'load, from memory',
  ]) {
    assert.ok(names.includes(name), `${name} of ${names.join()}`);
  }
  for (const { name, rows, isSample, logBytesPerRow } of report.results)
    assert.ok((rows === 600 || isSample) && Number(logBytesPerRow) >= 0, name);
  assert.match(report.facts['server'] ?? '', /^PostgreSQL/);
  assert.deepEqual(await listLeftovers(), []);
});

test('a bench without vectors needs no pgvector, and one with them says how to get it', { skip: skipReason }, async () => {
  const bare = await createDatabase();
  try {
    await runSql(bare.url, 'DROP EXTENSION vector');
    const report = await bench({ to: bare.url, rows: 50, dims: 0, only: ['copy', 'index'] });
    assert.ok(report.results.length >= 4 && report.results.every(({ group }) => group !== 'HNSW index'));
    await assert.rejects(bench({ to: bare.url, rows: 50, dims: 3 }), { code: 'SLUICE_USAGE', hint: /CREATE EXTENSION vector/ });
  } finally {
    await bare.dispose();
  }
});

for (const way of ['row by row', 'binary COPY', 'HNSW kept', '4 connections', 'from memory']) {
  test(`a bench that is stopped in «${way}» leaves nothing behind`, { skip: skipReason }, async () => {
    const controller = new AbortController();
    const onProgress = (): void => void setTimeout(() => controller.abort(), 60);
    await assert.rejects(bench({ to: url(), rows: 100_000, dims: 64, only: [way], signal: controller.signal, onProgress }), {
      code: 'SLUICE_CANCELLED',
    });
    assert.deepEqual(await listLeftovers(), []);
  });
}

test('Ctrl-C ends the command with 130 after it has dropped what it made', { skip: skipReason }, async () => {
  const args = ['bench', '--to', url(), '--rows', '1000000', '--dims', '16', '--only', 'statements'];
  const { exitCode, stdout, stderr } = await runSluice(args, { signalAt: { text: '1/4', signal: 'SIGINT' } });
  assert.deepEqual([exitCode, stdout], [130, '']);
  assert.match(stderr, /stopping, and dropping what was made[^]*SLUICE_CANCELLED/);
  assert.deepEqual(await listLeftovers(), []);
});

test('a user who may make no schema is told what is missing', { skip: skipReason }, async () => {
  const role = `sluice_plain_${process.pid}`;
  await runSql(url(), `CREATE ROLE ${role} LOGIN PASSWORD 'plain'`);
  try {
    const plain = new URL(url());
    [plain.username, plain.password] = [role, 'plain'];
    await assert.rejects(bench({ to: plain.href, rows: 10, dims: 0 }), { code: 'SLUICE_TARGET_DENIED' });
    await runSql(url(), `GRANT CREATE ON DATABASE ${plain.pathname.slice(1)} TO ${role}`);
    const report = await bench({ to: plain.href, rows: 10, dims: 3, only: ['copy', 'tables', 'connections'] });
    assert.ok(report.results.length > 5);
  } finally {
    await runSql(url(), `DROP OWNED BY ${role}`, `DROP ROLE ${role}`);
  }
});

test('what a killed bench left is named with the statement that drops it, and not touched', { skip: skipReason }, async () => {
  await runSql(url(), 'CREATE SCHEMA sluice_bench_0badcafe');
  const report = await bench({ to: url(), rows: 10, dims: 0, only: ['binary COPY'] });
  assert.match(report.notes.join(), /DROP SCHEMA "sluice_bench_0badcafe" CASCADE/);
  await runSql(url(), 'DROP SCHEMA sluice_bench_0badcafe');
});
