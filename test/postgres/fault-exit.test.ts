/** What a script sees of a load that PostgreSQL stops: exit code 5 where it helps to try again later, 6 where somebody must mend something first, 2 where the command is wrong. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { startServer, stopServer } from '../../scripts/postgres-server.ts';
import { runSluice, type Ended } from '../cli/process.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { holdLoad } from './fault-gate.ts';
import { plainTable, table } from './fault-place.ts';
import { ownSkipReason, startOwnServer, type OwnServer } from './own-server.ts';
import { readSql, runSql, withClient } from './server.ts';

const [transient, permanent, usage] = [5, 6, 2];

let own: OwnServer;

before(async () => {
  if (ownSkipReason === false) own = await startOwnServer();
});
after(async () => {
  if (ownSkipReason === false) await own.destroy();
});

interface Place {
  readonly url: string;
  /** Runs the load, over another URL where one is given. */
  run(url?: string, flags?: readonly string[]): Promise<Ended>;
}

/** Some shards, so that there is a middle. */
async function makePlace(context: TestContext): Promise<Place> {
  const database = await own.createDatabase();
  context.after(() => database.dispose());
  const { url } = database;
  await runSql(url, ...plainTable);
  const input = path.join(makeFolder(context), 'rows.jsonl');
  const lines = Array.from({ length: 12_000 }, (_, id) =>
    JSON.stringify({ id, body: `row ${String(id)} ${'x'.repeat(80)}`, v: [id, 0.5, -1] }),
  );
  writeFileSync(input, `${lines.join('\n')}\n`);
  const run: Place['run'] = (to = url, flags = []) =>
    runSluice([
      'load',
      input,
      '--to',
      to,
      '--table',
      table,
      '--key',
      'id',
      '--lanes',
      '1',
      '--lock-timeout',
      '2s',
      '--progress',
      'none',
      ...flags,
    ]);
  return { url, run };
}

/** Asserts the code, and that what is printed names the error and a next step, and no secret. */
function assertEnded({ exitCode, stdout, stderr }: Ended, code: number, says: RegExp): void {
  const text = `${stdout}\n${stderr}`;
  assert.equal(exitCode, code, text);
  assert.match(text, says);
  assert.doesNotMatch(text, /secret|at .*\.ts:\d+/u);
}

test('a table that is locked, and a statement that is cancelled: 5', { skip: ownSkipReason }, async (context) => {
  const place = await makePlace(context);
  const locked = place.run();
  await holdLoad(place.url, async () => assertEnded(await locked, transient, /SLUICE_TARGET_LOCKED/u));
  const cancelled = place.run();
  await holdLoad(place.url, async ({ run, waiting }) => {
    await run('SELECT pg_cancel_backend(pid) FROM unnest($1::int[]) AS pid', [waiting]);
    assertEnded(await cancelled, transient, /SLUICE_TARGET_TIMEOUT/u);
  });
  assertEnded(await place.run(), 0, /12,000/u);
});

test(
  'a wrong password: 6; rights that are missing: 2 before anything is done, 6 in the middle',
  { skip: ownSkipReason },
  async (context) => {
    const place = await makePlace(context);
    const file = path.join(own.server.dataFolder, 'pg_hba.conf');
    writeFileSync(file, `host all guarded 127.0.0.1/32 scram-sha-256\n${readFileSync(file, 'utf8')}`);
    await runSql(own.url, `CREATE ROLE guarded LOGIN PASSWORD 'right'`, 'SELECT pg_reload_conf()');
    const as = (password: string): string => place.url.replace('postgres@', `guarded:${password}@`);
    assertEnded(await place.run(as('secret')), permanent, /SLUICE_TARGET_DENIED/u);
    assertEnded(await place.run(as('right')), usage, /GRANT CREATE ON SCHEMA "public" TO "guarded"/u);
    await runSql(place.url, 'GRANT CREATE ON SCHEMA public TO guarded', `GRANT ALL ON ${table} TO guarded`);
    const ended = place.run(as('right'));
    await holdLoad(place.url, async ({ run }) => {
      await run(`REVOKE INSERT ON ${table} FROM guarded`);
      await run('COMMIT');
    });
    assertEnded(await ended, permanent, /SLUICE_TARGET_DENIED/u);
    await runSql(place.url, 'DROP OWNED BY guarded', 'DROP ROLE guarded');
  },
);

test('no such database: 2', { skip: ownSkipReason }, async (context) => {
  const place = await makePlace(context);
  assertEnded(await place.run(place.url.replace(/\/[^/]*$/u, '/nowhere')), usage, /SLUICE_TARGET_MISSING/u);
});

test('a table that is dropped in the middle: 2', { skip: ownSkipReason }, async (context) => {
  const place = await makePlace(context);
  const ended = place.run();
  await holdLoad(place.url, async ({ run }) => {
    await run(`DROP TABLE ${table}`);
    await run('COMMIT');
  });
  assertEnded(await ended, usage, /SLUICE_TABLE_UNKNOWN/u);
});

/** A lane waits two minutes for its server to come back; what a load does at its end is not tried again. */
test(
  'a server that is stopped while an index is made: 5, and the printed command goes on when it is back',
  { skip: ownSkipReason },
  async (context) => {
    const place = await makePlace(context);
    await runSql(
      place.url,
      `CREATE INDEX by_body ON ${table} (body)`,
      `CREATE FUNCTION hold() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_lock_shared(1); END $$`,
      `CREATE EVENT TRIGGER hold ON ddl_command_start WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION hold()`,
    );
    const ended = await withClient(place.url, async (client) => {
      await client.query('SELECT pg_advisory_lock(1)');
      const running = place.run(place.url, ['--indexes', 'rebuild']);
      await awaitHeld(client);
      await stopServer(own.server, 'immediate');
      return running;
    });
    await startServer(own.server);
    assertEnded(ended, transient, /SLUICE_(?:LINK_LOST|TARGET_UNREACHABLE)/u);
    const command = /sluice (resume --in \S+ \S+)/u.exec(`${ended.stdout}\n${ended.stderr}`)?.[1];
    assert.ok(command !== undefined, `no command to go on with: ${ended.stdout}${ended.stderr}`);
    assertEnded(await runSluice([...command.split(' '), '--progress', 'none']), 0, /12,000/u);
    assert.deepEqual(
      await readSql(place.url, `SELECT indexrelid::regclass::text AS name FROM pg_index WHERE indrelid = '${table}'::regclass ORDER BY 1`),
      [{ name: 'by_body' }, { name: `${table}_pkey` }],
    );
  },
);

test('a server that is not there: 5', { skip: ownSkipReason }, async (context) => {
  const place = await makePlace(context);
  await stopServer(own.server);
  const ended = await place.run();
  await startServer(own.server);
  assertEnded(ended, transient, /SLUICE_TARGET_UNREACHABLE/u);
});

async function awaitHeld(client: Client): Promise<void> {
  for (let tries = 0; tries < 2_000; tries++) {
    const { rows } = await client.query(`SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`);
    if (rows.length > 0) return;
    await sleep(5);
  }
  assert.fail('no index was made');
}
