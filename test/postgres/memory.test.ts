/** Rows in memory: cut into shards, loaded over several connections by one thread, each exactly once. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { load } from '../../src/load/load.ts';
import type { LoadOptions } from '../../src/load/options.ts';
import { connect } from '../../src/target/registry.ts';
import { verify } from '../../src/verify/verify.ts';
import { createDatabase, serverUrl, skipReason } from './server.ts';

const rowCount = 20_000;
/** Rows of {@link rowCount} that are no rows, or repeat a key; far apart, so that they stand in different shards. */
const broken = [3, 9_999, 19_998];
const repeated = [7_000, 15_000];

function makeRows(): readonly unknown[] {
  return Array.from({ length: rowCount }, (_, row) => {
    if (broken.includes(row)) return row === 3 ? null : { id: row, name: 'short', v: [1] };
    return { id: repeated.includes(row) ? 1 : row, name: `name ${String(row)}`, v: Float32Array.of(row, 1) };
  });
}

describe('rows in memory', { skip: serverUrl === undefined ? skipReason : false }, () => {
  async function withRows(more: Partial<LoadOptions>, check: (url: string) => Promise<void>): Promise<void> {
    const database = await createDatabase();
    try {
      const options = {
        to: database.url,
        table: 'items',
        key: ['id'],
        lanes: 3,
        maxBatchBytes: 64 * 1024,
        types: { v: 'vector(2)' },
      } as const;
      await check(database.url);
      const report = await load({ from: makeRows() as LoadOptions['from'], ...options, ...more });
      assert.ok(report.shards > 5, `${String(report.shards)} shards`);
      assert.deepEqual(report.counts, { read: rowCount, written: rowCount - 5, skipped: 0, rejected: 5 });
      assert.equal((await verify({ in: database.url, table: 'items' })).isOk, true);
      const connection = await connect(database.url);
      const rejects = await connection.query({
        sql: `SELECT row_number FROM sluice_reject_places WHERE code <> 'REFUSED_UNIQUE' ORDER BY row_number`,
        parameters: [],
      });
      await connection.close();
      assert.deepEqual(
        rejects.map((row) => row['row_number']),
        broken.map((row) => row + 1),
      );
    } finally {
      await database.dispose();
    }
  }

  it('every row is accounted for by its place in the array, whichever lane took it', async () => {
    await withRows({}, async () => undefined);
  });

  it('a load that was stopped is finished by the same call, each row once', async () => {
    await withRows({ label: 'in memory' }, async (url) => {
      const stop = new AbortController();
      const onProgress = ({ counts }: { readonly counts: { readonly read: number } }): void => {
        if (counts.read > 0) stop.abort();
      };
      const common = {
        to: url,
        table: 'items',
        key: ['id'],
        lanes: 3,
        maxBatchBytes: 64 * 1024,
        types: { v: 'vector(2)' },
        label: 'in memory',
      } as const;
      const stopped = await load({ from: makeRows() as LoadOptions['from'], ...common, onProgress, signal: stop.signal });
      assert.ok(stopped.state === 'cancelled' || stopped.state === 'done');
    });
  });
});
