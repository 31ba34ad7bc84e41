/** The benchmarks keep working: every trial runs on little data and counts its rows. How fast it is, no test says. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { skipReason } from '../postgres/server.ts';

const bench = fileURLToPath(new URL('../../bench', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'sluice-bench-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs trials through the benchmark that has them, at a scale; its bars need not be met. */
function runBenchmark(name: string, scale: number): string {
  const args = [path.join(bench, 'main.ts'), name, '--runs', '1', '--warmups', '0', '--scale', String(scale), '--results', folder];
  const done = spawnSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, SLUICE_BENCH_DATA: folder } });
  assert.match(done.stdout, /has all of it/, `${done.stdout}\n${done.stderr}`);
  return done.stdout;
}

for (const [name, scale] of [
  ['csv', 0.001],
  ['jsonl', 0.001],
  ['vectors', 0.005],
  ['memory', 0.005],
  ['ledger', 0.001],
  ['index', 0.01],
] as const) {
  test(`the benchmark ${name} runs all its trials and says which bars are met`, () => {
    assert.match(runBenchmark(name, scale), /what +sluice +limit +ratio +bar\n.*(?:met|NOT MET)/);
  });
}

test('a benchmark on PostgreSQL runs each trial in a database of its own and counts its rows and rejects', { skip: skipReason }, () => {
  assert.match(runBenchmark('pg-bad-rows', 0.001), /1000 refused: rejects too many or too few +0 rejects +≤ 0 +met/);
});

test('a benchmark that does not exist is refused with the list of those that do', () => {
  const done = spawnSync(process.execPath, [path.join(bench, 'main.ts'), 'nothing'], { encoding: 'utf8' });
  assert.equal(done.status, 2);
  assert.match(done.stdout, /no benchmark is called nothing\n.*\n *vectors, csv, jsonl/);
});
