/** A server that dies, is full, or is only a standby: a load ends in good order, and once the server is well again a resume finishes it. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { chooseUser, runProgram } from '../../scripts/postgres-program.ts';
import { destroyServer, startServer, stopServer, writeUrl, type Server } from '../../scripts/postgres-server.ts';
import { load } from '../../src/load/load.ts';
import { runSluice } from '../cli/process.ts';
import { holdLoad } from './fault-gate.ts';
import {
  assertFailed,
  assertNoSessions,
  assertWhole,
  endLoad,
  finishLoad,
  makePlace,
  plainTable,
  table,
  type Place,
  type PlaceOptions,
} from './fault-place.ts';
import { makeServerFolder, ownSkipReason, startOwnServer, type OwnServer } from './own-server.ts';
import { readSql, runSql } from './server.ts';

let own: OwnServer;

before(async () => {
  if (ownSkipReason === false) own = await startOwnServer();
});
after(async () => {
  if (ownSkipReason === false) await own.destroy();
});

/** As {@link makePlace}, on this file's server. */
async function makeOwnPlace(context: TestContext, options: PlaceOptions = {}): Promise<Place> {
  const database = await own.createDatabase();
  context.after(() => database.dispose());
  return makePlace(context, { ...options, database });
}

/** What a lost server leaves a load with: it found its way back, or it says that it could not. */
const lost = ['SLUICE_LINK_LOST', 'SLUICE_TARGET_UNREACHABLE'] as const;

const deaths: readonly { readonly name: string; readonly kill: (server: Server, backend: number) => Promise<void> }[] = [
  {
    name: 'kill -9 of one backend, which makes the server drop all sessions and recover',
    kill: async (server, backend) => {
      process.kill(backend, 'SIGKILL');
      await awaitServer(server);
    },
  },
  {
    name: 'an immediate stop of the server and a start',
    kill: async (server) => {
      await stopServer(server, 'immediate');
      await startServer(server);
    },
  },
  {
    name: 'a fast stop of the server and a start',
    kill: async (server) => {
      await stopServer(server);
      await startServer(server);
    },
  },
];

/** Waits until the server has recovered and takes sessions again. */
async function awaitServer(server: Server): Promise<void> {
  const psql = path.join(server.programFolder, 'pg_isready');
  for (let tries = 0; tries < 200; tries++) {
    const ready = spawnSync(psql, ['-q', '-h', '127.0.0.1', '-p', String(own.port)]);
    if (ready.status === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail('the server did not come back');
}

for (const { name, kill } of deaths) {
  test(`${name}: no row is lost or doubled`, { skip: ownSkipReason }, async (context) => {
    const place = await makeOwnPlace(context);
    const ended = endLoad(load(place.options));
    await holdLoad(place.url, async ({ waiting }) => kill(own.server, waiting[0] ?? 0));
    const end = await ended;
    if ('error' in end) {
      assertFailed(end, lost);
      await finishLoad(place);
    }
    await assertWhole(place);
  });
}

test('a full disk stops the load without refusing a row, and with more room it goes on', { skip: ownSkipReason }, async (context) => {
  const disk = path.join(own.server.folder, 'disk');
  mkdirSync(disk);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', disk]);
  if (mounted.status !== 0) {
    context.skip('mounting a small disk is not allowed here');
    return;
  }
  const user = chooseUser();
  if (user !== undefined) chownSync(disk, user.uid, user.gid);
  try {
    await runSql(own.url, `CREATE TABLESPACE small LOCATION '${disk}'`);
    const place = await makeOwnPlace(context, { before: plainTable.map((sql) => `${sql} TABLESPACE small`) });
    assertFailed(await endLoad(load(place.options)), ['SLUICE_TARGET_FULL']);
    await assertNoSessions(place.url);
    // A script is told that it helps to try again later.
    assert.equal((await runSluice(['resume', '--in', place.url, '--progress', 'none'])).exitCode, 5);
    assert.deepEqual(await readSql(place.url, 'SELECT count(*)::int AS rejects FROM sluice_rejects'), [{ rejects: 0 }]);
    execFileSync('mount', ['-o', 'remount,size=32m', disk]);
    await finishLoad(place);
    await assertWhole(place);
    await runSql(place.url, `DROP TABLE ${table}`);
    await runSql(own.url, 'DROP TABLESPACE small');
  } finally {
    execFileSync('umount', ['-l', disk]);
  }
});

test('a wrong password is said to be wrong, and is not printed', { skip: ownSkipReason }, async (context) => {
  const place = await makeOwnPlace(context);
  const file = path.join(own.server.dataFolder, 'pg_hba.conf');
  writeFileSync(file, `host all guarded 127.0.0.1/32 scram-sha-256\n${readFileSync(file, 'utf8')}`);
  await runSql(own.url, `CREATE ROLE guarded SUPERUSER LOGIN PASSWORD 'right'`, 'SELECT pg_reload_conf()');
  const to = (password: string): string => place.url.replace('postgres@', `guarded:${password}@`);
  const end = await endLoad(load({ ...place.options, to: to('secret') }));
  assertFailed(end, ['SLUICE_TARGET_DENIED']);
  const mended: Place = { ...place, options: { ...place.options, to: to('right') } };
  await finishLoad(mended);
  await assertWhole(mended);
});

/** Makes a standby that follows the file's server, with programs and rights like it. */
async function startStandby(): Promise<{ readonly standby: Server; readonly port: number }> {
  const folder = makeServerFolder();
  const standby: Server = {
    ...own.server,
    folder,
    dataFolder: path.join(folder, path.basename(own.server.dataFolder)),
    wantedPort: undefined,
  };
  const user = chooseUser();
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const args = ['-D', standby.dataFolder, '-R', '-X', 'stream', '-c', 'fast', '-h', '127.0.0.1', '-p', String(own.port), '-U', 'postgres'];
  await runProgram({ file: path.join(standby.programFolder, 'pg_basebackup'), args, timeoutMs: 60_000, isUnprivileged: true });
  return { standby, port: await startServer(standby) };
}

test(
  'a read-only standby is refused before anything is written, and its primary is found by a list of hosts',
  { skip: ownSkipReason },
  async (context) => {
    const place = await makeOwnPlace(context, { rows: 1_000 });
    const { standby, port } = await startStandby();
    context.after(() => destroyServer(standby));
    const name = new URL(place.url).pathname.slice(1);
    const end = await endLoad(load({ ...place.options, to: writeUrl(port, name) }));
    assertFailed(end, ['SLUICE_TARGET_READ_ONLY', 'SLUICE_PLAN_REFUSED']);
    assert.deepEqual(await readSql(place.url, `SELECT to_regclass('sluice_loads') AS ledger`), [{ ledger: null }]);
    const to = `postgres://postgres@127.0.0.1:${String(port)},127.0.0.1:${String(own.port)}/${name}?target_session_attrs=read-write`;
    const listed: Place = { ...place, options: { ...place.options, to } };
    await finishLoad(listed);
    await assertWhole(listed);
  },
);
