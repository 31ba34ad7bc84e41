/** What a deep verification promises: a table that holds the source passes, and each row that it does not hold is told by place and column, whatever became of it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { appendFile, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { deleteRows } from '../../src/collection/delete.ts';
import { load } from '../../src/load/load.ts';
import type { LoadOptions } from '../../src/load/options.ts';
import { connect } from '../../src/target/registry.ts';
import type { DeepProgress } from '../../src/verify/deep-contract.ts';
import { verify, type TableVerification, type VerifyOptions } from '../../src/verify/verify.ts';
import { createDatabase, skipReason } from '../postgres/server.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-deep-'));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Place {
  readonly to: string;
  dispose(): Promise<void>;
}

let count = 0;
const targets = {
  SQLite: {
    skip: false as string | false,
    open: (): Promise<Place> =>
      Promise.resolve({ to: `sqlite:${join(folder, `${String(++count)}.db`)}`, dispose: () => Promise.resolve() }),
  },
  PostgreSQL: {
    skip: skipReason,
    open: async (): Promise<Place> => {
      const database = await createDatabase();
      return { to: database.url, dispose: () => database.dispose() };
    },
  },
};

const row = (id: number): Record<string, unknown> => ({ id, name: `row ${String(id)}`, n: id % 7 === 0 ? null : id * 1.5 });
const lines = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, at) => `${JSON.stringify(row(from + at))}\n`).join('');

for (const [name, { skip, open }] of Object.entries(targets)) {
  describe(`a deep verification on ${name}`, { skip }, () => {
    /** A file of these lines, loaded into a table of its own. */
    const prepare = async (
      text: string,
      more: Partial<LoadOptions> = {},
    ): Promise<{
      readonly place: Place;
      readonly file: string;
      check: (options?: Partial<VerifyOptions>) => Promise<TableVerification>;
      run: (sql: string) => Promise<void>;
      again: (text: string, more: Partial<LoadOptions>) => Promise<unknown>;
    }> => {
      const place = await open();
      const file = join(folder, `rows-${String(++count)}.jsonl`);
      const options = { to: place.to, table: 'items', key: ['id'], cache: false } as const;
      await writeFile(file, text);
      await load({ from: file, shardBytes: 2_000, ...options, ...more });
      return {
        place,
        file,
        check: (asked = {}) => verify({ in: place.to, deep: true, ...asked }),
        run: async (sql) => {
          const connection = await connect(place.to);
          await connection.transact([{ sql, parameters: [] }]);
          await connection.close();
        },
        again: async (other, asked) => {
          const second = join(folder, `rows-${String(++count)}.jsonl`);
          await writeFile(second, other);
          return load({ from: second, ...options, ...asked });
        },
      };
    };

    test('passes what was loaded, and leaves out what was refused', async () => {
      const { place, check } = await prepare(`${lines(1, 300)}no row\n{"id": 3}\n{"id": null}\n${lines(301, 400)}`);
      const seen: DeepProgress[] = [];
      const { isOk, deep, differences } = await check({ onProgress: (progress) => seen.push(progress) });
      await place.dispose();
      assert.deepEqual(differences, []);
      assert.equal(isOk, true);
      const { compared, equal, leftOut } = deep?.loads[0] ?? {};
      assert.deepEqual({ compared, equal, leftOut }, { compared: 400, equal: 400, leftOut: 3 });
      assert.equal(seen.at(-1)?.rows, 403);
      assert.equal(seen.at(-1)?.bytes, seen.at(-1)?.totalBytes);
    });

    test('tells rows that differ or are gone by line and column, and no value unless it is asked for', async () => {
      const { place, file, check, run } = await prepare(`${lines(1, 200)}broken\n${lines(201, 400)}`);
      await run(`UPDATE items SET name = 'SECRET', n = 7 WHERE id IN (5, 300)`);
      await run('UPDATE items SET n = NULL WHERE id = 200');
      await run('DELETE FROM items WHERE id = 399');
      const { isOk, deep, differences } = await check();
      const shown = await check({ showsValues: true });
      await place.dispose();
      assert.equal(isOk, false);
      const load0 = deep?.loads[0]?.load ?? '';
      assert.deepEqual(differences, [
        `${load0}: ${file}, line 5: differs in name, n`,
        `${load0}: ${file}, line 200: differs in n`,
        `${load0}: ${file}, line 301: differs in name, n`,
        `${load0}: ${file}, line 400: the table has no row with its key`,
      ]);
      assert.deepEqual(deep?.loads[0]?.byColumn, [
        { column: 'n', rows: 3 },
        { column: 'name', rows: 2 },
      ]);
      assert.equal(shown.differences[0], `${load0}: ${file}, line 5: differs in name, n (id = 5, name = row 5, n = 7.5)`);
      assert.ok(shown.checks.every(({ expected, found }) => !`${expected}${found}`.includes('SECRET')));
    });

    test('does not take a row for wrong that a later one of its key replaced', async () => {
      const { place, check, run } = await prepare(`${lines(1, 100)}{"id": 7, "name": "last", "n": 1}\n${lines(101, 150)}`, {
        mode: 'upsert',
        lanes: 1,
      });
      assert.equal((await check()).isOk, true);
      await run(`UPDATE items SET name = 'other' WHERE id = 8`);
      const { isOk, deep, differences } = await check();
      await place.dispose();
      assert.equal(isOk, false);
      assert.equal(differences.length, 1);
      assert.match(differences[0] ?? '', /line 8: differs in name/u);
      assert.equal(deep?.loads[0]?.equal, 150);
    });

    test('knows which loads may have written over rows of earlier ones, and still checks the last one', async () => {
      const { place, check, run, again } = await prepare(lines(1, 50));
      await again(lines(40, 60).replaceAll('row ', 'newer '), { mode: 'upsert' });
      await again(lines(55, 70).replaceAll('row ', 'never '), { mode: 'skip' });
      const { isOk, deep } = await check();
      assert.equal(isOk, true);
      assert.deepEqual(
        deep?.loads.map(({ equal, differing, missing }) => [equal, differing, missing]),
        [
          [39, 11, 0],
          [21, 0, 0],
          [16, 0, 0],
        ],
      );
      assert.deepEqual(deep?.differences, []);
      assert.match(deep?.loads[0]?.excuse ?? '', /later loads wrote over its rows/u);
      assert.match(deep?.loads[2]?.passedOver[0]?.why ?? '', /mode skip/u);
      await run('DELETE FROM items WHERE id = 60');
      const gone = await check();
      await place.dispose();
      assert.deepEqual(
        gone.deep?.loads.map((one) => one.isOk),
        [true, false, false],
      );
    });

    test('takes rows that sluice delete took out for deleted and not for lost, and only as many as those', async () => {
      const { place, check, run } = await prepare(lines(1, 100));
      await deleteRows({ in: place.to, table: 'items', keys: [3, 40] });
      const deleted = await check();
      const again = await check({ from: deleted.deep?.loads[0]?.source });
      await run('DELETE FROM items WHERE id = 50');
      const lost = await check();
      await place.dispose();
      assert.equal(deleted.isOk, true);
      assert.deepEqual(
        deleted.deep?.loads.map(({ missing, notCompared }) => ({ missing, notCompared })),
        [{ missing: 2, notCompared: undefined }],
      );
      assert.match(deleted.deep?.loads[0]?.excuse ?? '', /2 by sluice delete/u);
      assert.equal(again.isOk, true, 'the newest load is meant, not the deletion');
      assert.equal(lost.deep?.loads[0]?.isOk, false);
    });

    test('refuses a source that has changed or is gone, and takes it from where it is now', async () => {
      const { place, file, check } = await prepare(lines(1, 100));
      await appendFile(file, lines(101, 101));
      await assert.rejects(check(), { code: 'SLUICE_SOURCE_CHANGED' });
      await writeFile(file, lines(1, 100).replace('row 1"', 'row x"'));
      await assert.rejects(check(), { code: 'SLUICE_SOURCE_CHANGED' });
      await writeFile(file, lines(1, 100));
      const moved = `${file}.moved.jsonl`;
      await rename(file, moved);
      await assert.rejects(check(), { code: 'SLUICE_SOURCE_MISSING', hint: /--from/u });
      assert.equal((await check({ from: moved })).isOk, true);
      await assert.rejects(verify({ in: place.to, from: moved }), { code: 'SLUICE_USAGE', hint: /--deep/u });
      await place.dispose();
    });

    test('asks for a stream again, and for a key where there is none', async () => {
      const { place, check, run } = await prepare(lines(1, 10), { from: Array.from({ length: 30 }, (_, at) => row(at + 1)) });
      await assert.rejects(check(), { code: 'SLUICE_USAGE', hint: /--from/u });
      const from = Array.from({ length: 30 }, (_, at) => row(at + 1));
      assert.equal((await check({ from })).isOk, true);
      await run(`UPDATE items SET name = 'x' WHERE id = 30`);
      assert.equal((await check({ from })).deep?.loads[0]?.differing, 1);
      await place.dispose();
      const keyless = await prepare(lines(1, 10), { key: [] });
      await assert.rejects(keyless.check(), { code: 'SLUICE_USAGE', message: /has no key/u });
      await keyless.place.dispose();
    });

    test('takes a file in the place of the stream that was loaded', async () => {
      const text = lines(1, 30);
      const { place, file, check, run } = await prepare(text, { from: new Blob([text]).stream(), format: 'jsonl' });
      assert.equal((await check({ from: file })).deep?.loads[0]?.equal, 30);
      await run(`UPDATE items SET name = 'x' WHERE id = 30`);
      const { isOk, deep } = await check({ from: file });
      await place.dispose();
      assert.deepEqual([isOk, deep?.loads[0]?.differing], [false, 1]);
    });

    test('compares the texts that were embedded, says that it does not compare their vectors, and embeds none', async () => {
      const { place, check, run } = await prepare(lines(1, 20), { embed: { column: 'name', with: 'hash', dimensions: 16 } });
      const whole = await check();
      await run(`UPDATE items SET name = 'other' WHERE id = 3`);
      const { deep } = await check();
      await place.dispose();
      assert.equal(whole.isOk, true);
      assert.deepEqual(
        whole.deep?.loads[0]?.passedOver.map(({ column }) => column),
        ['vector'],
      );
      assert.deepEqual(deep?.loads[0]?.byColumn, [{ column: 'name', rows: 1 }]);
    });

    test('of a load that stopped compares what is committed', async () => {
      const { place, check } = await prepare(lines(1, 300), { limit: 120, lanes: 1, maxBatchRows: 50 });
      const { deep } = await check();
      await place.dispose();
      assert.deepEqual([deep?.loads[0]?.equal, deep?.loads[0]?.isOk], [120, true]);
    });

    test('finds the same in threads as without, and ends when it is told to', async () => {
      const { place, check, run } = await prepare(lines(1, 60_000), { shardBytes: 200_000 });
      await run(`UPDATE items SET name = 'x' WHERE id % 5000 = 1`);
      const [one, two] = [await check({ lanes: 1 }), await check({ lanes: 2 })];
      await assert.rejects(check({ lanes: 2, signal: AbortSignal.abort() }), { code: 'SLUICE_CANCELLED' });
      await place.dispose();
      assert.equal(one.deep?.loads[0]?.differing, 12);
      assert.deepEqual(two, one);
    });
  });
}
