/** What replacing a table promises: readers see the old one or the new one, and all that stood on the old one stands on the new one, or nothing changes at all. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { isSluiceError } from '../../src/errors.ts';
import { findSwapObstacles } from '../../src/target/postgres/finish/swap-obstacles.ts';
import { finish, load, makePlan, openStage, prepare, type Stage } from './finish-stage.ts';
import { skipReason } from './server.ts';

const aside = `"sluice_new_${load}"`;
const like = `CREATE TABLE ${aside} (LIKE items INCLUDING ALL EXCLUDING INDEXES)`;
const plan = makePlan({ mode: 'replace', publish: 'swap', ddl: [like] });

describe('a table that is replaced', { skip: skipReason }, () => {
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

  test('a table that did not exist gets its name, and a second finish finds nothing to do', async () => {
    const made = makePlan({
      mode: 'replace',
      publish: 'swap',
      isNew: true,
      ddl: [`CREATE TABLE ${aside} (id bigint PRIMARY KEY, name text)`],
    });
    await prepare(stage, made);
    await stage.run(`INSERT INTO ${aside} VALUES (1, 'a')`);
    await finish(stage.link, made);
    assert.deepEqual(await stage.read('SELECT id::int, name FROM items'), [{ id: 1, name: 'a' }]);
    assert.match((await finish(stage.link, made))[0]?.why ?? '', /already/u);
  });

  test('keys, unique and other indexes, checks and foreign keys come over with names and comments', async () => {
    await begin(
      'CREATE TABLE kinds (kind int PRIMARY KEY)',
      'INSERT INTO kinds VALUES (0)',
      'ALTER TABLE items ADD COLUMN kind int DEFAULT 0 CONSTRAINT to_kind REFERENCES kinds',
      'ALTER TABLE items ADD CONSTRAINT named CHECK (length(name) > 0), ADD CONSTRAINT once UNIQUE (name, id)',
      `CREATE INDEX "by ON name" ON items USING btree (lower(name) text_pattern_ops DESC) INCLUDE (id) WITH (fillfactor = 70) WHERE id > 0`,
      'CREATE UNIQUE INDEX by_expression ON items ((id + 1))',
      `COMMENT ON INDEX by_expression IS 'it''s an index'`,
      `COMMENT ON CONSTRAINT named ON items IS 'a check'`,
    );
    const describeAll = `SELECT (SELECT json_agg(pg_get_indexdef(indexrelid) || coalesce(obj_description(indexrelid), '') ORDER BY indexrelid::regclass::text) FROM pg_index WHERE indrelid = 'items'::regclass) AS indexes,
      (SELECT json_agg(conname || pg_get_constraintdef(oid) || convalidated || coalesce(obj_description(oid), '') ORDER BY conname) FROM pg_constraint WHERE conrelid = 'items'::regclass) AS constraints`;
    const before = await stage.read(describeAll);
    await finish(stage.link, plan);
    assert.deepEqual(await stage.read(describeAll), before);
    assert.deepEqual(await names(), fresh);
  });

  test('owner, rights of table and columns, comments, settings and row security come over, and default privileges add nothing', async () => {
    const role = `sluice_r_${String(process.pid)}`;
    await stage.run(`DROP ROLE IF EXISTS ${role}`, `CREATE ROLE ${role}`);
    try {
      await begin(
        `GRANT ALL ON SCHEMA public TO ${role}`,
        `ALTER TABLE items OWNER TO ${role}`,
        'GRANT SELECT ON items TO PUBLIC',
        `GRANT INSERT ON items TO ${role} WITH GRANT OPTION`,
        'GRANT UPDATE (name) ON items TO pg_monitor WITH GRANT OPTION',
        `ALTER DEFAULT PRIVILEGES GRANT DELETE ON TABLES TO pg_monitor`,
        `COMMENT ON TABLE items IS 'the items'`,
        `COMMENT ON COLUMN items.name IS 'its name'`,
        'ALTER TABLE items SET (fillfactor = 80, toast.autovacuum_enabled = false), ALTER COLUMN name SET STATISTICS 50, ALTER COLUMN name SET (n_distinct = 7)',
        'ALTER TABLE items ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY, REPLICA IDENTITY FULL',
        `CREATE POLICY own ON items AS RESTRICTIVE FOR SELECT TO pg_monitor, ${role} USING (name <> current_user)`,
        'CREATE STATISTICS both_columns (dependencies) ON id, name FROM items',
        'CREATE VIEW seen AS SELECT id FROM items',
        'CREATE PUBLICATION news FOR TABLE items (id, name) WHERE (id > 1)',
      );
      const describeAll = `SELECT relacl::text AS rights, pg_get_userbyid(relowner) AS owner, reloptions::text AS options, relrowsecurity, relforcerowsecurity, relreplident,
        obj_description(oid) AS comment, col_description(oid, 2) AS name_comment,
        (SELECT json_agg(ARRAY[attname, attacl::text, attstattarget::text, attoptions::text] ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0) AS columns,
        (SELECT json_agg(to_jsonb(p)) FROM pg_policies p) AS policies,
        (SELECT reloptions::text FROM pg_class t WHERE t.oid = c.reltoastrelid) AS toast_options,
        (SELECT json_agg(pg_get_statisticsobjdef(s.oid)) FROM pg_statistic_ext s WHERE s.stxrelid = c.oid) AS statistics,
        (SELECT json_agg(to_jsonb(p)) FROM pg_publication_tables p) AS published,
        (SELECT relacl::text FROM pg_class WHERE oid = 'seen'::regclass) AS view_rights
        FROM pg_class c WHERE oid = 'items'::regclass`;
      const before = await stage.read(describeAll);
      await finish(stage.link, plan);
      assert.deepEqual(await stage.read(describeAll), before);
      assert.deepEqual(await names(), fresh);
    } finally {
      await stage.run(`DROP OWNED BY ${role} CASCADE`, `DROP ROLE ${role}`);
    }
  });

  test('triggers come over in their state and do not fire for the swap', async () => {
    await begin(
      `CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := upper(NEW.name); RETURN NEW; END $$`,
      'CREATE TRIGGER shouting BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION shout()',
      'CREATE TRIGGER silent BEFORE UPDATE OF name ON items FOR EACH ROW WHEN (NEW.id > 3) EXECUTE FUNCTION shout()',
      'ALTER TABLE items DISABLE TRIGGER silent',
      `COMMENT ON TRIGGER silent ON items IS 'not now'`,
    );
    const describeAll = `SELECT pg_get_triggerdef(oid) AS ddl, tgenabled, obj_description(oid) AS comment FROM pg_trigger WHERE tgrelid = 'items'::regclass ORDER BY tgname`;
    const before = await stage.read(describeAll);
    await finish(stage.link, plan);
    assert.deepEqual(await stage.read(describeAll), before);
    await stage.run(`INSERT INTO items VALUES (6, 'loud')`);
    assert.deepEqual(await names(), [...fresh, 'LOUD']);
  });

  test('serial and identity columns go on counting where they stood', async () => {
    await begin(
      'ALTER TABLE items ADD COLUMN n serial, ADD COLUMN m int GENERATED BY DEFAULT AS IDENTITY',
      "INSERT INTO items VALUES (4, 'old')",
    );
    const before = await stage.read('SELECT max(n) AS n, max(m) AS m FROM items');
    assert.deepEqual(before, [{ n: 4, m: 4 }]);
    await finish(stage.link, plan);
    await stage.run(`INSERT INTO items (id, name) VALUES (100, 'next')`);
    assert.deepEqual(await stage.read('SELECT n > 8 AS n, m > 4 AS m FROM items WHERE id = 100'), [{ n: true, m: true }]);
    assert.deepEqual(await stage.read(`SELECT pg_get_serial_sequence('items', 'n') AS n, pg_get_serial_sequence('items', 'm') AS m`), [
      { n: 'public.items_n_seq', m: 'public.items_m_seq' },
    ]);
  });

  test('views, nested ones too, read the new table and keep owner, rights, options and comments', async () => {
    await begin(
      'CREATE VIEW named WITH (security_barrier = true) AS SELECT id, upper(name) AS label FROM items',
      'CREATE VIEW counted (n) AS SELECT count(*) FROM named JOIN items USING (id)',
      `COMMENT ON VIEW counted IS 'how many'`,
      `COMMENT ON COLUMN counted.n IS 'rows'`,
      'GRANT SELECT ON counted TO PUBLIC',
      'GRANT SELECT (label) ON named TO pg_monitor',
    );
    const describeAll = `SELECT relname, relacl::text, reloptions::text, pg_get_viewdef(oid) AS ddl, obj_description(oid) AS comment, col_description(oid, 1) AS first
      FROM pg_class WHERE relkind = 'v' AND relname IN ('named', 'counted') ORDER BY 1`;
    const before = await stage.read(describeAll);
    await finish(stage.link, plan);
    assert.deepEqual(await stage.read(describeAll), before);
    assert.deepEqual(await stage.read('SELECT n::int FROM counted'), [{ n: 5 }]);
  });

  const childDdl = [
    'CREATE TABLE parts (part int PRIMARY KEY, item bigint CONSTRAINT to_item REFERENCES items ON DELETE CASCADE)',
    'INSERT INTO parts VALUES (1, 3), (2, NULL)',
    'ALTER TABLE items ADD COLUMN parent bigint CONSTRAINT own REFERENCES items',
  ];

  test('foreign keys that point at the table hold for the new one, checked, its own too', async () => {
    await begin(...childDdl);
    const describeAll = `SELECT conname, conrelid::regclass::text AS child, pg_get_constraintdef(oid) AS ddl, convalidated FROM pg_constraint WHERE contype = 'f' ORDER BY 1`;
    const before = await stage.read(describeAll);
    await finish(stage.link, plan);
    assert.deepEqual(await stage.read(describeAll), before);
    await assert.rejects(stage.run('INSERT INTO parts VALUES (3, 77)'));
    await stage.run('DELETE FROM items WHERE id = 3');
    assert.deepEqual(await stage.read('SELECT part FROM parts'), [{ part: 2 }]);
    assert.deepEqual(await stage.read('SELECT * FROM sluice_deferred_indexes'), []);
  });

  test('rows elsewhere that would lose what they refer to keep the old table in place, until they are mended', async () => {
    await begin(...childDdl);
    await stage.run(`DELETE FROM ${aside} WHERE id = 3`);
    const error: unknown = await finish(stage.link, plan).catch((thrown: unknown) => thrown);
    assert.ok(isSluiceError(error, 'SLUICE_TARGET_FAILED'));
    assert.match(error.message, /1 rows of public\.parts refer \(to_item\)/u);
    assert.deepEqual(await names(), old);
    await stage.run('UPDATE parts SET item = NULL');
    await finish(stage.link, plan);
    assert.equal((await names()).length, 4);
  });

  test('what can not be carried over is listed beforehand and refused with the old table in place', async () => {
    await begin(
      'CREATE VIEW named AS SELECT * FROM items',
      'CREATE MATERIALIZED VIEW stored AS SELECT * FROM named',
      'CREATE FUNCTION first_of(items) RETURNS bigint LANGUAGE sql AS $$ SELECT $1.id $$',
      'CREATE TABLE boxes (content items)',
      'CREATE RULE keep AS ON DELETE TO items DO INSTEAD NOTHING',
      'CREATE TABLE heirs () INHERITS (items)',
    );
    const obstacles = await findSwapObstacles(stage.link, 'items');
    for (const expected of [
      /materialized view stored/u,
      /function first_of/u,
      /column content of table boxes/u,
      /rule keep/u,
      /heirs inherits/u,
    ]) {
      assert.ok(
        obstacles.some((obstacle) => expected.test(obstacle)),
        `${String(expected)} in ${obstacles.join('; ')}`,
      );
    }
    assert.equal(obstacles.length, 5, obstacles.join('; '));
    const error: unknown = await finish(stage.link, plan).catch((thrown: unknown) => thrown);
    assert.ok(isSluiceError(error, 'SLUICE_TARGET_FAILED'));
    assert.deepEqual(error.problems, obstacles);
    assert.deepEqual(await names(), old);
  });

  test('a plain table with everything that comes over has no obstacles', async () => {
    await begin(
      ...childDdl,
      'CREATE VIEW named AS SELECT * FROM items',
      'CREATE INDEX by_name ON items (name)',
      "ALTER TABLE items ADD COLUMN n serial, ADD CONSTRAINT named CHECK (name <> '')",
      `CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$`,
      'CREATE TRIGGER t BEFORE UPDATE OF name ON items FOR EACH ROW WHEN (NEW.id > 3) EXECUTE FUNCTION nothing()',
      'CREATE POLICY own ON items USING (id > 0)',
      'CREATE PUBLICATION news FOR TABLE items',
    );
    assert.deepEqual(await findSwapObstacles(stage.link, 'items'), []);
  });
});
