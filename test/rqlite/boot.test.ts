/** A load that boots an empty node leaves the same database as one over the API, also after a kill; anything else in a node is never replaced, and nothing stays beside. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isSluiceError } from '../../src/errors.ts';
import { load } from '../../src/load/load.ts';
import { plan } from '../../src/load/plan/plan.ts';
import { connect } from '../../src/target/registry.ts';
import { verify } from '../../src/verify/verify.ts';
import { pass, startRelay, type Fault, type Seen } from './relay.ts';
import { shareServer, startServer } from './server.ts';

const from = Array.from({ length: 3000 }, (_, id) => ({ id: id % 2990, name: `row ${String(id)}` }));
const boots = { from, table: 'items', key: ['id'], target: { isBoot: true }, cache: false } as const;

const shared = shareServer();
after(() => shared.close());

let folder = '';
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sluice-boots-'));
});
after(() => rm(folder, { recursive: true }));

async function readNames(url: string): Promise<readonly unknown[]> {
  const connection = await connect(url);
  const rows = await connection.query({ sql: 'SELECT name FROM sqlite_schema ORDER BY name', parameters: [] });
  await connection.close();
  return rows.map((row) => row['name']);
}

it('a booted node has the rows, the rejects and the ledger, and takes loads over the API afterwards', async () => {
  const server = await shared.take();
  const planned = await plan({ ...boots, to: server.url });
  assert.ok(planned.decisions.some(({ what }) => what === 'boot'));
  const report = await load({ ...boots, to: server.url });
  assert.deepEqual(report.counts, { read: 3000, written: 2990, skipped: 0, rejected: 10 });
  assert.equal(report.verification?.isOk, true);
  await load({ from: [{ id: 9000, name: 'over the API' }], to: server.url, table: 'items', key: ['id'], cache: false });
  assert.equal((await verify({ in: server.url, table: 'items' })).isOk, true);
  await server.dispose();
});

describe('a node is not booted, and nothing is written anywhere,', () => {
  const refused = async (to: string, code: string): Promise<void> => {
    await assert.rejects(load({ ...boots, to }), (error) => isSluiceError(error) && error.code === code);
  };

  it('that holds a table', async () => {
    const server = await shared.take();
    const connection = await connect(server.url);
    await connection.transact([{ sql: 'CREATE TABLE precious (x)', parameters: [] }]);
    await connection.close();
    await refused(server.url, 'SLUICE_PLAN_REFUSED');
    assert.deepEqual(await readNames(server.url), ['precious']);
    await server.dispose();
  });

  it('that has company, voters or not', async () => {
    const server = await shared.take();
    const nodes = '{"nodes":[{"id":"1","voter":true},{"id":"2","voter":false}]}';
    const relay = await startRelay(
      () => server.port,
      ({ path: asked }) => (asked.startsWith('/nodes') ? { kind: 'answer', status: 200, text: nodes } : pass),
    );
    await refused(relay.url, 'SLUICE_PLAN_REFUSED');
    assert.deepEqual(await readNames(server.url), []);
    await relay.close();
    await server.dispose();
  });

  it('whose user lacks the permission load, or that only reads', async () => {
    const auth = path.join(folder, 'users.json');
    await writeFile(auth, JSON.stringify([{ username: 'bob', password: 'b', perms: ['execute', 'query', 'status'] }]));
    for (const isReadOnly of [false, true]) {
      const server = await (isReadOnly ? shared.take() : startServer({ auth }));
      // A read-only server, as `sluice serve --read-only` answers.
      const relay = await startRelay(
        () => server.port,
        ({ path: asked }) =>
          isReadOnly && asked.includes('execute')
            ? { kind: 'answer', status: 200, text: '{"results":[{"error":"attempt to write a readonly database"}]}' }
            : pass,
      );
      await refused(relay.url.replace('//', isReadOnly ? '//' : '//bob:b@'), isReadOnly ? 'SLUICE_PLAN_REFUSED' : 'SLUICE_TARGET_DENIED');
      await relay.close();
      await server.dispose();
    }
  });
});

const cli = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** The command line with temporary files in a folder of its own. */
function startCommand(
  args: readonly string[],
  temporary: string,
): { readonly child: ChildProcess; readonly ended: Promise<number | null> } {
  const child = spawn(process.execPath, [cli, ...args], { stdio: 'ignore', env: { ...process.env, TMPDIR: temporary } });
  return { child, ended: new Promise((resolve) => child.once('exit', resolve)) };
}

async function listLeft(temporary: string): Promise<readonly string[]> {
  return (await readdir(temporary)).filter((name) => name.startsWith('sluice-boot'));
}

describe('the command killed', () => {
  const moments: readonly { readonly name: string; readonly fault: Fault | undefined }[] = [
    { name: 'while it builds the file', fault: undefined },
    { name: 'before the node has the file', fault: { kind: 'cut_before' } },
    { name: 'when the node has the file', fault: { kind: 'cut_after' } },
  ];
  for (const { name, fault } of moments) {
    it(`${name} and run again gives the same table, and leaves no file`, async () => {
      const temporary = path.join(folder, name.replaceAll(' ', '-'));
      await mkdir(temporary);
      const input = path.join(temporary, 'in.csv');
      await writeFile(input, `id,name\n${from.map((row) => `${String(row.id)},${row.name}`).join('\n')}\n`);
      const server = await shared.take();
      let first: ChildProcess | undefined;
      const isBoot = ({ method, path: asked }: Seen): boolean => method === 'POST' && asked === '/boot';
      const relay = await startRelay(
        () => server.port,
        (seen) => {
          if (!isBoot(seen) || fault === undefined || first === undefined) return pass;
          first.kill('SIGKILL');
          first = undefined;
          return fault;
        },
      );
      const args = ['load', input, '--to', relay.url, '--table', 'items', '--key', 'id', '--boot', '--no-cache'];
      const killed = startCommand(args, temporary);
      first = killed.child;
      while (fault === undefined && (await listLeft(temporary)).length === 0) await sleep(2);
      if (fault === undefined) killed.child.kill('SIGKILL');
      assert.equal(await killed.ended, null);
      assert.equal((await listLeft(temporary)).length, 1);
      first = undefined;
      assert.equal(await startCommand(args, temporary).ended, 3);
      assert.deepEqual(await listLeft(temporary), []);
      const connection = await connect(server.url);
      assert.equal(await connection.countRows('items'), 2990);
      const loads = await connection.query({ sql: 'SELECT state FROM sluice_loads', parameters: [] });
      assert.deepEqual(loads, [{ state: 'done' }]);
      await connection.close();
      assert.equal((await verify({ in: server.url, table: 'items' })).isOk, true);
      await relay.close();
      await server.dispose();
    });
  }
});
