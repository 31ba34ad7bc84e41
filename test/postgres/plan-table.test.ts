/** Plans: how rows are published, which rights they need, and what a table's triggers, rules and partitions change. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TablePlan, TableRequest } from '../../src/target/driver.ts';
import { openLink } from '../../src/target/postgres/connect/connect.ts';
import { planPostgresTable } from '../../src/target/postgres/plan/plan.ts';
import { column, openPlanningDatabase, smallRows, tell, urlAs, type PlanningDatabase } from './planning.ts';
import { serverUrl, skipReason } from './server.ts';

describe('what plans say of existing tables', { skip: serverUrl === undefined ? skipReason : false }, () => {
  let database: PlanningDatabase;
  const role = `sluice_publisher_${String(process.pid)}`;
  before(async () => {
    database = await openPlanningDatabase();
    await database.run(`CREATE ROLE ${role} LOGIN`);
  });
  after(async () => {
    await database.run(`DROP OWNED BY ${role}`, `DROP ROLE ${role}`);
    await database.dispose();
  });

  const plan = (change: Partial<TableRequest>): Promise<TablePlan> => database.plan(change);

  /** Plans as a role that owns nothing. */
  async function planAsOther(change: Partial<TableRequest>): Promise<TablePlan> {
    const link = await openLink(urlAs(database.url, role), {});
    try {
      return await planPostgresTable(link, { ...smallRows, ...change });
    } finally {
      await link.close();
    }
  }

  describe('publishing', () => {
    it('rows become visible with each commit unless asked otherwise', async () => {
      assert.equal((await plan({ table: 'plainly' })).settings['publish'], 'rows');
      assert.equal((await plan({ table: 'plainly' })).writesTo, 'plainly');
    });

    it('replace builds beside with all that keeps rows apart, in the schema of the table', async () => {
      await database.run(
        `CREATE SCHEMA shop`,
        `CREATE TABLE shop.goods (id bigint PRIMARY KEY, code text UNIQUE, name text CHECK (name <> ''), at timestamptz DEFAULT now()) WITH (fillfactor = 70)`,
        `CREATE UNIQUE INDEX goods_lower ON shop.goods (lower(name))`,
        `CREATE INDEX goods_name ON shop.goods (name)`,
        `INSERT INTO shop.goods VALUES (1, 'a', 'b')`,
      );
      const request = { table: 'shop.goods', mode: 'replace', expectedRows: 10 } as const;
      const told = await plan(request);
      assert.deepEqual(told.problems, []);
      assert.equal(told.settings['publish'], 'swap');
      assert.equal(told.writesTo, `shop.sluice_new_${smallRows.load}`);
      await database.run(...told.ddl, ...told.ddl);
      const { rows } = await database.link.query(
        `SELECT pg_get_constraintdef(oid) AS def FROM pg_constraint WHERE conrelid = $1::regclass AND contype <> 'n' ORDER BY 1`,
        [`shop."sluice_new_${smallRows.load}"`],
      );
      assert.deepEqual(
        rows.map((row) => row['def']),
        [`CHECK ((name <> ''::text))`, 'PRIMARY KEY (id)', 'UNIQUE (code)'],
      );
      const indexes = await database.link.query(`SELECT indexdef FROM pg_indexes WHERE tablename = $1`, [`sluice_new_${smallRows.load}`]);
      assert.equal(indexes.rows.length, 3, 'the plain index is made at the end');
      await database.run(`DROP TABLE shop."sluice_new_${smallRows.load}"`);
      const deferred = await plan({ ...request, expectedRows: 1_000_000 });
      assert.equal(deferred.settings['defersKey'], true);
      await database.run(
        ...deferred.ddl,
        ...deferred.deferredIndexes.map(({ ddl }) => ddl),
        `DROP TABLE shop."sluice_new_${smallRows.load}"`,
      );
    });

    it('replace is refused with the list of what could not be carried over', async () => {
      await database.run(
        `CREATE TABLE watched (id bigint PRIMARY KEY, name text)`,
        `CREATE VIEW watched_names AS SELECT name FROM watched`,
      );
      const carried = await plan({ table: 'watched', mode: 'replace' });
      assert.deepEqual(carried.problems, []);
      assert.match(tell(carried, 'replace'), /views watched_names/u);
      await database.run(`CREATE MATERIALIZED VIEW watched_sums AS SELECT count(*) FROM watched`);
      assert.match(
        (await plan({ table: 'watched', mode: 'replace' })).problems.join(),
        /can't be carried over: .*materialized view watched_sums/u,
      );
      await database.run(`CREATE TABLE routed (id bigint, name text) PARTITION BY RANGE (id)`);
      assert.match((await plan({ table: 'routed', mode: 'replace' })).problems.join(), /partitioned/u);
      assert.match((await planAsOther({ table: 'watched', mode: 'replace' })).problems.join(), /not the owner/u);
    });

    it('--atomic swaps a new or empty table and moves rows beside others', async () => {
      const options = { isAtomic: true };
      assert.equal((await plan({ table: 'brand_new', options })).settings['publish'], 'swap');
      await database.run(`CREATE TABLE joined (id bigint PRIMARY KEY, name varchar(9) NOT NULL, more text)`);
      assert.equal((await plan({ table: 'joined', options })).settings['publish'], 'swap');
      await database.run(`INSERT INTO joined VALUES (1, 'a')`);
      const moved = await plan({ table: 'joined', options });
      assert.equal(moved.settings['publish'], 'move');
      assert.equal(moved.writesTo, `public.sluice_new_${smallRows.load}`);
      await database.run(...moved.ddl);
      const { rows } = await database.link.query(
        `SELECT attname::text AS name FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 ORDER BY attnum`,
        [`"sluice_new_${smallRows.load}"`],
      );
      assert.deepEqual(
        rows.map((row) => row['name']),
        ['id', 'name', 'sluice_shard', 'sluice_row', 'sluice_offset', 'sluice_at_line'],
      );
      await database.run(
        `DROP TABLE "sluice_new_${smallRows.load}"`,
        `CREATE MATERIALIZED VIEW joined_sums AS SELECT count(*) FROM joined`,
        `DELETE FROM joined`,
      );
      const blocked = await plan({ table: 'joined', options });
      assert.equal(blocked.settings['publish'], 'move', 'an empty table that can not be exchanged gets its rows in one statement');
      assert.match(tell(blocked, 'atomic'), /materialized view/u);
    });
  });

  describe('rights', () => {
    it('each one that lacks is named with its GRANT', async () => {
      await database.run(`CREATE TABLE guarded (id bigint PRIMARY KEY, name text)`, `REVOKE CREATE ON SCHEMA public FROM ${role}`);
      const none = await planAsOther({ table: 'guarded', mode: 'upsert' });
      assert.match(none.problems.join('\n'), new RegExp(`GRANT INSERT, SELECT, UPDATE ON "public"\\."guarded" TO "${role}"`, 'u'));
      assert.match(none.problems.join('\n'), new RegExp(`ledger.*GRANT CREATE ON SCHEMA "public" TO "${role}"`, 'u'));
      await database.run(`GRANT INSERT (id, name) ON guarded TO ${role}`, `GRANT CREATE ON SCHEMA public TO ${role}`);
      assert.deepEqual((await planAsOther({ table: 'guarded' })).problems, [], 'rights on the columns are enough');
      assert.match((await planAsOther({ table: 'guarded', mode: 'skip' })).problems.join(), /GRANT SELECT ON/u);
    });

    it('a session that may only read is told so', async () => {
      await database.run(`ALTER ROLE ${role} SET default_transaction_read_only = on`);
      assert.match((await planAsOther({ table: 'guarded' })).problems.join(), /read-only/u);
      await database.run(`ALTER ROLE ${role} RESET default_transaction_read_only`);
    });

    it('a view, a temporary table and a missing column are refused', async () => {
      await database.run(`CREATE VIEW looking AS SELECT 1 AS id`);
      const view = await plan({ table: 'looking' });
      assert.match(view.problems.join(), /looking is a view, not a table/u);
      assert.equal(view.isNew, false);
      assert.match(
        (await plan({ table: 'guarded', columns: [...smallRows.columns, column('nope', 'text')] })).problems.join(),
        /no column nope; it has id, name/u,
      );
    });
  });

  describe('traits', () => {
    it('a trigger that may drop rows is said, and the table is not counted', async () => {
      await database.run(
        `CREATE TABLE triggered (id bigint PRIMARY KEY, name text)`,
        `CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`,
        `CREATE TRIGGER after_each AFTER INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION pass()`,
        `CREATE TRIGGER on_update BEFORE UPDATE ON triggered FOR EACH ROW EXECUTE FUNCTION pass()`,
      );
      const counted = await plan({ table: 'triggered' });
      assert.equal(counted.settings['countsRows'], true);
      assert.match(tell(counted, 'triggers'), /after_each: fired/u);
      assert.equal((await plan({ table: 'triggered', mode: 'upsert' })).settings['countsRows'], false, 'an upsert updates');
      await database.run(`CREATE TRIGGER before_each BEFORE INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION pass()`);
      const uncounted = await plan({ table: 'triggered' });
      assert.equal(uncounted.settings['countsRows'], false);
      assert.match(tell(uncounted, 'triggers'), /before_each: fired before each row/u);
      await database.run(`ALTER TABLE triggered DISABLE TRIGGER before_each`);
      assert.equal((await plan({ table: 'triggered' })).settings['countsRows'], true, 'a disabled one does nothing');
    });

    it('a trigger that names the table may write to it, so the table is not counted', async () => {
      await database.run(
        `CREATE TABLE meddled (id bigint PRIMARY KEY, name text)`,
        `CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM meddled WHERE id < 0; RETURN NULL; END'`,
        `CREATE TRIGGER meddle AFTER INSERT ON meddled FOR EACH STATEMENT EXECUTE FUNCTION meddle()`,
      );
      assert.equal((await plan({ table: 'meddled' })).settings['countsRows'], false);
    });

    it('rules are not run by COPY, and forbid ON CONFLICT', async () => {
      await database.run(
        `CREATE TABLE ruled (id bigint PRIMARY KEY, name text)`,
        `CREATE RULE nothing AS ON INSERT TO ruled WHERE new.id < 0 DO INSTEAD NOTHING`,
      );
      assert.match(tell(await plan({ table: 'ruled' }), 'warning'), /rules nothing are not run/u);
      assert.match((await plan({ table: 'ruled', mode: 'skip' })).problems.join(), /no ON CONFLICT on a table with rules/u);
    });

    it('partitions, foreign keys and generated columns are said', async () => {
      await database.run(
        `CREATE TABLE parents (id bigint PRIMARY KEY)`,
        `CREATE TABLE tree (id bigint REFERENCES parents, name text, twice bigint GENERATED ALWAYS AS (id * 2) STORED) PARTITION BY RANGE (id)`,
        `CREATE TABLE tree_low PARTITION OF tree FOR VALUES FROM (0) TO (100)`,
      );
      const whole = await plan({ table: 'tree' });
      assert.match(tell(whole, 'partitions'), /routed by the server/u);
      assert.match(tell(whole, 'foreign keys'), /→ parents/u);
      assert.match(tell(whole, 'generated'), /twice/u);
      assert.match(tell(await plan({ table: 'tree_low' }), 'partitions'), /written to directly/u);
      assert.equal(tell(await plan({ table: 'guarded' }), 'partitions'), '');
    });
  });
});
