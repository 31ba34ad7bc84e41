/** Promises about how a sync ends, goes on and begins anew. */
import assert from 'node:assert/strict';
import { load } from '../load/load.ts';
import { resume } from '../load/resume.ts';
import type { ConformanceOptions } from './contract.ts';
import { loadOf, type TestDatabase } from './database.ts';
import { assertVerified, promise, sync, type Row } from './syncing.ts';

export function describeSyncEnds(options: ConformanceOptions): void {
  for (const after of [2000, 2900, 3590]) {
    promise(
      options,
      `a sync stopped at row ${String(after)} deletes nothing, and finishes as if it had never stopped`,
      async ({ url, connection, rows }) => {
        const before = Array.from({ length: 4000 }, (_, id) => ({ id, name: `row ${String(id)}` }));
        const now = [
          ...before.filter(({ id }) => id % 10 !== 3).map(({ id, name }) => ({ id, name: id % 5 === 0 ? `${name} changed` : name })),
          ...Array.from({ length: 40 }, (_, index) => ({ id: 5000 + index, name: 'new' })),
        ];
        await sync(before, url);
        const controller = new AbortController();
        const more = { mode: 'sync', label: 'nightly', maxBatchRows: 100, maxDeletes: '20%' } as const;
        const stopped = await load({ ...loadOf([], url, more), from: stopAfter(now, after, controller), signal: controller.signal });
        if (stopped.state === 'cancelled') assert.equal(stopped.sync?.deleted, 0);
        const report = await load({ ...loadOf([], url, more), from: now });
        assert.equal(report.state, 'done');
        assert.deepEqual(report.sync, { inserted: 40, updated: 800, unchanged: 2800, deleted: 400 });
        assert.deepEqual(
          await rows('items', ['id', 'name']),
          now.map(({ id, name }) => [id, name]),
        );
        assert.deepEqual(await listSeen(connection), []);
        await assertVerified(url);
      },
    );
  }

  promise(
    options,
    'a finished label syncs again, and an unfinished sync gives way to one of another source',
    async ({ url, connection, rows }) => {
      const rowsOf = (name: string): readonly Row[] => Array.from({ length: 10 }, (_, id) => ({ id, name }));
      for (const name of ['a', 'b']) await sync(rowsOf(name), url, { label: 'same' });
      await assert.rejects(sync([{ id: 1, name: 'c' }], url, { maxDeletes: 0 }), { code: 'SLUICE_DELETE_LIMIT' });
      const unfinished = await latestLoad(connection);
      const report = await sync(rowsOf('d').slice(2), url);
      assert.deepEqual(report.sync, { inserted: 0, updated: 8, unchanged: 0, deleted: 2 });
      assert.equal((await rows('items', ['id'])).length, 8);
      assert.deepEqual(await listSeen(connection), []);
      await assert.rejects(resume({ in: url, load: unfinished, from: [{ id: 1, name: 'c' }] }), { code: 'SLUICE_USAGE' });
      await assertVerified(url);
    },
  );

  promise(options, 'sync without a key is refused before anything is written', async ({ url, connection }) => {
    await assert.rejects(sync([{ id: 1 }], url, { key: [] }), { code: 'SLUICE_PLAN_REFUSED' });
    assert.equal(await connection.describe('items'), undefined);
  });
}

/** Rows that abort the controller once `after` of them were handed out. */
async function* stopAfter(rows: readonly Row[], after: number, controller: AbortController): AsyncGenerator<Row> {
  let handedOut = 0;
  for (const row of rows) {
    if (++handedOut === after) controller.abort();
    yield row;
    await Promise.resolve();
  }
}

async function latestLoad(connection: TestDatabase['connection']): Promise<string> {
  const rows = await connection.query({ sql: `SELECT load FROM sluice_loads WHERE state <> 'done'`, parameters: [] });
  return String(rows[0]?.['load']);
}

/** The tables of seen keys that loads have left behind. */
async function listSeen(connection: TestDatabase['connection']): Promise<readonly string[]> {
  const loads = await connection.query({ sql: 'SELECT load FROM sluice_loads', parameters: [] });
  const names = loads.map((row) => `sluice_seen_${String(row['load'])}`);
  const found: string[] = [];
  for (const name of names) if ((await connection.describe(name)) !== undefined) found.push(name);
  return found;
}
