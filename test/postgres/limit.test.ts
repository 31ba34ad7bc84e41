/** A limit on a target whose lanes commit in any order: exact in number always, and honest where it can't be of the first rows any more. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { load } from '../../src/load/load.ts';
import type { LoadOptions } from '../../src/load/options.ts';
import { plan } from '../../src/load/plan/plan.ts';
import { resume } from '../../src/load/resume.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDatabase, readSql, serverUrl, skipReason } from './server.ts';

const rowCount = 20_000;

async function watchUntil(isSo: () => Promise<boolean>): Promise<void> {
  for (let look = 0; look < 600 && !(await isSo()); look++) await sleep(50);
}
test(
  'a limit after a session with gaps is exact, and says that the rows are not strictly the first',
  { skip: serverUrl === undefined ? skipReason : false },
  async (context) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'sluice-limit-'));
    const database = await createDatabase();
    context.after(async () => {
      await database.dispose();
      await rm(folder, { recursive: true });
    });
    const file = path.join(folder, 'rows.csv');
    const text = `id\n${Array.from({ length: rowCount }, (_, id) => `${String(id)}\n`).join('')}`;
    await writeFile(file, text);
    const options: LoadOptions = {
      from: file,
      to: database.url,
      table: 't',
      lanes: 2,
      shardBytes: Math.ceil(text.length / 2),
      maxBatchRows: 50,
    };
    let isEntered = false;
    const readCounts = async (): Promise<readonly number[]> => {
      const sql = 'SELECT read_count FROM sluice_shards ORDER BY shard';
      return (await readSql(database.url, sql)).map((shard) => Number(shard['read_count']));
    };
    // Two lanes with a shard each, stopped once both have committed something; at this pace that is long before the end.
    const stop = new AbortController();
    const running = load({ ...options, rate: { rowsPerSecond: 2_000 }, signal: stop.signal, onProgress: () => (isEntered = true) });
    const watching = watchUntil(async () => isEntered && (await readCounts()).filter((read) => read > 0).length === 2).then(() =>
      stop.abort(),
    );
    const [first] = await Promise.all([running, watching]);
    assert.equal(first.state, 'cancelled');
    const before = await readCounts();
    const limit = first.counts.read + 100;
    const said = (decisions: readonly { readonly what: string; readonly choice: string }[]): string =>
      decisions.findLast(({ what }) => what === 'limit')?.choice ?? '';
    assert.match(said((await plan({ ...options, limit })).decisions), /not strictly the first/u);
    assert.match(said((await plan({ ...options, table: 'new', limit })).decisions), /rows in all, the first of the input$/u);
    const report = await resume({ in: database.url, load: first.load, limit });
    assert.deepEqual([report.state, report.counts.read], ['limit', limit]);
    assert.match(said(report.decisions), /not strictly the first/u);
    // What this session read are the first rows that were open.
    assert.deepEqual(await readCounts(), [(before[0] ?? 0) + 100, before[1]]);
  },
);
