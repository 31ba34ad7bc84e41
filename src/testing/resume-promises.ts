/** Promises about going on: a load that was stopped is finished once, and one that is finished is not done again. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { load } from '../load/load.ts';
import { retry } from '../load/resume.ts';
import { verify } from '../verify/verify.ts';
import type { ConformanceOptions } from './contract.ts';
import { loadOf, streamLines, withDatabase } from './database.ts';

/** More than a sample takes, so that a load is under way when it is stopped. */
const rowCount = 4000;

function makeRows(): readonly Readonly<Record<string, unknown>>[] {
  return Array.from({ length: rowCount }, (_, index) => ({ id: index, name: `row ${String(index)}` }));
}

/** Rows that abort the controller once `after` of them were handed out. */
async function* stopAfter(after: number, controller: AbortController): AsyncGenerator<Readonly<Record<string, unknown>>> {
  let handedOut = 0;
  for (const row of makeRows()) {
    if (++handedOut === after) controller.abort();
    yield row;
    await Promise.resolve();
  }
}

export function describeResuming(options: ConformanceOptions): void {
  describe('resuming', () => {
    for (const after of [2000, 2900, rowCount]) {
      it(`a labelled stream stopped at row ${String(after)} is finished by the same call, each row once`, async () => {
        await withDatabase(options, async ({ url, rows }) => {
          const controller = new AbortController();
          const more = { label: 'nightly', maxBatchRows: 100 };
          const stopped = await load({ ...loadOf([], url, more), from: stopAfter(after, controller), signal: controller.signal });
          assert.ok(stopped.state === 'cancelled' || stopped.state === 'done');
          await load({ ...loadOf([], url, more), from: makeRows() });
          const found = await rows('items', ['id', 'name']);
          assert.deepEqual(
            found,
            makeRows().map(({ id, name }) => [id, name]),
          );
          assert.equal((await verify({ in: url, table: 'items' })).isOk, true);
        });
      });
    }

    it('a label never loads twice', async () => {
      await withDatabase(options, async ({ url, connection }) => {
        await load(loadOf(makeRows(), url, { label: 'once' }));
        const second = await load(loadOf([{ id: 9999 }], url, { label: 'once' }));
        assert.equal(second.state, 'nothing_to_do');
        assert.equal(await connection.countRows('items'), rowCount);
      });
    });

    it('the reject limit stops the load, and rows written before stay', async () => {
      await withDatabase(options, async ({ url }) => {
        const rows = [{ id: 1 }, { id: 1 }, { id: 1 }, { id: 2 }];
        const report = await load(loadOf(rows, url, { maxRejects: 1 }));
        assert.equal(report.state, 'reject_limit');
        assert.equal(report.isBalanced, true);
      });
    });

    it('refused rows are loaded by a retry once what stood in their way is gone', async () => {
      await withDatabase(options, async ({ url, connection, rows }) => {
        await load({ ...loadOf([], url), from: streamLines(['{"id":1,"name":"old"}']), format: 'jsonl' });
        const report = await load({
          ...loadOf([], url),
          from: streamLines(['{"id":1,"name":"new"}', '{"id":2,"name":"two"}']),
          format: 'jsonl',
        });
        assert.equal(report.counts.rejected, 1);
        await connection.transact([{ sql: 'DELETE FROM items WHERE id = 1', parameters: [] }]);
        const again = await retry({ in: url, load: report.load });
        assert.deepEqual(again.counts, { read: 1, written: 1, skipped: 0, rejected: 0 });
        assert.deepEqual(await rows('items', ['id', 'name']), [
          [1, 'new'],
          [2, 'two'],
        ]);
        assert.equal((await retry({ in: url, load: report.load })).state, 'nothing_to_do');
      });
    });

    it('verifying finds a row that somebody deleted', async () => {
      await withDatabase(options, async ({ url, connection }) => {
        await load(loadOf(makeRows(), url));
        await connection.transact([{ sql: 'DELETE FROM items WHERE id = 7', parameters: [] }]);
        const verified = await verify({ in: url, table: 'items' });
        assert.equal(verified.isOk, false);
        assert.ok(verified.checks.some((check) => !check.isOk && check.name.includes('rows in the table')));
      });
    });
  });
}
