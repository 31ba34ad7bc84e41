/** Threads that are started before a load is planned: whoever takes one gets one that lives, and none outlives the load. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { load } from '../../src/index.ts';
import { endThread, stockThreads } from '../../src/load/lane/threads.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sluice-threads-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('threads are handed out once each, and more are started when there are none left', async () => {
  const threads = stockThreads('sqlite:none.db', 2);
  const taken = [threads.take(), threads.take(), threads.take()];
  assert.equal(new Set(taken.map(({ threadId }) => threadId)).size, 3);
  assert.ok(taken.every(({ threadId }) => threadId !== -1));
  await Promise.all(taken.map(endThread));
  assert.deepEqual(
    taken.map(({ threadId }) => threadId),
    [-1, -1, -1],
  );
});

test('a thread that died meanwhile is not handed out', async () => {
  // Their driver can't be found, so they end by themselves.
  const threads = stockThreads('no-such-scheme:place', 1);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const taken = threads.take();
  assert.notEqual(taken.threadId, -1);
  await new Promise((resolve) => taken.on('exit', resolve));
  await threads.close();
});

test('a load whose plan is refused leaves no thread behind', async () => {
  const file = path.join(folder, 'large.csv');
  writeFileSync(file, `id,name\n${'1,name of some length\n'.repeat(150_000)}`);
  const before = process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length;
  await assert.rejects(load({ from: file, to: `sqlite:${path.join(folder, 'a.db')}`, table: 'people', key: ['nothing'] }), {
    code: 'SLUICE_PLAN_REFUSED',
  });
  assert.equal(process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length, before);
});
