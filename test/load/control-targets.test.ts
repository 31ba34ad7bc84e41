/** Limits, commands and undo on every target that is not SQLite: the statements are the same, the databases are not. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  cancel,
  load,
  pause,
  status,
  undo,
  unpause,
  verify,
  watchStatus,
  type LoadOptions,
  type LoadReport,
  type Progress,
} from '../../src/index.ts';
import { connect } from '../../src/target/registry.ts';
import { copyEmptyDatabase, makeDatabaseFolder } from '../postgres/pglite-folder.ts';
import { createDatabase, skipReason } from '../postgres/server.ts';
import { startServer } from '../rqlite/server.ts';

interface Place {
  readonly url: string;
  dispose(): Promise<void>;
}

const targets: Readonly<Record<string, { readonly skip: string | false | undefined; readonly open: () => Promise<Place> }>> = {
  postgres: {
    skip: skipReason,
    open: async () => {
      const database = await createDatabase();
      return { url: database.url, dispose: () => database.dispose() };
    },
  },
  pglite: {
    skip: false,
    open: async () => {
      const folder = path.join(makeDatabaseFolder(), 'db');
      await copyEmptyDatabase(folder);
      return { url: `pglite:${folder}`, dispose: () => Promise.resolve() };
    },
  },
  rqlite: { skip: false, open: async () => startServer() },
};

async function openPlace(context: TestContext, open: () => Promise<Place>): Promise<Place> {
  const place = await open();
  context.after(() => place.dispose());
  return place;
}

const rows = Array.from({ length: 3_000 }, (_, id) => ({ id, note: `n${String(id % 7)}` }));

async function readIds(url: string): Promise<readonly number[]> {
  const connection = await connect(url, { isReadOnly: true });
  try {
    const found = await connection.query({ sql: 'SELECT id FROM t ORDER BY id', parameters: [] });
    return found.map(({ id }) => Number(id));
  } finally {
    await connection.close();
  }
}

for (const [name, { open, skip }] of Object.entries(targets)) {
  describe(name, { skip }, () => {
    test('a limit is exact with several lanes; undo takes out one load, and the verification knows it', async (context) => {
      const place = await openPlace(context, open);
      const options: LoadOptions = {
        from: rows,
        to: place.url,
        table: 't',
        key: ['id'],
        label: 'a',
        provenance: true,
        maxBatchRows: 100,
        lanes: 3,
      };
      for (const limit of name === 'pglite' ? [251] : [250, 251]) {
        const report = await load({ ...options, limit });
        assert.deepEqual([report.state, report.counts.read], ['limit', limit]);
        assert.deepEqual(
          await readIds(place.url),
          rows.slice(0, limit).map(({ id }) => id),
        );
      }
      assert.equal((await load({ ...options, limit: 1_000 })).counts.written, 1_000);
      await load({ ...options, from: [{ id: 9_000, note: 'b' }], label: 'b' });
      assert.equal((await undo({ in: place.url, load: 'a' })).deleted, 1_000);
      assert.deepEqual(await readIds(place.url), [9_000]);
      assert.equal((await verify({ in: place.url, table: 't' })).isOk, true);
    });

    // A database in this process can be reached from this process alone, and takes seconds to open.
    if (name === 'pglite') return;
    test('a running load is paused, watched, continued and cancelled through its ledger', async (context) => {
      const place = await openPlace(context, open);
      let progress: Progress | undefined;
      const options: LoadOptions = { from: rows, to: place.url, table: 't', key: ['id'], label: 'job', maxBatchRows: 20 };
      const running: Promise<LoadReport> = load({ ...options, rate: { rowsPerSecond: 200 }, onProgress: (one) => (progress = one) });
      running.catch(() => undefined);
      const waitUntil = async (isSo: () => boolean): Promise<void> => {
        while (!isSo()) await Promise.race([sleep(20), running.then(() => assert.ok(isSo()))]);
      };
      await waitUntil(() => (progress?.counts.read ?? 0) > 0);
      await pause({ in: place.url });
      await waitUntil(() => progress?.heldBy === 'pause');
      assert.equal((await status({ in: place.url }))[0]?.state, 'paused');
      for await (const [only] of watchStatus({ in: place.url, intervalMs: 100 })) {
        if (only?.state === 'paused') await unpause({ in: place.url });
        else if (only?.state === 'running') await cancel({ in: place.url });
        else assert.equal(only?.state, 'cancelled');
      }
      const report = await running;
      assert.deepEqual([report.state, report.isBalanced], ['cancelled', true]);
      assert.equal((await readIds(place.url)).length, report.counts.written);
      assert.equal((await load(options)).state, 'done');
    });
  });
}
