/** The cache between processes: all may write at once, and one that is killed takes nothing with it that was durable. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text as readText } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openCache } from '../../src/embed/cache.ts';
import { createMockEmbedder } from '../../src/embed/mock.ts';
import { createEmbedStage } from '../../src/embed/stage.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-cache-processes-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const writer = fileURLToPath(new URL('cache-writer.ts', import.meta.url));

function startWriter(path: string, name: string, groups: number): ChildProcessByStdio<null, Readable, Readable> {
  return spawn(process.execPath, [writer, path, name, String(groups)], { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function runWriter(path: string, name: string, groups: number): Promise<number> {
  const child = startWriter(path, name, groups);
  const [output, errors] = await Promise.all([readText(child.stdout), readText(child.stderr)]);
  assert.equal(errors, '');
  return Number(/embedded (\d+)/.exec(output)?.[1]);
}

/** How many texts of a group are not in the cache; those that are have the right vectors. */
async function countMissing(path: string, name: string, group: number): Promise<number> {
  const texts = Array.from({ length: 200 }, (_, index) => `${name} ${group} ${index}`);
  const embedder = createMockEmbedder({ dimensions: 64 });
  const stage = createEmbedStage({ embedder, cache: await openCache({ path }) });
  const { vectors, counts } = await stage.embed(texts);
  await stage.close();
  assert.deepEqual(vectors, await embedder.embed(texts));
  return counts.embedded;
}

test('processes that write the same file at once lose nothing of each other', async () => {
  const path = join(folder, 'shared.db');
  // All of them make the file at the same moment.
  const embedded = await Promise.all(['one', 'two', 'three'].map((name) => runWriter(path, name, 20)));
  assert.deepEqual(embedded, [4_000, 4_000, 4_000]);
  assert.deepEqual(await Promise.all(['one', 'two', 'three'].map((name) => runWriter(path, name, 20))), [0, 0, 0]);
});

test('a process that is killed while it writes takes nothing with it that was durable', async () => {
  const path = join(folder, 'killed.db');
  const seed = randomInt(2 ** 31 - 1);
  console.log(`seed ${seed}`);
  for (let round = 0; round < 6; round++) {
    const child = startWriter(path, `round ${round}`, 100_000);
    let output = '';
    const wanted = 1 + ((seed >> (round * 4)) & 15);
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
      if (output.split('\n').length > wanted) child.kill('SIGKILL');
    });
    await once(child, 'close');
    const durable = output.split('\n').slice(0, -1).map(Number);
    assert.ok(durable.length >= wanted, 'the writer came so far');
    for (const group of durable) assert.equal(await countMissing(path, `round ${round}`, group), 0);
  }
});
