/** Promises about mode sync: the table becomes the mirror of the source. */
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { ConformanceOptions } from './contract.ts';
import { describeSyncEnds } from './sync-end-promises.ts';
import { describeSparing } from './sync-loss-promises.ts';
import { assertVerified, promise, run, sync, type Row } from './syncing.ts';

export function describeSyncing(options: ConformanceOptions): void {
  describe('sync', () => {
    describeMirroring(options);
    describeSparing(options);
    describeSyncEnds(options);
  });
}

function describeMirroring(options: ConformanceOptions): void {
  promise(options, 'new rows come, changed ones change, equal ones stay, vanished ones go, and each is counted', async ({ url, rows }) => {
    await sync(
      [1, 2, 3, 4].map((id) => ({ id, name: `row ${String(id)}` })),
      url,
    );
    const report = await sync(
      [
        { id: 2, name: 'row 2' },
        { id: 3, name: 'changed' },
        { id: 5, name: 'new' },
      ],
      url,
    );
    assert.deepEqual(report.sync, { inserted: 1, updated: 1, unchanged: 1, deleted: 2 });
    assert.deepEqual(report.counts, { read: 3, written: 2, skipped: 1, rejected: 0 });
    assert.deepEqual(await rows('items', ['id', 'name']), [
      [2, 'row 2'],
      [3, 'changed'],
      [5, 'new'],
    ]);
    assert.equal(report.verification?.isOk, true);
    await assertVerified(url);
  });

  promise(options, 'the same sync again looks again, and finds everything unchanged', async ({ url, connection }) => {
    const many = Array.from({ length: 300 }, (_, id) => ({ id, name: id % 7 === 0 ? null : `row ${String(id)}`, amount: id / 8 }));
    await sync(many, url);
    const second = await sync(many, url, { maxBatchRows: 50 });
    assert.deepEqual(second.sync, { inserted: 0, updated: 0, unchanged: 300, deleted: 0 });
    await run(connection, `UPDATE items SET name = 'altered' WHERE id IN (7, 8)`);
    const third = await sync(many, url);
    assert.deepEqual(third.sync, { inserted: 0, updated: 2, unchanged: 298, deleted: 0 });
    await assertVerified(url);
  });

  promise(options, 'a null is equal to a null and to nothing else', async ({ url, rows }) => {
    await sync(
      [
        { id: 1, name: null },
        { id: 2, name: 'two' },
        { id: 3, name: null },
      ],
      url,
    );
    const report = await sync(
      [
        { id: 1, name: null },
        { id: 2, name: null },
        { id: 3, name: 'three' },
      ],
      url,
    );
    assert.deepEqual(report.sync, { inserted: 0, updated: 2, unchanged: 1, deleted: 0 });
    assert.deepEqual(await rows('items', ['id', 'name']), [
      [1, null],
      [2, null],
      [3, 'three'],
    ]);
  });

  promise(options, 'keys of several columns and texts that differ in case alone are told apart', async ({ url, rows }) => {
    const key = ['area', 'id'];
    const before = [
      { area: 'a', id: 1, name: 'x' },
      { area: 'A', id: 1, name: 'x' },
      { area: 'a', id: 2, name: 'x' },
    ];
    await sync(before, url, { key });
    const report = await sync([before[0]!, { area: 'a', id: 2, name: 'X' }, { area: 'b', id: 1, name: 'y' }], url, { key });
    assert.deepEqual(report.sync, { inserted: 1, updated: 1, unchanged: 1, deleted: 1 });
    assert.deepEqual((await rows('items', ['area', 'id', 'name'])).map(String).sort(), ['a,1,x', 'a,2,X', 'b,1,y']);
    await assertVerified(url);
  });

  promise(options, 'columns that the source does not have keep what they hold', async ({ url, connection, rows }) => {
    await run(connection, `CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, note TEXT DEFAULT 'none')`);
    await run(connection, `INSERT INTO items (id, name, note) VALUES (1, 'one', 'mine'), (2, 'two', 'mine')`);
    const report = await sync(
      [
        { id: 1, name: 'ONE' },
        { id: 2, name: 'two' },
        { id: 3, name: 'three' },
      ],
      url,
    );
    assert.deepEqual(report.sync, { inserted: 1, updated: 1, unchanged: 1, deleted: 0 });
    assert.deepEqual(await rows('items', ['id', 'name', 'note']), [
      [1, 'ONE', 'mine'],
      [2, 'two', 'mine'],
      [3, 'three', 'none'],
    ]);
  });

  promise(options, 'a vector that changed is written, and an equal one is not', async ({ url }) => {
    const vectors = (last: number): readonly Row[] => [
      { id: 1, place: [1, 2, 3] },
      { id: 2, place: [4, 5, last] },
    ];
    const types = { place: 'vector(3)' } as const;
    await sync(vectors(6), url, { types });
    const report = await sync(vectors(6.5), url, { types });
    assert.deepEqual(report.sync, { inserted: 0, updated: 1, unchanged: 1, deleted: 0 });
  });

  promise(options, 'only texts that are new or changed are embedded', async ({ url, connection }) => {
    const texts = (changed: string): readonly Row[] => [
      { id: 1, text: 'the first text', n: 1 },
      { id: 2, text: changed, n: 2 },
      { id: 3, text: 'the third text', n: 3 },
      { id: 5, text: '', n: 5 },
    ];
    const embed = { column: 'text', with: 'hash', dimensions: 16, into: 'place', emptyText: 'null' } as const;
    await sync(texts('the second text'), url, { embed });
    const report = await sync([...texts('another text'), { id: 4, text: 'the fourth text', n: 4 }], url, { embed });
    assert.deepEqual(report.sync, { inserted: 1, updated: 1, unchanged: 3, deleted: 0 });
    assert.equal(report.embedding?.texts, 2);
    // A vector that is missing is made, though the text is what it was.
    await run(connection, `UPDATE items SET place = NULL WHERE id = 3`);
    const mended = await sync([...texts('another text'), { id: 4, text: 'the fourth text', n: 4 }], url, { embed });
    assert.equal(mended.embedding?.texts, 1);
    assert.equal(mended.sync?.updated, 1);
  });
}
