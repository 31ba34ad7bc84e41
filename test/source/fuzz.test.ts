/** Random bytes through both parsers of text: never an error, every line accounted for, and the same rows however the bytes are cut. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { suite, test } from 'node:test';
import { promisify } from 'node:util';

const inputs = 100_000;

suite('fuzzing', { concurrency: 2 }, () => {
  for (const parser of ['csv', 'jsonl']) {
    // In a process of its own: the test runner follows every promise, which makes a million of them four times as slow.
    test(`${inputs} random inputs read as ${parser} give the rows of the model: whole, in chunks and in shards`, async (context) => {
      const seed = process.env['SLUICE_TEST_SEED'] ?? String(1 + (Date.now() % 2 ** 31));
      context.diagnostic(`SLUICE_TEST_SEED=${seed} replays it`);
      const run = await promisify(execFile)(process.execPath, [
        new URL('./fuzz-run.ts', import.meta.url).pathname,
        parser,
        seed,
        String(inputs),
      ]);
      assert.equal(run.stdout, `${inputs} inputs\n`);
    });
  }
});
