/** PGlite as a target: one process at a time, many connections in it, and what was committed outlives a process that is killed. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isSluiceError } from '../../src/errors.ts';
import { load } from '../../src/load/load.ts';
import { resume } from '../../src/load/resume.ts';
import type { LoadOptions } from '../../src/load/options.ts';
import { toBlobCopy } from '../../src/target/pglite/blob-copy.ts';
import { connect } from '../../src/target/registry.ts';
import { verify } from '../../src/verify/verify.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { runTask } from '../fixtures/load-process.ts';
import { copyEmptyDatabase } from './pglite-folder.ts';

const cli = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

async function makeLoad(context: TestContext, rows: number): Promise<{ readonly options: LoadOptions; readonly folder: string }> {
  const folder = makeFolder(context);
  const input = path.join(folder, 'rows.jsonl');
  const lines = Array.from({ length: rows }, (_, id) => JSON.stringify({ id, body: `row ${String(id)}`, v: [id, 1, 2] }));
  writeFileSync(input, `${lines.join('\n')}\n`);
  await copyEmptyDatabase(path.join(folder, 'data'));
  return { folder, options: { from: input, to: `pglite:${path.join(folder, 'data')}`, table: 'items', key: ['id'], cache: false } };
}

test('COPY is pointed at the blob, and nothing that only looks like it is touched', () => {
  const copy = `COPY "a FROM STDIN" ("to stdout") FROM STDIN (FORMAT text, DELIMITER 'FROM STDIN')`;
  assert.equal(toBlobCopy(copy), `COPY "a FROM STDIN" ("to stdout") FROM '/dev/blob' (FORMAT text, DELIMITER 'FROM STDIN')`);
  assert.equal(toBlobCopy('COPY (SELECT $x$ TO STDOUT $x$) TO\n STDOUT'), `COPY (SELECT $x$ TO STDOUT $x$) TO '/dev/blob'`);
  assert.throws(() => toBlobCopy('COPY t FROM PROGRAM x'), { code: 'SLUICE_INTERNAL' });
});

test('connections of one process share a folder, and the last one to close leaves nothing beside it', async (context) => {
  const { options, folder } = await makeLoad(context, 10);
  const [one, two] = await Promise.all([connect(options.to), connect(options.to)]);
  await one.transact([{ sql: 'CREATE TABLE t (id int)', parameters: [] }]);
  assert.equal(await two.countRows('t'), 0);
  await one.close();
  assert.equal(await two.countRows('t'), 0);
  assert.ok(existsSync(path.join(folder, 'data.lock')));
  await two.close();
  assert.deepEqual(readdirSync(folder).sort(), ['data', 'rows.jsonl']);
});

test('a folder that another process has open is said to be locked by the deadline, and is free when that process dies', async (context) => {
  const { options } = await makeLoad(context, 10);
  const script = `const { connect } = await import(${JSON.stringify(new URL('../../src/target/registry.ts', import.meta.url).href)});
    await connect(${JSON.stringify(options.to)}); console.log('open'); setInterval(() => {}, 1000);`;
  const other = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  context.after(() => other.kill('SIGKILL'));
  await new Promise((resolve) => other.stdout.once('data', resolve));
  await assert.rejects(connect(options.to, { lockTimeoutMs: 100 }), (error) => {
    assert.ok(isSluiceError(error, 'SLUICE_TARGET_LOCKED'), String(error));
    assert.ok((error.hint ?? '').length > 0);
    return true;
  });
  const ended = new Promise((resolve) => other.once('exit', resolve));
  other.kill('SIGKILL');
  await ended;
  const connection = await connect(options.to, { lockTimeoutMs: 5_000 });
  await connection.close();
});

test('a load that is killed is finished by a resume, each row once', async (context) => {
  const { options } = await makeLoad(context, 20_000);
  // A process takes about a second to start and to open the database; it is killed at some commit after that.
  const ended = await runTask({ verb: 'load', options: { ...options, maxBatchRows: 100 } }, { afterMs: 2_500 });
  const wasKilled = ended.signal === 'SIGKILL';
  const report = wasKilled ? await goOn(options) : undefined;
  context.diagnostic(wasKilled ? `killed; the resume read ${String(report?.counts.read)}` : 'the load was over before it was killed');
  const connection = await connect(options.to);
  assert.equal(await connection.countRows('items'), 20_000);
  await connection.close();
  assert.equal((await verify({ in: options.to, table: 'items' })).isOk, true);
});

/** Killed before it was entered in the ledger there is nothing to resume. */
async function goOn(options: LoadOptions): Promise<Awaited<ReturnType<typeof load>>> {
  try {
    return await resume({ in: options.to });
  } catch (error) {
    if (!isSluiceError(error)) throw error;
    return load(options);
  }
}

test('a large file is loaded on the caller’s thread, and the process ends by itself with status 0', async (context) => {
  const { options } = await makeLoad(context, 50_000);
  const args = [cli, 'load', String(options.from), '--to', options.to, '--table', 'items', '--key', 'id', '--lanes', '4', '--json'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const status = await new Promise((resolve) => child.once('close', resolve));
  assert.equal(status, 0, output);
  assert.match(output, /"written":\s*50000/u);
});

test('rows in memory stay as long as the process does', async () => {
  const rows = [{ id: 1, name: 'one' }];
  const report = await load({ from: rows, to: 'pglite:memory', table: 'kept', key: ['id'], cache: false });
  assert.equal(report.counts.written, 1);
  const connection = await connect('pglite:memory');
  assert.equal(await connection.countRows('kept'), 1);
  await connection.close();
});

test('a plan for a folder that is not there makes none, and reading from it says that it is missing', async (context) => {
  const folder = makeFolder(context);
  const url = `pglite:${path.join(folder, 'data')}`;
  const connection = await connect(url, { isPlanning: true });
  assert.equal(await connection.describe('items'), undefined);
  // A load must not go on in it: its rows would be gone with it.
  assert.equal(connection.capabilities.plansInSession, false);
  await connection.close();
  await assert.rejects(connect(url, { isReadOnly: true }), { code: 'SLUICE_TARGET_MISSING' });
  assert.deepEqual(readdirSync(folder), []);
});
