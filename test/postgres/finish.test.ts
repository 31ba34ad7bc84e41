/** What the two ends of a load promise: what is made before the first row is made once and with few rights, and everything that was put off comes back whatever happens. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { isSluiceError } from '../../src/errors.ts';
import { DuplicateKeysError } from '../../src/target/link.ts';
import type { DeferredIndex, TablePlan } from '../../src/target/driver.ts';
import { openLink } from '../../src/target/postgres/connect/connect.ts';
import { prepareLoad } from '../../src/target/postgres/finish/prepare.ts';
import { finish, load, makePlan, openStage, prepare, type PlanParts, type Stage } from './finish-stage.ts';
import { skipReason } from './server.ts';

describe('the ends of a load', { skip: skipReason }, () => {
  let stage: Stage;

  beforeEach(async () => {
    stage = await openStage();
  });
  afterEach(async () => {
    await stage.dispose();
  });

  const indexes = async (): Promise<readonly unknown[]> =>
    (
      await stage.read(
        `SELECT indexrelid::regclass::text AS name FROM pg_index WHERE indrelid = 'items'::regclass AND indisvalid ORDER BY 1`,
      )
    ).map((row) => row['name']);
  const recorded = async (): Promise<number> => (await stage.read('SELECT 1 FROM sluice_deferred_indexes')).length;

  const byName: DeferredIndex = { name: 'by_name', ddl: 'CREATE INDEX by_name ON public.items USING btree (name)' };
  const once: DeferredIndex = {
    name: 'once',
    ddl: 'ALTER TABLE items ADD CONSTRAINT once UNIQUE (name)',
    drop: 'ALTER TABLE items DROP CONSTRAINT once',
  };
  const key: DeferredIndex = { name: 'items_pkey', ddl: 'ALTER TABLE items ADD CONSTRAINT items_pkey PRIMARY KEY ("id")' };

  async function beginIndexed(parts: PlanParts = {}): Promise<TablePlan> {
    const plan = makePlan({ deferredIndexes: [byName, once], ...parts });
    await stage.run('CREATE TABLE items (id bigint, name text, CONSTRAINT once UNIQUE (name))', 'CREATE INDEX by_name ON items (name)');
    await prepare(stage, plan);
    return plan;
  }

  for (const isComplete of [true, false]) {
    test(`what was dropped comes back when the load ${isComplete ? 'is complete' : 'goes on later'}, and is forgotten`, async () => {
      const plan = await beginIndexed();
      assert.deepEqual(await indexes(), []);
      assert.equal(await recorded(), 2);
      await finish(stage.link, plan, { isComplete });
      assert.deepEqual(await indexes(), ['by_name', 'once']);
      assert.equal(await recorded(), 0);
      assert.deepEqual(await finish(stage.link, plan, { isComplete }), []);
    });
  }

  test('a resume drops again what came back, and a finish without rows between brings it back once more', async () => {
    const plan = await beginIndexed();
    await finish(stage.link, plan, { isComplete: false });
    await prepareLoad(stage.link, { id: load, plan: { ...plan, ddl: [] } }, []);
    assert.deepEqual(await indexes(), []);
    await finish(stage.link, plan);
    assert.deepEqual(await indexes(), ['by_name', 'once']);
  });

  test('an index that somebody made meanwhile is kept and forgotten', async () => {
    const plan = await beginIndexed();
    await stage.run('CREATE INDEX by_name ON items (name)');
    await finish(stage.link, plan);
    assert.equal(await recorded(), 0);
  });

  test('what a broken CONCURRENTLY left behind is dropped and built again', async () => {
    const concurrently = { name: 'twice', ddl: 'CREATE UNIQUE INDEX CONCURRENTLY twice ON public.items USING btree (id)' };
    const plan = await beginIndexed({ deferredIndexes: [concurrently] });
    await stage.run(`INSERT INTO items VALUES (1, 'a'), (1, 'b')`);
    await assert.rejects(stage.run(concurrently.ddl.replace('public.', '')));
    assert.deepEqual(await stage.read(`SELECT indisvalid FROM pg_index WHERE indexrelid = 'twice'::regclass`), [{ indisvalid: false }]);
    await stage.run(`DELETE FROM items WHERE name = 'b'`);
    await finish(stage.link, plan);
    assert.ok((await indexes()).includes('twice'));
    assert.equal(await recorded(), 0);
  });

  test('the key of a new table waits for the whole load, then doubled keys are told by value', async () => {
    const plan = makePlan({
      isNew: true,
      ddl: ['CREATE TABLE items (id bigint, name text)'],
      deferredIndexes: [key],
      settings: { defersKey: true },
    });
    await prepare(stage, plan);
    await stage.run(`INSERT INTO items VALUES (1, 'a'), (2, 'b'), (2, 'c'), (9007199254740993, 'd'), (9007199254740993, 'e')`);
    assert.equal((await finish(stage.link, plan, { isComplete: false }))[0]?.what, 'key still to come');
    const error: unknown = await finish(stage.link, plan).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof DuplicateKeysError);
    assert.deepEqual(new Set(error.keys.flat()), new Set([2, 9007199254740993n]));
    assert.equal(await recorded(), 1);
    await stage.run(`DELETE FROM items WHERE name IN ('c', 'e')`);
    await finish(stage.link, plan);
    assert.deepEqual(await indexes(), ['items_pkey']);
  });

  test('rows that stand in the way of another index leave it recorded and are named by it', async () => {
    const plan = await beginIndexed();
    await stage.run(`INSERT INTO items VALUES (1, 'a'), (2, 'a')`);
    const error: unknown = await finish(stage.link, plan).catch((thrown: unknown) => thrown);
    assert.ok(isSluiceError(error, 'SLUICE_TARGET_FAILED') && !(error instanceof DuplicateKeysError));
    assert.match(error.message, /once/u);
    assert.equal(await recorded(), 1);
  });

  test('a build that is stopped says so, stays recorded, and the next finish makes it', async () => {
    const slow = { name: 'slow', ddl: 'CREATE INDEX slow ON items (slowly(id))' };
    await stage.run(
      `CREATE FUNCTION slowly(bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT pg_sleep(0.2)::text::varchar::bigint + $1 $$`.replace(
        'SELECT pg_sleep(0.2)::text::varchar::bigint + $1',
        'SELECT $1 + length(pg_sleep(0.2)::text)',
      ),
    );
    const plan = await beginIndexed({ deferredIndexes: [slow] });
    await stage.run('INSERT INTO items SELECT n, n::text FROM generate_series(1, 8) n');
    const told: string[] = [];
    const stop = new AbortController();
    const finishing = finish(stage.link, plan, {
      signal: stop.signal,
      openSecond: () => openLink(stage.url, {}),
      onProgress: ({ index, phase }) => {
        told.push(`${index}: ${phase}`);
        stop.abort();
      },
    });
    await assert.rejects(finishing, { code: 'SLUICE_CANCELLED' });
    assert.match(told[0] ?? '', /^slow: building index/u);
    assert.equal(await recorded(), 1);
    await stage.run(`CREATE OR REPLACE FUNCTION slowly(bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT $1'`);
    await finish(stage.link, plan);
    assert.ok((await indexes()).includes('slow'));
  });

  test('a session killed between record and build leaves the index recorded, and another one makes it', async () => {
    const plan = await beginIndexed();
    const dying = await stage.open();
    await dying.close();
    await assert.rejects(finish(dying, plan));
    assert.equal(await recorded(), 2);
    await finish(stage.link, plan);
    assert.deepEqual(await indexes(), ['by_name', 'once']);
  });

  test('sessions that prepare at the same moment make one ledger', async () => {
    const links = await Promise.all(Array.from({ length: 6 }, () => stage.open()));
    const plan = makePlan({ ddl: ['CREATE TABLE IF NOT EXISTS items (id bigint, name text)'] });
    await Promise.all(links.map((link, at) => prepareLoad(link, { id: `load-${String(at)}`, plan }, [])));
    assert.deepEqual(await stage.read(`SELECT count(*)::int AS n FROM sluice_meta`), [{ n: 1 }]);
  });

  test('a role without rights is told what to ask for, and one that may only write needs no right to make tables', async () => {
    const role = `sluice_f_${String(process.pid)}`;
    await stage.run(`CREATE ROLE ${role} LOGIN`);
    try {
      const url = new URL(stage.url);
      url.username = role;
      url.password = '';
      const plan = makePlan();
      const denied = await openLink(url.href, {});
      const error: unknown = await prepareLoad(denied, { id: load, plan }, []).catch((thrown: unknown) => thrown);
      assert.ok(isSluiceError(error, 'SLUICE_TARGET_DENIED'));
      assert.match(error.hint ?? '', new RegExp(`GRANT USAGE, CREATE ON SCHEMA "public" TO "${role}"`, 'u'));
      await stage.run('CREATE TABLE items (id bigint, name text)');
      await prepareLoad(stage.link, { id: 'other', plan }, []);
      const later: unknown = await prepareLoad(denied, { id: load, plan }, []).catch((thrown: unknown) => thrown);
      assert.ok(isSluiceError(later, 'SLUICE_TARGET_DENIED'));
      assert.match(later.hint ?? '', /GRANT SELECT, INSERT, UPDATE, DELETE/u);
      await stage.run(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role}`);
      await prepare({ link: denied }, plan);
      await denied.close();
    } finally {
      await stage.run(`DROP OWNED BY ${role}`, `DROP ROLE ${role}`);
    }
  });

  test('what a finished load left beside the table is dropped, and what can be resumed or is not ours stays', async () => {
    const plan = makePlan({ ddl: ['CREATE TABLE items (id bigint, name text)'] });
    await prepare(stage, plan);
    await stage.run(
      'CREATE TABLE sluice_new_gone (id int)',
      'CREATE TABLE sluice_new_failed (id int)',
      'CREATE TABLE sluice_new_done (id int)',
      'CREATE TABLE sluice_newer (id int)',
      `INSERT INTO sluice_loads SELECT (jsonb_populate_record(l, jsonb_build_object('load', s, 'state', s))).* FROM sluice_loads l, unnest('{failed,done}'::text[]) s`,
    );
    await prepareLoad(stage.link, { id: 'next', plan: { ...plan, ddl: [] } }, []);
    assert.deepEqual(
      (await stage.read(`SELECT relname::text AS name FROM pg_class WHERE relname LIKE 'sluice\\_new%' AND relkind = 'r' ORDER BY 1`)).map(
        (row) => row['name'],
      ),
      ['sluice_new_failed', 'sluice_newer'],
    );
  });
});
