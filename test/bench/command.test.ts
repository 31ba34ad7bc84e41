/** `sluice bench`: the table alone on stdout, lines on stderr meanwhile, one JSON object for programs. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runSluice } from '../cli/process.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const where = [
  'bench',
  '--to',
  `sqlite:${join(folder, 'library.db')}`,
  '--rows',
  '1100',
  '--dims',
  '4',
  '--only',
  'commits,journal TRUNCATE',
];

test('the table stands on stdout, samples are marked, and each way is told on stderr as it ends', async () => {
  const { exitCode, stdout, stderr } = await runSluice(where);
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /^1,100 rows of a bigint key, a text of \d+ bytes and a vector of 4, into sqlite:/);
  assert.match(stdout, /\nway +rows\/s +MB\/s +ratio +client +time +how\n/);
  assert.match(stdout, /\none commit per row +~[\d,.]+.* 1\.0 × /);
  assert.match(stdout, /\njournal TRUNCATE +[\d,]+ /);
  assert.match(stderr, /^1\/4 one commit per row: [\d,.]+ rows\/s \([\d,]+ rows in .*\)\n2\/4 /);
});

test('--json prints one object, and nothing else', async () => {
  const { exitCode, stdout } = await runSluice([...where, '--json']);
  assert.equal(exitCode, 0);
  const report = JSON.parse(stdout) as { schema: number; rows: number; results: readonly { name: string; isSample: boolean }[] };
  assert.deepEqual([report.schema, report.rows, report.results.length, report.results[0]?.isSample], [1, 1_100, 4, true]);
});

test('options that can not be used are refused with what they take', async () => {
  const { exitCode, stderr } = await runSluice(['bench', '--rows', 'many', '--dims', '99999']);
  assert.equal(exitCode, 2);
  for (const told of ['--to is missing', '--rows "many" is not a whole number', '--dims "99999" is not'])
    assert.ok(stderr.includes(told), stderr);
});
