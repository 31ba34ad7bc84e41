/** Deleting rows: all or none, counted, never found again by a search, and added up by verify. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { deleteRows } from '../../src/collection/delete.ts';
import { createIndex } from '../../src/collection/indexes.ts';
import { load } from '../../src/load/load.ts';
import { search } from '../../src/search/search.ts';
import { verify } from '../../src/verify/verify.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { places, vectorPlaces } from './places.ts';

const rows = Array.from({ length: 200 }, (_, id) => ({ id, name: `n${String(id % 10)}` }));

/** PGlite runs PostgreSQL's own code for this, and takes many times as long; the next test has it. */
for (const place of places.filter(({ name }) => name !== 'pglite')) {
  test(`rows go by key, by file and by condition, and verify counts them in: ${place.name}`, { skip: place.skip }, async (context) => {
    const url = await place.open(context);
    const keysFrom = join(makeFolder(context), 'gone.csv');
    writeFileSync(keysFrom, 'name,id\nx,10\ny,11\nz,10\nw,777\n');
    await load({ from: rows, to: url, table: 'items', key: ['id'], cache: false });
    const at = { in: url, table: 'items' } as const;
    const dry = await deleteRows({ ...at, keys: [1, '2', 999], dryRun: true });
    assert.deepEqual([dry.deleted, dry.notFound, dry.remaining, dry.recordedAs], [2, 1, 200, undefined]);
    const byKey = await deleteRows({ ...at, keys: [1, '2', 999, 1] });
    assert.deepEqual([byKey.deleted, byKey.notFound, byKey.notFoundKeys, byKey.remaining], [2, 1, ['999'], 198]);
    const byFile = await deleteRows({ ...at, keysFrom });
    assert.deepEqual([byFile.deleted, byFile.notFound], [2, 1]);
    await assert.rejects(deleteRows({ ...at, where: `name = 'n5'`, maxDeletes: 5 }), { code: 'SLUICE_DELETE_LIMIT' });
    await assert.rejects(deleteRows({ ...at, where: `name = 'n5'`, maxDeletes: '5%' }), { code: 'SLUICE_DELETE_LIMIT' });
    const byWhere = await deleteRows({ ...at, where: `name = 'n5' -- all of them` });
    assert.deepEqual([byWhere.deleted, byWhere.remaining], [20, 176]);
    await assert.rejects(deleteRows({ ...at, where: '1 = 1' }), { code: 'SLUICE_USAGE', hint: /--yes/u });
    for (const where of ['id = 1) OR (1 = 1', 'id = 1; DROP TABLE items', 'nmae = 1', `name = 'x`, 'id = ?', ''])
      await assert.rejects(deleteRows({ ...at, where }), { code: 'SLUICE_WHERE_INVALID' }, where);
    await assert.rejects(deleteRows({ ...at, keys: ['x'] }), { code: 'SLUICE_USAGE' });
    await assert.rejects(deleteRows({ ...at, keys: [[1, 2]] }), { code: 'SLUICE_USAGE' });
    await assert.rejects(deleteRows({ ...at }), { code: 'SLUICE_USAGE' });
    await assert.rejects(deleteRows({ in: url, table: 'sluice_loads', where: '1 = 0' }), { code: 'SLUICE_USAGE' });
    const report = await verify({ in: url });
    assert.deepEqual(
      report.checks.filter(({ isOk }) => !isOk),
      [],
    );
    assert.ok(report.isOk);
    // Rows may come back by a load, and be counted again.
    await load({ from: rows.slice(0, 3), to: url, table: 'items', key: ['id'], mode: 'skip', cache: false });
    assert.ok((await verify({ in: url })).isOk);
    assert.equal((await deleteRows({ ...at, where: '1 = 1', allowsAll: true })).remaining, 0);
    assert.ok((await verify({ in: url })).isOk);
  });
}

for (const place of vectorPlaces) {
  test(`a row that was deleted is found no more, by index or scan: ${place.name}`, { skip: place.skip }, async (context) => {
    const url = await place.open(context);
    const from = Array.from({ length: 300 }, (_, id) => ({ id, v: [Math.cos(id), Math.sin(id), id / 300] }));
    await load({ from, to: url, table: 'items', key: ['id'], types: { v: 'vector(3)' }, cache: false, index: { build: 'none' } });
    await createIndex({ in: url, table: 'items' });
    const ask = { in: url, table: 'items', query: from[40]?.v ?? [], k: 5 } as const;
    assert.equal((await search({ ...ask, way: 'index' })).hits[0]?.key['id'], 40);
    await deleteRows({ in: url, table: 'items', keys: [40] });
    for (const way of ['index', 'exact'] as const)
      assert.ok(
        (await search({ ...ask, way })).hits.every(({ key }) => key['id'] !== 40),
        way,
      );
  });
}

test('a row that a foreign key holds keeps all others, and keys of several columns name rows', async (context) => {
  const file = join(makeFolder(context), 'a.db');
  const db = new DatabaseSync(file);
  db.exec(`CREATE TABLE a (x INTEGER, y TEXT, PRIMARY KEY (x, y)); INSERT INTO a VALUES (1, 'p'), (1, 'q'), (2, 'p');
    CREATE TABLE b (x INTEGER, y TEXT, FOREIGN KEY (x, y) REFERENCES a); INSERT INTO b VALUES (1, 'q')`);
  const count = (): unknown => db.prepare('SELECT count(*) AS n FROM a').get()?.['n'];
  const at = { in: `sqlite:${file}`, table: 'a' } as const;
  await assert.rejects(
    deleteRows({ ...at, where: 'x = 1' }),
    (error: { readonly code?: string }) => error.code?.startsWith('SLUICE_TARGET_') === true,
  );
  assert.equal(count(), 3);
  const report = await deleteRows({
    ...at,
    keys: [
      [1, 'p'],
      ['2', 'z'],
    ],
  });
  assert.deepEqual([report.deleted, report.notFoundKeys, report.recordedAs], [1, ['[2,"z"]'], undefined]);
  assert.equal(count(), 2);
  db.close();
});
