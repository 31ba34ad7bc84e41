/** Promises about loads that become visible all at once, or not at all. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { load } from '../load/load.ts';
import { resume } from '../load/resume.ts';
import type { ConformanceOptions } from './contract.ts';
import { loadOf, withDatabase, type TestDatabase } from './database.ts';
import { first, modeExpectations, second } from './mode-promises.ts';

const isAtomic = { isAtomic: true } as const;

export function describeAtomic(options: ConformanceOptions): void {
  describe('atomic', () => {
    for (const { mode, promise: name, rows, counts } of modeExpectations) {
      promise(options, `all at once, ${name}`, async (database) => {
        await load(loadOf(first, database.url, { target: isAtomic }));
        const report = await load(loadOf(second, database.url, { mode, target: isAtomic, maxBatchRows: 2 }));
        assert.deepEqual(await database.rows('items', ['id', 'name']), rows);
        assert.deepEqual(report.counts, { read: 3, ...counts });
        assert.equal(report.verification?.isOk, true);
      });
    }

    promise(
      options,
      'rows that are not to be seen yet are not, neither of a new table nor beside others, and a resume shows all of them',
      async (database) => {
        const many = Array.from({ length: 60 }, (_, id) => ({ id, name: `row ${String(id)}` }));
        for (const from of [many.slice(0, 30), many.slice(30)]) {
          const before =
            (await database.connection.describe('items')) === undefined ? undefined : await database.rows('items', ['id', 'name']);
          const asked = { ...loadOf(from, database.url, { target: isAtomic, maxBatchRows: 10, label: `from ${String(from[0]?.id)}` }) };
          const stopped = await load({ ...asked, limit: 20 });
          assert.deepEqual([stopped.state, stopped.counts.read], ['limit', 20]);
          const then =
            (await database.connection.describe('items')) === undefined ? undefined : await database.rows('items', ['id', 'name']);
          assert.deepEqual(then, before);
          assert.equal((await resume({ in: database.url, from })).state, 'done');
        }
        assert.equal((await database.rows('items', ['id', 'name'])).length, 60);
      },
    );
  });
}

function promise(options: ConformanceOptions, name: string, work: (database: TestDatabase) => Promise<void>): void {
  it(name, async (context) => {
    await withDatabase(options, async (database) => {
      if (database.connection.capabilities.supportsAtomic) await work(database);
      else context.skip(`${options.name} can't show all rows at once (capability supportsAtomic)`);
    });
  });
}
