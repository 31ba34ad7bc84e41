/** Plans: each decision is made under its condition and not otherwise, and everything that stands against a load is found before anything is written. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TablePlan, TableRequest } from '../../src/target/driver.ts';
import { openLink } from '../../src/target/postgres/connect/connect.ts';
import { planPostgresTable } from '../../src/target/postgres/plan/plan.ts';
import { column, openPlanningDatabase, smallRows, tell, urlAs, type PlanningDatabase } from './planning.ts';
import { serverUrl, skipReason } from './server.ts';

const withVector = [column('id', 'integer'), column('v', 'vector', 768)];

describe('plans for PostgreSQL', { skip: serverUrl === undefined ? skipReason : false }, () => {
  let database: PlanningDatabase;
  const role = `sluice_planner_${String(process.pid)}`;
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

  describe('a new table', () => {
    it('the statement makes exactly what describing finds', async () => {
      const made = await plan({ table: 'made', columns: [...withVector, column('at', 'timestamp')], expectedRows: 10 });
      assert.deepEqual(made.problems, []);
      assert.equal(made.isNew, true);
      await database.run(...made.ddl);
      const again = await plan({ table: 'made', columns: [...withVector, column('at', 'timestamp')], expectedRows: 10 });
      assert.equal(again.isNew, false);
      assert.deepEqual(again.ddl, []);
      assert.deepEqual(again.key, ['id']);
      assert.equal(tell(again, 'advice'), '', 'vectors are in line already');
    });

    it('wide vectors are kept in line, narrow ones and those beyond a page are not touched', async () => {
      assert.match((await plan({ table: 'wide', columns: withVector })).ddl.join(), /WITH \(toast_tuple_target = 8160\)/u);
      assert.doesNotMatch(
        (await plan({ table: 'narrow', columns: [column('id', 'integer'), column('v', 'vector', 384)] })).ddl.join(),
        /toast/u,
      );
      assert.doesNotMatch(
        (await plan({ table: 'huge', columns: [column('id', 'integer'), column('v', 'vector', 3072)] })).ddl.join(),
        /toast/u,
      );
      const half = { table: 'half', columns: withVector, options: { vectorType: 'halfvec' } } as const;
      assert.match((await plan(half)).ddl.join(), /"v" halfvec\(768\)/u);
      assert.doesNotMatch((await plan(half)).ddl.join(), /toast/u);
    });

    it('UNLOGGED is made when asked for, with a warning, and never where something is published at the end', async () => {
      const asked = await plan({ table: 'disposable', options: { isUnlogged: true } });
      assert.match(asked.ddl.join(), /^CREATE UNLOGGED TABLE/u);
      assert.match(tell(asked, 'warning'), /UNLOGGED/u);
      const atomic = await plan({ table: 'disposable', options: { isUnlogged: true, isAtomic: true } });
      assert.match(atomic.problems.join(), /unlogged table can not be published/u);
      assert.doesNotMatch(atomic.ddl.join(), /UNLOGGED/u);
      assert.deepEqual((await plan({ table: 'kept' })).problems, []);
    });

    it('one whose name differs by case alone is told', async () => {
      await database.run(`CREATE TABLE people (id int)`);
      assert.match(tell(await plan({ table: 'People' }), 'warning'), /People is made new beside people/u);
      assert.equal(tell(await plan({ table: 'persons' }), 'warning'), '');
    });

    it('the name of its key is free', async () => {
      await database.run(`CREATE TABLE fresh_pkey (x int)`);
      assert.match((await plan({ table: 'fresh', expectedRows: 5 })).ddl.join(), /CONSTRAINT "fresh_pkey1" PRIMARY KEY/u);
    });

    it('in a schema that does not exist, or with a name that PostgreSQL would cut, it is refused', async () => {
      assert.match((await plan({ table: 'nowhere.items' })).problems.join(), /no schema nowhere: CREATE SCHEMA/u);
      assert.match((await plan({ table: 'n'.repeat(64) })).problems.join(), /more than 63 bytes/u);
      assert.match((await plan({ table: 'sluice_loads' })).problems.join(), /kept for sluice/u);
      assert.match(
        (await plan({ table: 'odd', columns: [column('id', 'integer'), column('xmin', 'text')] })).problems.join(),
        /column name xmin/u,
      );
    });
  });

  describe('the way', () => {
    it('is binary COPY, and text only for a type without a binary form, which is named', async () => {
      await database.run(
        `CREATE TABLE ways (id bigint PRIMARY KEY, name text)`,
        `CREATE TABLE odd_ways (id bigint PRIMARY KEY, name int4range)`,
      );
      const binary = await plan({ table: 'ways' });
      assert.equal(binary.settings['way'], 'copy');
      assert.equal(binary.settings['format'], 'binary');
      const text = await plan({ table: 'odd_ways' });
      assert.equal(text.settings['format'], 'text');
      assert.match(tell(text, 'way'), /as text, for name \(int4range\)/u);
      const refused = await plan({ table: 'odd_ways', options: { usesCopy: false } });
      assert.match(refused.problems.join(), /name of odd_ways is int4range, which INSERT can't be sent/u);
    });

    it('is INSERT where COPY is not wanted or refused', async () => {
      assert.equal((await plan({ table: 'ways', options: { usesCopy: false } })).settings['way'], 'insert');
      await database.run(
        `CREATE TABLE secured (id bigint PRIMARY KEY, name text)`,
        `ALTER TABLE secured ENABLE ROW LEVEL SECURITY`,
        `GRANT ALL ON secured TO ${role}`,
        `GRANT CREATE ON SCHEMA public TO ${role}`,
      );
      const own = await plan({ table: 'secured' });
      assert.equal(own.settings['way'], 'copy', 'the owner is not held by it');
      const other = await planAsOther({ table: 'secured' });
      assert.equal(other.settings['way'], 'insert');
      assert.equal(other.settings['countsRows'], false);
      assert.match(tell(other, 'way'), /row-level security/u);
    });

    it('upsert and skip wait in a temporary table, elsewhere where those are forbidden', async () => {
      for (const mode of ['upsert', 'skip'] as const) assert.equal((await plan({ table: 'ways', mode })).settings['staging'], 'temporary');
      assert.equal((await plan({ table: 'ways' })).settings['staging'], 'none');
      const name = new URL(database.url).pathname.slice(1);
      await database.run(`REVOKE TEMPORARY ON DATABASE "${name}" FROM PUBLIC`, `GRANT ALL ON ways TO ${role}`);
      const forbidden = await planAsOther({ table: 'ways', mode: 'upsert' });
      assert.equal(forbidden.settings['staging'], 'unlogged');
      assert.match(tell(forbidden, 'staging'), /no temporary tables/u);
      await database.run(`GRANT TEMPORARY ON DATABASE "${name}" TO PUBLIC`);
    });

    it('a type that no value of the column has a form in is a problem', async () => {
      await database.run(`CREATE TABLE mismatched (id bigint PRIMARY KEY, name integer)`);
      const columns = [column('id', 'integer'), column('name', 'vector', 3)];
      assert.match((await plan({ table: 'mismatched', columns })).problems.join(), /values of type vector have no form/u);
      assert.deepEqual((await plan({ table: 'mismatched' })).problems, [], 'a text may be a number');
    });
  });

  describe('keys', () => {
    before(() =>
      database.run(
        `CREATE TABLE keyed (id bigint PRIMARY KEY, code text NOT NULL, name text)`,
        `CREATE UNIQUE INDEX keyed_code ON keyed (code)`,
        `CREATE TABLE loose (id bigint, name text)`,
        `CREATE UNIQUE INDEX loose_partial ON loose (id) WHERE id > 0`,
      ),
    );
    const columns = [column('id', 'integer'), column('code', 'text'), column('name', 'text')];

    it('upsert and skip need one that the server keeps unique for all rows', async () => {
      assert.deepEqual((await plan({ table: 'keyed', columns, mode: 'upsert', key: ['code'] })).problems, []);
      assert.deepEqual((await plan({ table: 'keyed', columns, mode: 'upsert', key: [] })).key, ['id']);
      assert.match(
        (await plan({ table: 'keyed', columns, mode: 'skip', key: ['name'] })).problems.join(),
        /CREATE UNIQUE INDEX ON "keyed" \("name"\)/u,
      );
      assert.match((await plan({ table: 'loose', mode: 'upsert' })).problems.join(), /unique index on exactly \(id\)/u);
      assert.match((await plan({ table: 'loose', mode: 'upsert', key: [] })).problems.join(), /needs a key/u);
      assert.match((await plan({ table: 'keyed', columns, mode: 'upsert', key: ['nope'] })).problems.join(), /nope is not in the table/u);
      assert.match(
        (await plan({ table: 'keyed', columns: columns.slice(1), mode: 'upsert' })).problems.join(),
        /id is not among the columns of the load/u,
      );
    });

    it('insert takes any, and says when rows could be doubled', async () => {
      const told = await plan({ table: 'loose' });
      assert.deepEqual(told.problems, []);
      assert.match(tell(told, 'warning'), /not unique in loose/u);
      assert.equal(told.settings['tracksKeys'], false);
      assert.equal((await plan({ table: 'keyed', columns })).settings['tracksKeys'], true);
    });

    it('texts of a collation that calls different ones equal are not digested', async (test) => {
      const icu = await database.link.query(`SELECT count(*) AS n FROM pg_collation WHERE collname = 'und-x-icu'`);
      if (icu.rows[0]?.['n'] === 0) return test.skip('this server is built without ICU, so it has no such collations');
      await database.run(
        `CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
        `CREATE TABLE folding (id text COLLATE folded PRIMARY KEY, name text)`,
      );
      const told = await plan({ table: 'folding', columns: [column('id', 'text'), column('name', 'text')] });
      assert.equal(told.settings['tracksKeys'], false);
      assert.deepEqual(told.problems, []);
    });

    it('the key of a new table of many small rows of a file is made at the end; else it is there from the start', async () => {
      const put = await plan({ table: 'later' });
      assert.equal(put.settings['defersKey'], true);
      assert.doesNotMatch(put.ddl.join(), /PRIMARY KEY/u);
      assert.deepEqual(
        put.deferredIndexes.map(({ name, drop }) => [name, drop]),
        [['later_pkey', undefined]],
      );
      const conditions: Partial<TableRequest>[] = [
        { isRereadable: false },
        { expectedRows: 1000 },
        { expectedRows: undefined },
        { expectedBytes: 1_000_000_000 },
        { mode: 'upsert' },
        { mode: 'skip' },
        { options: { indexes: 'keep' } },
        { columns: [column('id', 'timestamp'), column('name', 'text')] },
      ];
      for (const condition of conditions) {
        const kept = await plan({ table: 'later', ...condition });
        assert.equal(kept.settings['defersKey'], false, JSON.stringify(condition));
        assert.match(kept.ddl.join(), /PRIMARY KEY \("id"\)/u, JSON.stringify(condition));
        assert.deepEqual(kept.deferredIndexes, []);
      }
      assert.equal((await plan({ table: 'later', expectedRows: 10, options: { indexes: 'rebuild' } })).settings['defersKey'], true);
    });

    it('the primary key of an empty table is dropped and comes back as it was, unless something stands on it', async () => {
      await database.run(`CREATE TABLE vacant (id bigint, name text, CONSTRAINT "odd key" PRIMARY KEY (id) INCLUDE (name))`);
      const [entry] = (await plan({ table: 'vacant' })).deferredIndexes;
      assert.equal(entry?.name, 'odd key');
      await database.run(entry.drop ?? '', entry.ddl);
      assert.equal((await plan({ table: 'vacant' })).deferredIndexes[0]?.ddl, entry.ddl);
      await database.run(`CREATE TABLE child (parent bigint REFERENCES vacant)`);
      const kept = await plan({ table: 'vacant' });
      assert.equal(kept.settings['defersKey'], false);
      assert.match(tell(kept, 'key'), /foreign keys or views stand on it/u);
      await database.run(`DROP TABLE child`, `INSERT INTO vacant VALUES (1)`);
      assert.equal((await plan({ table: 'vacant' })).settings['defersKey'], false, 'the table has rows');
    });
  });

  it('nothing is written by a plan, in any mode', async () => {
    const count = async (): Promise<unknown> =>
      (await database.link.query(`SELECT count(*) AS n FROM pg_class WHERE relnamespace = 'public'::regnamespace`)).rows[0]?.['n'];
    const former = await count();
    for (const mode of ['insert', 'upsert', 'skip', 'replace'] as const) {
      for (const isAtomic of [true, false]) await plan({ table: 'keyed', mode, options: { isAtomic } });
    }
    assert.equal(await count(), former);
  });
});
