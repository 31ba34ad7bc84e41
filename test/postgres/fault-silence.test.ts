/** A link on which nothing is heard any more: a server that is at work is waited for, a session that nobody serves is ended on both sides, and holds nothing afterwards. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LinkLostError } from '../../src/target/link.ts';
import { readSessionLimits } from '../../src/target/postgres/commit/session-limits.ts';
import { openLink } from '../../src/target/postgres/connect/connect.ts';
import type { PgLink } from '../../src/target/postgres/link.ts';
import { addressOf, startProxy, type FaultProxy } from './proxy.ts';
import { createDatabase, readSql, runSql, skipReason, type TestDatabase } from './server.ts';

const silenceMs = 500;

describe('a silent link', { skip: skipReason }, () => {
  let database: TestDatabase;
  let proxy: FaultProxy;

  before(async () => {
    database = await createDatabase();
    proxy = await startProxy(addressOf(database.url));
    await runSql(database.url, 'CREATE TABLE items (id bigint)');
  });
  after(async () => {
    await proxy.close();
    await database.dispose();
  });

  async function withLink(url: string, work: (link: PgLink) => Promise<void>): Promise<void> {
    const link = await openLink(url, {});
    try {
      await work(link);
    } finally {
      await link.close();
    }
  }

  const through = (): string => `${proxy.rewrite(database.url)}?tcp_user_timeout=${String(silenceMs)}`;

  test('is waited for while the server is at work', async () => {
    await withLink(through(), async (link) => {
      const { rows } = await link.query('SELECT pg_sleep(1.8), 7 AS seven');
      assert.equal(rows[0]?.['seven'], 7);
    });
  });

  const waits: readonly { readonly name: string; readonly run: (link: PgLink) => Promise<unknown> }[] = [
    { name: 'between two statements', run: (link) => link.query('SELECT 1') },
    { name: 'in the middle of a COPY', run: (link) => link.copyIn('COPY items FROM STDIN', stallingPieces()) },
  ];

  /** The link goes dead when the first piece is on its way. */
  function* stallingPieces(): Generator<Uint8Array> {
    yield Buffer.from('1\n');
    proxy.stall();
    for (let row = 0; row < 1_000; row++) yield Buffer.from(`${String(row)}\n`);
  }

  for (const { name, run } of waits) {
    test(`that goes dead ${name} is ended on the server too, and so are its locks; other sessions of the role are left alone`, async () => {
      const bystander = await openLink(database.url, {});
      await withLink(through(), async (link) => {
        await link.script('BEGIN; LOCK TABLE items IN ROW EXCLUSIVE MODE');
        if (name === 'between two statements') proxy.stall();
        await assert.rejects(run(link), (error) => error instanceof LinkLostError && error.landed === 'no');
        assert.ok(link.isBroken);
      });
      await runSql(database.url, `BEGIN; SET LOCAL lock_timeout = '3s'; LOCK TABLE items IN ACCESS EXCLUSIVE MODE; COMMIT`);
      assert.deepEqual(await readSql(database.url, `SELECT count(*)::int AS locks FROM pg_locks WHERE relation = 'items'::regclass`), [
        { locks: 0 },
      ]);
      assert.equal((await bystander.query('SELECT 1 AS one')).rows.length, 1);
      await bystander.close();
    });
  }

  test('of a client whose machine is gone is given up by the server within half a minute, unless its own limits are stricter', async () => {
    await withLink(database.url, async (link) => {
      const limits = await readSessionLimits(link);
      assert.deepEqual(limits, [
        'SET LOCAL idle_in_transaction_session_timeout = 120000',
        'SET LOCAL tcp_keepalives_idle = 10',
        'SET LOCAL tcp_keepalives_interval = 5',
        'SET LOCAL tcp_keepalives_count = 3',
      ]);
      await link.script(['BEGIN', ...limits].join('; '));
      assert.deepEqual(await readSessionLimits(link), []);
      await link.script('ROLLBACK');
      await link.script(`SET idle_in_transaction_session_timeout = '5s'; SET tcp_keepalives_count = 2`);
      assert.deepEqual(await readSessionLimits(link), ['SET LOCAL tcp_keepalives_idle = 10', 'SET LOCAL tcp_keepalives_interval = 5']);
    });
  });
});
