/** The schema contract on a real server: columns are added and widened in every way of publishing, and what would lose something is refused. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { load } from '../../src/load/load.ts';
import type { LoadOptions } from '../../src/load/options.ts';
import { plan } from '../../src/load/plan/plan.ts';
import { createDatabase, readSql, skipReason, withClient, type TestDatabase } from './server.ts';

describe('the schema contract on PostgreSQL', { skip: skipReason }, () => {
  let database: TestDatabase;
  before(async () => {
    database = await createDatabase();
  });
  after(async () => {
    await database.dispose();
  });
  const make = (ddl = ''): Promise<unknown> =>
    withClient(database.url, (client) =>
      client.query(
        `DROP TABLE IF EXISTS w CASCADE; CREATE TABLE w (id bigint PRIMARY KEY, a smallint, b int); INSERT INTO w VALUES (1, 2, 3); ${ddl}`,
      ),
    );
  const options = (more: Partial<LoadOptions> = {}): LoadOptions => ({
    from: [{ id: 2, a: 70_000, b: 2.5, e: 'new' }],
    to: database.url,
    table: 'w',
    key: ['id'],
    again: true,
    onNewColumn: 'add',
    onTypeChange: 'widen',
    provenance: true,
    ...more,
  });
  const added = ['2', '70000', '2.5', 'new'];

  for (const more of [{}, { target: { isAtomic: true } }, { mode: 'replace' }, { mode: 'sync', maxDeletes: '100%' }] as const) {
    test(`integers become wider and fields columns, ${JSON.stringify(more)}`, async () => {
      await make();
      const report = await load(options(more));
      assert.deepEqual([report.state, report.verification?.isOk], ['done', true]);
      const types = await readSql(
        database.url,
        `SELECT string_agg(format_type(atttypid, atttypmod), ', ' ORDER BY attnum) AS list FROM pg_attribute WHERE attrelid = 'w'::regclass AND attnum > 0`,
      );
      assert.equal(types[0]?.['list'], 'bigint, bigint, numeric, text, text, text, bigint');
      const rows = await readSql(database.url, 'SELECT id::text, a::text, b::text, e FROM w ORDER BY w.id');
      const kept = 'mode' in more ? [] : [['1', '2', '3', null]];
      assert.deepEqual(
        rows.map(({ id, a, b, e }) => [id, a, b, e]),
        [...kept, added],
      );
    });
  }

  test('a view on the table is a reason not to widen, and nothing is changed', async () => {
    await make(`CREATE VIEW seen AS SELECT a FROM w`);
    assert.match(
      (await plan(options())).problems.join(),
      /column a of w can't be widened from smallint: views stand on the table \(.*seen.*\)/u,
    );
    await assert.rejects(load(options()), { code: 'SLUICE_PLAN_REFUSED' });
    assert.equal((await readSql(database.url, `SELECT 1 FROM pg_attribute WHERE attrelid = 'w'::regclass AND attname = 'e'`)).length, 0);
  });
});
