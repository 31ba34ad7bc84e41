/** Promises about search: the nearest rows, exactly, whatever was changed since. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { load } from '../load/load.ts';
import { search } from '../search/search.ts';
import { connect, findDriver } from '../target/registry.ts';
import type { ConformanceOptions } from './contract.ts';
import { loadOf, withDatabase } from './database.ts';

const texts = ['the heart pumps blood', 'an attack of the heart', 'a boat on the river', 'rivers run to the sea', 'blood is red'];

export function describeSearching(options: ConformanceOptions): void {
  describe('search', () => {
    it('finds the row with the very text first, with score 1', async (test) => {
      const driver = await findDriver(options.unreachableUrl);
      if (!driver.capabilities.supportsSearch) {
        test.skip(`${options.name} declares supportsSearch: false`);
        return;
      }
      await withDatabase(options, async ({ url }) => {
        const rows = texts.map((text, id) => ({ id, text }));
        await load(loadOf(rows, url, { embed: { column: 'text', with: 'hash' } }));
        for (const { id, text } of rows) {
          const { hits } = await search({ in: url, table: 'items', query: text, k: 2 });
          assert.deepEqual(hits[0]?.key, { id });
          assert.ok(Math.abs((hits[0]?.score ?? 0) - 1) < 1e-5);
        }
      });
    });

    it('sees rows that were changed or deleted by others at once', async (test) => {
      const driver = await findDriver(options.unreachableUrl);
      if (!driver.capabilities.supportsSearch) {
        test.skip(`${options.name} declares supportsSearch: false`);
        return;
      }
      await withDatabase(options, async ({ url }) => {
        await load(
          loadOf(
            [
              { id: 1, v: [1, 0] },
              { id: 2, v: [0, 1] },
              { id: 3, v: [1, 1] },
            ],
            url,
            { index: { build: 'always' } },
          ),
        );
        const other = await connect(url);
        await other.transact([{ sql: 'DELETE FROM items WHERE id = 1', parameters: [] }]);
        await other.close();
        const { hits } = await search({ in: url, table: 'items', query: [1, 0], k: 3 });
        assert.deepEqual(
          hits.map((hit) => hit.key['id']),
          [3, 2],
        );
      });
    });

    it('a filter gives k rows whenever k rows match', async (test) => {
      const driver = await findDriver(options.unreachableUrl);
      if (!driver.capabilities.supportsSearch) {
        test.skip(`${options.name} declares supportsSearch: false`);
        return;
      }
      await withDatabase(options, async ({ url }) => {
        const rows = Array.from({ length: 200 }, (_, id) => ({
          id,
          kind: id % 50 === 0 ? 'rare' : 'common',
          v: [Math.cos(id), Math.sin(id)],
        }));
        await load(loadOf(rows, url, { index: { build: 'always' } }));
        const { hits } = await search({ in: url, table: 'items', query: [0, 1], k: 4, where: "kind = 'rare'" });
        assert.deepEqual(
          hits.map((hit) => Number(hit.key['id'])).sort((a, b) => a - b),
          [0, 50, 100, 150],
        );
      });
    });
  });
}
