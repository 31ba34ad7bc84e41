/** A batch over a link that is cut: PostgreSQL behind a proxy. Each statement is run once, and the answers say what the tables then hold. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { batchFile } from '../../src/batch/batch-file.ts';
import type { BatchReport } from '../../src/batch/options.ts';
import { isSluiceError } from '../../src/errors.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { addressOf, startProxy, type Direction } from '../postgres/proxy.ts';
import { createDatabase, readSql as readPostgres, runSql as runPostgres, skipReason } from '../postgres/server.ts';
import { createRandom } from '../simulate/random.ts';
import { tableQueries, tables, writeStatements } from './statement-file.ts';

const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 1_000_000);
if (skipReason === false) console.log(`batch link seed ${seed} (SLUICE_TEST_SEED=${seed} repeats it)`);

function readLines(file: string): readonly Readonly<Record<string, unknown>>[] {
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

test(
  'PostgreSQL: however often the link is cut, each statement is run once and told of in its place',
  { skip: skipReason },
  async (context) => {
    const folder = makeFolder(context);
    const database = await createDatabase();
    context.after(() => database.dispose());
    const [clean, cut] = [await createDatabase(), database];
    context.after(() => clean.dispose());
    const from = path.join(folder, 'a.jsonl');
    writeFileSync(from, writeStatements('jsonl', 160, seed));
    for (const { url } of [clean, cut]) await runPostgres(url, ...tables);
    const expected = await batchFile({ from, to: clean.url, unit: 8, statusFile: path.join(folder, 'clean.jsonl') });
    const proxy = await startProxy(addressOf(cut.url));
    context.after(() => proxy.close());
    const random = createRandom(seed);
    // To begin takes some 10 kB; a cut that always came earlier would let nothing begin.
    const cutWithin = (bytes: number): void =>
      proxy.cutAfterBytes(random.pick<Direction>(['toServer', 'toClient']), random.between(0, bytes));
    const options = {
      from,
      to: proxy.rewrite(cut.url),
      unit: 8,
      statusFile: path.join(folder, 'cut.jsonl'),
      onAnswers: () => cutWithin(9_000),
    };
    let report: BatchReport | undefined;
    for (let tries = 0; report === undefined; tries++) {
      assert.ok(tries < 60, 'the batch does not come to its end');
      try {
        cutWithin(60_000);
        report = await batchFile(options);
      } catch (error) {
        assert.ok(isSluiceError(error) && error.isTransient, String(error));
      }
    }
    assert.deepEqual([report.counts, report.isBalanced], [expected.counts, true]);
    for (const sql of tableQueries) assert.deepEqual(await readPostgres(cut.url, sql), await readPostgres(clean.url, sql));
    assert.equal(readFileSync(path.join(folder, 'cut.jsonl'), 'utf8'), readFileSync(path.join(folder, 'clean.jsonl'), 'utf8'));
  },
);

test(
  'PostgreSQL: a commit whose answer is lost is found in the ledger, in the same session, and is not made again',
  { skip: skipReason },
  async (context) => {
    const folder = makeFolder(context);
    const database = await createDatabase();
    context.after(() => database.dispose());
    await runPostgres(database.url, ...tables);
    const proxy = await startProxy(addressOf(database.url));
    context.after(() => proxy.close());
    const from = path.join(folder, 'a.sql');
    const units = 32;
    writeFileSync(from, `UPDATE tally SET n = n + 1 WHERE id = 1;\n`.repeat(4 * units));
    // All units are alike, so that where the answer to the COMMIT stands in the next one is known from the first ones: in its last bytes.
    const seen: number[] = [];
    const onAnswers = (): void => {
      seen.push(proxy.passed.toClient);
      const unitBytes = (seen[2] ?? 0) - (seen[1] ?? 0);
      if (seen.length >= 3) proxy.cutAfterBytes('toClient', Math.max(1, unitBytes - seen.length + 4));
    };
    const before = proxy.connectionCount;
    const report = await batchFile({ from, to: proxy.rewrite(database.url), unit: 4, statusFile: path.join(folder, 's.jsonl'), onAnswers });
    assert.ok(proxy.connectionCount - before > units / 2, 'the link was cut');
    assert.deepEqual([report.state, report.counts.applied, report.isBalanced], ['done', 4 * units, true]);
    assert.deepEqual(await readPostgres(database.url, 'SELECT n FROM tally WHERE id = 1'), [{ n: 4 * units }]);
    assert.deepEqual(
      readLines(path.join(folder, 's.jsonl')).map(({ index, status: of }) => [index, of]),
      Array.from({ length: 4 * units }, (_, index) => [index, 'applied']),
    );
  },
);
