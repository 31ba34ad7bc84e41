/** A table that is changed between two batches of one writer: nothing is written as what the old bytes mean to new columns, and the error says what changed. */
import assert from 'node:assert/strict';
import process from 'node:process';
import { after, before, beforeEach, describe, test } from 'node:test';
import { isSluiceError, type ErrorCode } from '../../src/errors.ts';
import type { Outcome } from '../../src/target/driver.ts';
import { toSluiceError } from '../../src/target/postgres/errors.ts';
import { commitBatch, openWriter, type TableWriter } from '../../src/target/postgres/commit/commit.ts';
import { claimShards, column, openBench, openTableWriter, planOf, toBatch, toUnit, type Bench, type PlanRequest } from './commit-bench.ts';
import { skipReason, withClient } from './server.ts';

const columns = [column('id', 'integer', { isNullable: false }), column('name', 'text')];
const items = { table: 'items', columns } satisfies PlanRequest;
const count = 50;

interface Change {
  readonly name: string;
  readonly sql: string;
  /** How the batch after it ends; `goes on`: it is written. */
  readonly ends: 'goes on' | { readonly code: ErrorCode; readonly says: RegExp };
}

const changes: readonly Change[] = [
  {
    name: 'a type that reads the same bytes as other values',
    sql: 'ALTER TABLE items ALTER COLUMN id TYPE double precision',
    ends: { code: 'SLUICE_TARGET_FAILED', says: /id was int8 and is float8/u },
  },
  {
    name: 'a type of the same family',
    sql: 'ALTER TABLE items ALTER COLUMN name TYPE varchar(20)',
    ends: { code: 'SLUICE_TARGET_FAILED', says: /name was text and is varchar/u },
  },
  {
    name: 'a column that is dropped and made again',
    sql: 'ALTER TABLE items DROP COLUMN name; ALTER TABLE items ADD COLUMN name text',
    ends: { code: 'SLUICE_TARGET_FAILED', says: /altered or replaced/u },
  },
  {
    name: 'a table that takes the name of the one that was loaded',
    sql: 'ALTER TABLE items RENAME TO old; CREATE TABLE items (LIKE old INCLUDING ALL)',
    ends: { code: 'SLUICE_TARGET_FAILED', says: /altered or replaced/u },
  },
  {
    name: 'a column that is renamed',
    sql: 'ALTER TABLE items RENAME COLUMN name TO title',
    ends: { code: 'SLUICE_COLUMN_UNKNOWN', says: /name/u },
  },
  { name: 'a column that is added', sql: 'ALTER TABLE items ADD COLUMN more int DEFAULT 3', ends: 'goes on' },
  {
    name: 'a default, a comment and a grant',
    sql: `ALTER TABLE items ALTER COLUMN name SET DEFAULT 'x'; COMMENT ON COLUMN items.name IS 'y'; GRANT SELECT ON items TO PUBLIC`,
    ends: 'goes on',
  },
  { name: 'rows that are rewritten', sql: 'VACUUM FULL items', ends: 'goes on' },
];

describe('a table that is changed under a load', { skip: skipReason }, () => {
  let bench: Bench;

  before(async () => {
    bench = await openBench();
  });
  after(async () => {
    await bench.dispose();
  });
  beforeEach(async () => {
    await bench.sql('DROP TABLE IF EXISTS items, old; CREATE TABLE items (id bigint PRIMARY KEY, name text); DELETE FROM sluice_shards');
    await claimShards(bench.link);
  });

  function send(writer: TableWriter, first: number): Promise<Outcome> {
    const rows = Array.from({ length: count }, (_, row) => [first + row, `name ${String(row)}`]);
    return commitBatch(writer, toUnit({ batch: toBatch(columns, rows, first) }), undefined);
  }

  async function assertFails(work: Promise<unknown>, code: ErrorCode, says: RegExp): Promise<void> {
    await assert.rejects(work, (error) => {
      // As the driver tells it.
      const told = toSluiceError(error, bench.link.place);
      assert.ok(isSluiceError(told, code) && (told.hint ?? '') !== '', told.message);
      assert.match(told.message, says);
      return true;
    });
  }

  for (const mode of ['insert', 'upsert'] as const) {
    for (const { name, sql, ends } of changes) {
      test(`${name}: ${ends === 'goes on' ? 'does not stop' : 'stops'} an ${mode}`, async () => {
        const writer = await openTableWriter(bench.link, { ...items, mode });
        assert.equal((await send(writer, 0)).kind, 'committed');
        for (const statement of sql.split('; ')) await bench.sql(statement);
        if (ends === 'goes on') assert.equal((await send(writer, count)).kind, 'committed');
        else await assertFails(send(writer, count), ends.code, ends.says);
        const written = ends === 'goes on' ? 2 * count : count;
        assert.deepEqual(await bench.sql('SELECT next_row::int AS next, read_count::int AS read FROM sluice_shards'), [
          { next: written, read: written },
        ]);
      });
    }
  }

  test('a change that waits for the batch in hand comes after it, and stops the next one', async () => {
    const writer = await openTableWriter(bench.link, items);
    await withClient(bench.url, async (client) => {
      await client.query('BEGIN; LOCK TABLE items IN SHARE MODE');
      const sending = send(writer, 0);
      await client.query('ALTER TABLE items ALTER COLUMN id TYPE numeric; COMMIT');
      await assertFails(sending, 'SLUICE_TARGET_FAILED', /id was int8 and is numeric/u);
    });
    assert.deepEqual(await bench.sql('SELECT count(*)::int AS rows FROM items'), [{ rows: 0 }]);
  });

  test('a load does not go on in a table with other types than it was planned for', async () => {
    const plan = planOf({ ...items, settings: { columnTypes: JSON.stringify({ id: 'int8', name: 'text' }) } });
    const keeping = { keepsRows: true, maxBytes: 1_000 };
    assert.equal((await send(await openWriter(bench.link, plan, keeping), 0)).kind, 'committed');
    await bench.sql('ALTER TABLE items ALTER COLUMN id TYPE int');
    await assertFails(openWriter(bench.link, plan, keeping), 'SLUICE_TARGET_FAILED', /id was int8 and is int4/u);
    await bench.sql('ALTER TABLE items ALTER COLUMN id TYPE bigint');
    assert.equal((await send(await openWriter(bench.link, plan, keeping), count)).kind, 'committed');
  });

  test('an owner that another one has followed is fenced, and not told of columns', async () => {
    const writer = await openTableWriter(bench.link, items);
    await bench.sql('UPDATE sluice_shards SET epoch = 2');
    assert.deepEqual(await send(writer, 0), { kind: 'fenced' });
  });

  test('a role that may INSERT into the loaded columns alone can load', async () => {
    // Roles belong to the whole server.
    const role = `sluice_guard_${String(process.pid)}`;
    await bench.sql(`CREATE ROLE ${role}; GRANT USAGE ON SCHEMA public TO ${role};
      GRANT INSERT (id, name), SELECT (id) ON items TO ${role}; GRANT ALL ON sluice_shards, sluice_rejects TO ${role}`);
    const link = await bench.open();
    await link.script(`SET ROLE ${role}`);
    assert.equal((await send(await openTableWriter(link, items), 0)).kind, 'committed');
    await bench.sql(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });
});
