/** Promises about opening and closing a target. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isSluiceError } from '../errors.ts';
import { load } from '../load/load.ts';
import { plan } from '../load/plan/plan.ts';
import { connect } from '../target/registry.ts';
import type { ConformanceOptions } from './contract.ts';
import { loadOf, withDatabase } from './database.ts';

export function describeOpening(options: ConformanceOptions): void {
  describe('opening and closing', () => {
    it('a target that can not be reached is said so, with a next step', async () => {
      await assert.rejects(
        connect(options.unreachableUrl),
        (error) => isSluiceError(error) && error.code.startsWith('SLUICE_TARGET_') && error.hint !== undefined,
      );
    });

    it('a plan writes nothing', async () => {
      await withDatabase(options, async ({ url, connection }) => {
        const planned = await plan(loadOf([{ id: 1 }], url));
        assert.deepEqual(planned.problems, []);
        assert.equal(await connection.describe('items'), undefined);
        assert.equal(await connection.describe('sluice_loads'), undefined);
      });
    });

    it('a table is made with the columns, types and key of the plan', async () => {
      await withDatabase(options, async ({ url, connection }) => {
        await load(loadOf([{ id: 1, name: 'one', at: '2026-01-02', v: [1, 2, 3] }], url));
        const table = await connection.describe('items');
        assert.deepEqual(table?.key, ['id']);
        assert.deepEqual(
          table?.columns.map(({ name, type, dimensions }) => [name, type, dimensions]),
          [
            ['id', 'integer', undefined],
            ['name', 'text', undefined],
            ['at', 'date', undefined],
            ['v', 'vector', 3],
          ],
        );
      });
    });

    it('a closed connection can be closed again', async () => {
      await withDatabase(options, async ({ url }) => {
        const connection = await connect(url);
        await connection.close();
        await assert.doesNotReject(connection.close());
      });
    });
  });
}
