/** The queue under kill -9, at seeded moments: what was acknowledged is in the database exactly once and in order, and nothing is in it twice. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, test } from 'node:test';

import { openQueue } from '../../src/server/queue/open-queue.ts';
import { makePlace, openTestEngine, type Place } from './queue-engine.ts';

const child = fileURLToPath(new URL('./queue-load-process.ts', import.meta.url));
/** Compiled code is kept from process to process: it is two thirds of what each start costs. */
const cache = await mkdtemp(join(tmpdir(), 'sluice-cache-'));
const env = { ...process.env, NODE_COMPILE_CACHE: cache };
after(() => rm(cache, { recursive: true }));
const kills = 52;
/** Two processes at a time, each on a database of its own. */
const places = 4;

interface Acknowledged {
  readonly sequence: bigint;
  readonly keys: readonly string[];
}

/** A small generator of numbers (mulberry32), so that a run can be told by its seed. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Runs a process until it has told of `lines` acknowledgements and `delayMs` more have passed, then kills it. */
function runAndKill(file: string, round: string, moment: { readonly lines: number; readonly delayMs: number }): Promise<Acknowledged[]> {
  return new Promise((resolve, reject) => {
    const running = spawn(process.execPath, [child, file, round], { stdio: ['ignore', 'pipe', 'pipe'], env });
    let text = '';
    let faults = '';
    let isDoomed = false;
    running.stdout.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      if (isDoomed || text.split('\n').length - 1 < moment.lines) return;
      isDoomed = true;
      setTimeout(() => running.kill('SIGKILL'), moment.delayMs);
    });
    running.stderr.setEncoding('utf8').on('data', (piece: string) => (faults += piece));
    const deadline = setTimeout(() => running.kill('SIGKILL'), 20_000);
    running.on('error', reject);
    running.on('close', () => {
      clearTimeout(deadline);
      if (isDoomed) resolve(readLines(text));
      else reject(new Error(`the process ended on its own: ${faults}`));
    });
  });
}

function readLines(text: string): Acknowledged[] {
  return text
    .split('\n')
    .slice(1, -1)
    .map((line) => line.split(' '))
    .map(([sequence = '0', ...keys]) => ({ sequence: BigInt(sequence), keys }));
}

function check(place: Place, acknowledged: readonly Acknowledged[], seed: number): void {
  const rows = place.read('SELECT id, k FROM t ORDER BY id');
  const ids = new Map<string, number>();
  for (const { id, k } of rows) {
    assert.ok(!ids.has(String(k)), `${String(k)} is in the database twice (seed ${seed})`);
    ids.set(String(k), Number(id));
  }
  let last = 0;
  const inOrder = [...acknowledged].sort((left, right) => (left.sequence < right.sequence ? -1 : 1));
  for (const [index, { sequence, keys }] of inOrder.entries()) {
    assert.notEqual(sequence, inOrder[index - 1]?.sequence, `number ${sequence} was given out twice (seed ${seed})`);
    for (const key of keys) {
      const id = ids.get(key) ?? 0;
      assert.ok(id > 0, `${key} was acknowledged and is lost (seed ${seed})`);
      assert.ok(id > last, `${key} was overtaken (seed ${seed})`);
      last = id;
    }
  }
}

test(`what the queue acknowledged survives ${kills} kills exactly once, in the order of its numbers`, async (t) => {
  const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 1_000_000);
  t.diagnostic(`seed ${seed}`);
  const random = createRandom(seed);
  const first = await makePlace();
  // Only a process that ends on its own writes what it has compiled.
  await once(spawn(process.execPath, [child, first.file, 'warm'], { stdio: 'ignore', env }), 'exit');
  await first.remove();
  let total = 0;
  const chains = Array.from({ length: places }, async (_, chain) => {
    const place = await makePlace();
    const acknowledged: Acknowledged[] = [];
    for (let round = 0; round < kills / places; round++) {
      const moment = { lines: 1 + Math.floor(random() * 60), delayMs: Math.floor(random() * 8) };
      acknowledged.push(...(await runAndKill(place.file, `${chain}-${round}`, moment)));
    }
    const engine = await openTestEngine(place.file);
    const queue = await openQueue({ file: place.file }, engine);
    assert.equal(queue.facts().damagedRecords, 0);
    await queue.close();
    await engine.close();
    check(place, acknowledged, seed);
    total += acknowledged.length;
    await place.remove();
  });
  await Promise.all(chains);
  t.diagnostic(`${total} requests were acknowledged`);
  assert.ok(total > kills);
});
