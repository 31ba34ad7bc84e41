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

/** Runs benchmarks on little data; their bars need not be met. One process for all: each compiles the library first. */
function runBenchmarks(names: readonly string[], scale: number): string {
  const args = [path.join(bench, 'main.ts'), ...names, '--runs', '1', '--warmups', '0', '--scale', String(scale), '--results', folder];
  const done = spawnSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, SLUICE_BENCH_DATA: folder } });
  assert.match(done.stdout, /has all of it/, `${done.stdout}\n${done.stderr}`);
  return done.stdout;
}

/** Those that need no client of a rival. */
const names = ['csv', 'jsonl', 'vectors', 'memory', 'ledger', 'index', 'source-gzip', 'source-sync', 'source-atomic', 'source-check'];

test('each benchmark runs all its trials and says which bars are met', () => {
  const printed = runBenchmarks(names, 0.005);
  for (const name of names) {
    const [, part = ''] = printed.split(`\n${name}\n`);
    assert.match(part, /what +sluice +limit +ratio +bar\n.*(?:met|NOT MET)/, name);
  }
});

test('a benchmark on PostgreSQL runs each trial in a database of its own and counts its rows and rejects', { skip: skipReason }, () => {
  assert.match(runBenchmarks(['pg-bad-rows'], 0.001), /1000 refused: rejects too many or too few +0 rejects +≤ 0 +met/);
});

test('a benchmark that does not exist is refused with the list of those that do', () => {
  const done = spawnSync(process.execPath, [path.join(bench, 'main.ts'), 'nothing'], { encoding: 'utf8' });
  assert.equal(done.status, 2);
  assert.match(done.stdout, /no benchmark is called nothing\n.*\n *vectors, csv, jsonl/);
});
