/** Keys of a table, as the server counts, digests and looks them up: the same as the client's. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Scalar } from '../../src/rows/schema.ts';
import { countTable, digestTable, findMissing } from '../../src/target/postgres/catalog/keys.ts';
import { openPlanningDatabase, type PlanningDatabase } from './planning.ts';
import { serverUrl, skipReason } from './server.ts';

describe('keys in PostgreSQL', { skip: serverUrl === undefined ? skipReason : false }, () => {
  let database: PlanningDatabase;
  before(async () => {
    database = await openPlanningDatabase();
    await database.run(
      `CREATE TABLE numbers (id bigint PRIMARY KEY)`,
      `INSERT INTO numbers SELECT i * 2 FROM generate_series(1, 12000) i`,
      `CREATE TABLE others (id bigint PRIMARY KEY)`,
      `INSERT INTO others SELECT i * 2 FROM generate_series(12000, 1, -1) i`,
      `CREATE TABLE empty (id bigint PRIMARY KEY)`,
      `CREATE TABLE pairs (name text, at timestamptz, note text, PRIMARY KEY (name, at))`,
      `INSERT INTO pairs VALUES ('a', '2026-01-01T10:00:00Z', ''), ('b', '2026-01-02T10:00:00.5Z', '')`,
    );
  });
  after(() => database.dispose());

  it('rows are counted', async () => {
    assert.equal(await countTable(database.link, 'numbers'), 12_000);
    assert.equal(await countTable(database.link, 'empty'), 0);
  });

  it('a digest tells sets of keys apart, whatever their order', async () => {
    const numbers = await digestTable(database.link, 'numbers', ['id']);
    assert.equal(numbers.rows, 12_000);
    assert.match(numbers.digest, /^[0-9a-f]{16}$/u);
    assert.deepEqual(await digestTable(database.link, 'others', ['id']), numbers);
    await database.run(`UPDATE others SET id = 1 WHERE id = 2`);
    assert.notEqual((await digestTable(database.link, 'others', ['id'])).digest, numbers.digest);
    assert.deepEqual(await digestTable(database.link, 'empty', ['id']), { rows: 0, digest: '0'.repeat(16) });
  });

  it('missing keys are found among more than one look-up takes', async () => {
    const keys = Array.from({ length: 12_000 }, (_, at): Scalar[] => [at + 1]);
    const missing = await findMissing(database.link, { table: 'numbers', key: ['id'] }, keys);
    assert.deepEqual(
      missing,
      keys.flatMap((_, at) => (at % 2 === 0 ? [at] : [])),
    );
  });

  it('a key that the type does not take is missing, and its neighbours are still looked up', async () => {
    const keys: Scalar[][] = [[2], ['not a number'], [4], ['99999999999999999999'], [3], [6n]];
    assert.deepEqual(await findMissing(database.link, { table: 'numbers', key: ['id'] }, keys), [1, 3, 4]);
  });

  it('keys of several columns are looked up whole, and a time without a zone is UTC', async () => {
    await database.link.query(`SET TimeZone = 'Asia/Tokyo'`);
    const keys: Scalar[][] = [
      ['a', '2026-01-01T10:00:00Z'],
      ['b', '2026-01-02T10:00:00.5'],
      ['a', '2026-01-02T10:00:00.5Z'],
      ['a', null],
    ];
    assert.deepEqual(await findMissing(database.link, { table: 'pairs', key: ['name', 'at'] }, keys), [2, 3]);
  });

  it('unknown tables and columns are named', async () => {
    await assert.rejects(digestTable(database.link, 'nowhere', ['id']), { code: 'SLUICE_TABLE_UNKNOWN' });
    await assert.rejects(findMissing(database.link, { table: 'numbers', key: ['nope'] }, [[1]]), { code: 'SLUICE_COLUMN_UNKNOWN' });
  });
});
