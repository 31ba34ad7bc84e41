/** Promises about how rows meet rows that are already there. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { load } from '../load/load.ts';
import type { LoadMode } from '../target/driver.ts';
import type { ConformanceOptions } from './contract.ts';
import { loadOf, withDatabase } from './database.ts';

export const first: readonly Readonly<Record<string, unknown>>[] = [
  { id: 1, name: 'one' },
  { id: 2, name: 'two' },
];
export const second: readonly Readonly<Record<string, unknown>>[] = [
  { id: 2, name: 'TWO' },
  { id: 3, name: 'three' },
  { id: 3, name: 'THREE' },
];

interface Expected {
  readonly mode: LoadMode;
  readonly promise: string;
  readonly rows: readonly (readonly [number, string])[];
  readonly counts: { readonly written: number; readonly skipped: number; readonly rejected: number };
}

export const modeExpectations: readonly Expected[] = [
  {
    mode: 'insert',
    promise: 'insert refuses a key that is there, and writes its neighbours',
    rows: [
      [1, 'one'],
      [2, 'two'],
      [3, 'three'],
    ],
    counts: { written: 1, skipped: 0, rejected: 2 },
  },
  {
    mode: 'upsert',
    promise: 'upsert replaces the old row, and the last of equal keys wins',
    rows: [
      [1, 'one'],
      [2, 'TWO'],
      [3, 'THREE'],
    ],
    counts: { written: 3, skipped: 0, rejected: 0 },
  },
  {
    mode: 'skip',
    promise: 'skip keeps the old row, and the first of equal keys wins',
    rows: [
      [1, 'one'],
      [2, 'two'],
      [3, 'three'],
    ],
    counts: { written: 1, skipped: 2, rejected: 0 },
  },
  {
    mode: 'replace',
    promise: 'replace leaves only the new rows',
    rows: [
      [2, 'TWO'],
      [3, 'three'],
    ],
    counts: { written: 2, skipped: 0, rejected: 1 },
  },
];

export function describeModes(options: ConformanceOptions): void {
  describe('modes', () => {
    for (const { mode, promise, rows, counts } of modeExpectations) {
      it(promise, async () => {
        await withDatabase(options, async (database) => {
          await load(loadOf(first, database.url));
          const report = await load(loadOf(second, database.url, { mode }));
          assert.deepEqual(await database.rows('items', ['id', 'name']), rows);
          assert.deepEqual(report.counts, { read: 3, ...counts });
          assert.equal(report.verification?.isOk, true);
        });
      });
    }

    it('rows land the same whatever the size of a batch', async () => {
      const many = Array.from({ length: 500 }, (_, index) => ({ id: (index * 7) % 331, name: `row ${String(index)}` }));
      const tables: unknown[] = [];
      for (const maxBatchRows of [1, 7, 1000]) {
        await withDatabase(options, async (database) => {
          await load(loadOf(many, database.url, { mode: 'upsert', maxBatchRows }));
          tables.push(await database.rows('items', ['id', 'name']));
        });
      }
      assert.deepEqual(tables[1], tables[0]);
      assert.deepEqual(tables[2], tables[0]);
    });

    it('upsert and skip without a key are refused before anything is written', async () => {
      await withDatabase(options, async ({ url, connection }) => {
        for (const mode of ['upsert', 'skip'] as const) {
          await assert.rejects(load(loadOf(first, url, { mode, key: [] })), { code: 'SLUICE_PLAN_REFUSED' });
        }
        assert.equal(await connection.describe('items'), undefined);
      });
    });
  });
}
