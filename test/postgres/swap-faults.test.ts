/** What replacing a table promises when others read, hold or write it, or the session ends in the middle: the old table or the new one, never half, and a second call completes it. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { DuplicateKeysError } from '../../src/target/link.ts';
import type { PgLink } from '../../src/target/postgres/link.ts';
import { finish, load, makePlan, openStage, prepare, type Stage } from './finish-stage.ts';
import { skipReason } from './server.ts';

const aside = `"sluice_new_${load}"`;
const like = `CREATE TABLE ${aside} (LIKE items INCLUDING ALL EXCLUDING INDEXES)`;
const plan = makePlan({ mode: 'replace', publish: 'swap', ddl: [like] });

describe('a table that is replaced among others', { skip: skipReason }, () => {
  let stage: Stage;

  beforeEach(async () => {
    stage = await openStage();
  });
  afterEach(async () => {
    await stage.dispose();
  });

  /** Old rows 1 to 3, new rows 1 to 5. */
  async function begin(...ddl: readonly string[]): Promise<void> {
    await stage.run(
      'CREATE TABLE items (id bigint PRIMARY KEY, name text NOT NULL)',
      `INSERT INTO items SELECT n, 'old' FROM generate_series(1, 3) n`,
      ...ddl,
    );
    await prepare(stage, plan);
    await stage.run(`INSERT INTO ${aside} (id, name) SELECT n, 'new ' || n FROM generate_series(1, 5) n`);
  }

  const names = async (): Promise<readonly unknown[]> => (await stage.read('SELECT name FROM items ORDER BY id')).map((row) => row['name']);
  const fresh = ['new 1', 'new 2', 'new 3', 'new 4', 'new 5'];
  const old = ['old', 'old', 'old'];

  const childDdl = [
    'CREATE TABLE parts (part int PRIMARY KEY, item bigint CONSTRAINT to_item REFERENCES items ON DELETE CASCADE)',
    'INSERT INTO parts VALUES (1, 3), (2, NULL)',
    'ALTER TABLE items ADD COLUMN parent bigint CONSTRAINT own REFERENCES items',
  ];

  test('doubled keys are told for the flow to settle, and the old table stays', async () => {
    await begin();
    await stage.run(`INSERT INTO ${aside} VALUES (5, 'again'), (4, 'again')`);
    const error: unknown = await finish(stage.link, plan).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof DuplicateKeysError);
    assert.deepEqual(new Set(error.keys.flat()), new Set([4, 5]));
    assert.deepEqual(await names(), old);
  });

  test('rows that came into an empty table meanwhile are never dropped', async () => {
    const atomic = makePlan({ publish: 'swap', ddl: [like] });
    await stage.run('CREATE TABLE items (id bigint PRIMARY KEY, name text)');
    await prepare(stage, atomic);
    await stage.run(`INSERT INTO items VALUES (9, 'mine')`, `INSERT INTO ${aside} VALUES (1, 'loaded')`);
    await assert.rejects(finish(stage.link, atomic), { code: 'SLUICE_TARGET_FAILED' });
    assert.deepEqual(await names(), ['mine']);
    await stage.run('DELETE FROM items');
    await finish(stage.link, atomic);
    assert.deepEqual(await names(), ['loaded']);
  });

  test('readers in a loop see the old rows or the new ones, never others and never an error', async () => {
    await begin('CREATE VIEW named AS SELECT name FROM items');
    const reader = await stage.open();
    const seen = new Set<string>();
    let isDone = false;
    const reading = (async () => {
      for (; !isDone;) {
        for (const from of ['items', 'named']) {
          const { rows } = await reader.query(`SELECT string_agg(name, ',' ORDER BY name) AS names FROM ${from}`);
          seen.add(String(rows[0]?.['names']));
        }
      }
    })();
    await finish(stage.link, plan);
    isDone = true;
    await reading;
    for (const rows of seen) assert.ok([old.join(','), fresh.join(',')].includes(rows), rows);
  });

  test('a session that ends at any statement leaves the old table or the new one, and a second finish completes it', async () => {
    await begin(...childDdl, 'CREATE INDEX by_name ON items (name)', 'CREATE VIEW named AS SELECT name FROM items');
    const counted = countStatements(stage.link);
    const total = await finish(counted.link, plan).then(() => counted.count());
    const every = 15;
    for (let at = 3; at < total; at += every) {
      await stage.run('DROP TABLE parts', 'DROP TABLE items CASCADE', ...resetStatements);
      await begin(...childDdl, 'CREATE INDEX by_name ON items (name)', 'CREATE VIEW named AS SELECT name FROM items');
      const dying = await stage.open();
      await assert.rejects(finish(failAt(dying, at), plan), `statement ${String(at)}`);
      assert.ok([old.length, fresh.length].includes((await names()).length), `statement ${String(at)}`);
      await finish(await stage.open(), plan);
      assert.deepEqual(await names(), fresh, `statement ${String(at)}`);
      assert.deepEqual(
        await stage.read(`SELECT count(*)::int AS n FROM pg_class WHERE relname LIKE 'sluice\\_index%' OR relname LIKE 'sluice\\_new%'`),
        [{ n: 0 }],
      );
      assert.deepEqual(
        await stage.read(`SELECT bool_and(convalidated) AS checked, count(*)::int AS n FROM pg_constraint WHERE contype = 'f'`),
        [{ checked: true, n: 2 }],
      );
    }
  });

  test('someone who holds the table makes the swap wait, try again and give up in time with nothing changed', async () => {
    await begin();
    const holder = await stage.open();
    await holder.script('BEGIN; SELECT * FROM items');
    await assert.rejects(finish(stage.link, plan, { lockTimeoutMs: 100 }), { code: 'SLUICE_TARGET_LOCKED' });
    assert.deepEqual(await names(), old);
    await holder.script('COMMIT');
    await finish(stage.link, plan);
    assert.deepEqual(await names(), fresh);
  });
});

const resetStatements = ['DELETE FROM sluice_loads', 'DELETE FROM sluice_shards', 'DELETE FROM sluice_deferred_indexes'];

/** The link, and how many statements went over it. */
function countStatements(link: PgLink): { readonly link: PgLink; count(): number } {
  let count = 0;
  return { link: watchLink(link, async () => void count++), count: () => count };
}

/** Closes the link before its n-th statement: the server ends the session and what it had not committed. */
function failAt(link: PgLink, at: number): PgLink {
  let count = 0;
  return watchLink(link, async () => {
    if (++count === at) await link.close();
  });
}

function watchLink(link: PgLink, before: () => Promise<void>): PgLink {
  return {
    get place() {
      return link.place;
    },
    get server() {
      return link.server;
    },
    get isBroken() {
      return link.isBroken;
    },
    get ownsSession() {
      return link.ownsSession;
    },
    query: async (...request) => (await before(), link.query(...request)),
    queryEncoded: async (...request) => (await before(), link.queryEncoded(...request)),
    pipeline: async (...request) => (await before(), link.pipeline(...request)),
    script: async (...request) => (await before(), link.script(...request)),
    copyIn: (...request) => link.copyIn(...request),
    copyOut: (...request) => link.copyOut(...request),
    close: () => link.close(),
  };
}
