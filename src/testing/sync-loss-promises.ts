/** Promises about what a sync does not delete: rows that the source may still have, and more rows than the caller allows. */
import assert from 'node:assert/strict';
import { resume } from '../load/resume.ts';
import type { ConformanceOptions } from './contract.ts';
import type { TestDatabase } from './database.ts';
import { assertVerified, promise, run, sync, syncLines } from './syncing.ts';

export function describeSparing(options: ConformanceOptions): void {
  promise(options, 'the first row of a key stays, and every other one is refused, whatever the size of a batch', async ({ url, rows }) => {
    await sync([{ id: 1, name: 'one' }], url);
    const repeated = [
      { id: 1, name: 'one' },
      { id: 2, name: 'first' },
      { id: 1, name: 'ONE' },
      { id: 2, name: 'second' },
      { id: 2, name: 'first' },
    ];
    for (const maxBatchRows of [1, 2, 100]) {
      const report = await sync(repeated, url, { maxBatchRows });
      assert.equal(report.counts.rejected, 3);
      assert.deepEqual(
        report.rejectsByCause.map((cause) => cause.code),
        ['REFUSED_UNIQUE'],
      );
      assert.deepEqual(await rows('items', ['id', 'name']), [
        [1, 'one'],
        [2, 'first'],
      ]);
    }
    await assertVerified(url);
  });

  promise(options, 'a row that was refused is not taken for one that vanished', async ({ url, connection, rows }) => {
    await run(connection, `CREATE TABLE items (id INTEGER PRIMARY KEY, n INTEGER CHECK (n < 100))`);
    await syncLines(['{"id":1,"n":1}', '{"id":2,"n":2}', '{"id":3,"n":3}', '{"id":4,"n":4}'], url);
    const report = await syncLines(['{"id":1,"n":"no number"}', '{"id":2,"n":200}', '{"id":3,"n":3}'], url);
    assert.deepEqual(report.sync, { inserted: 0, updated: 0, unchanged: 1, deleted: 1 });
    assert.equal(report.counts.rejected, 2);
    assert.deepEqual(await rows('items', ['id', 'n']), [
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
    await assertVerified(url);
  });

  promise(options, 'where a row could not be read nothing is deleted, and the report says why', async ({ url, connection }) => {
    await syncLines(['{"id":1,"n":1}', '{"id":2,"n":2}', '{"id":3,"n":3}'], url);
    for (const line of ['{"id":2,"n":', '{"id":"two","n":2}', '{"n":2}']) {
      const report = await syncLines(['{"id":1,"n":1}', line, '{"id":4,"n":4}'], url);
      assert.equal(report.counts.rejected, 1);
      assert.equal(report.sync?.deleted, 0);
      assert.ok(report.decisions.some(({ what, choice }) => what === 'vanished rows' && choice.includes('none deleted')));
    }
    assert.equal(await connection.countRows('items'), 4);
    const whole = await syncLines(['{"id":1,"n":1}', '{"id":4,"n":4}'], url);
    assert.equal(whole.sync?.deleted, 2);
    await assertVerified(url);
  });

  promise(options, 'above the limit none is deleted, and a resume with a higher limit deletes them', async ({ url, connection }) => {
    const many = Array.from({ length: 40 }, (_, id) => ({ id, name: 'x' }));
    await sync(many, url);
    const less = many.slice(0, 30);
    await assert.rejects(sync(less, url, { maxDeletes: '20%' }), { code: 'SLUICE_DELETE_LIMIT' });
    await assert.rejects(sync(less, url, { maxDeletes: undefined }), { code: 'SLUICE_DELETE_LIMIT' });
    await assert.rejects(sync(less, url, { maxDeletes: 9, label: 'limited' }), { code: 'SLUICE_DELETE_LIMIT' });
    assert.equal(await connection.countRows('items'), 40);
    const report = await resume({ in: url, load: 'limited', from: less, maxDeletes: 10 });
    assert.equal(report.state, 'done');
    assert.equal(report.sync?.deleted, 10);
    assert.equal(await connection.countRows('items'), 30);
    await assertVerified(url);
  });

  promise(options, 'a foreign key that holds a vanished row is told, and nothing is deleted', async ({ url, connection, rows }) => {
    await sync(
      [1, 2, 3].map((id) => ({ id, name: 'x' })),
      url,
    );
    await run(connection, `CREATE TABLE parts (item INTEGER REFERENCES items (id))`);
    await run(connection, `INSERT INTO parts (item) VALUES (3)`);
    const isChecked = await checksForeignKeys(connection);
    if (!isChecked) return;
    await assert.rejects(sync([{ id: 1, name: 'x' }], url), { code: 'SLUICE_TARGET_FAILED' });
    assert.equal((await rows('items', ['id'])).length, 3);
    await run(connection, `DELETE FROM parts`);
    const report = await sync([{ id: 1, name: 'x' }], url);
    assert.equal(report.sync?.deleted, 2);
    await assertVerified(url);
  });
}

/** rqlite checks them only when it was started so. */
async function checksForeignKeys(connection: TestDatabase['connection']): Promise<boolean> {
  try {
    await run(connection, `INSERT INTO parts (item) VALUES (99)`);
  } catch {
    return true;
  }
  return false;
}
