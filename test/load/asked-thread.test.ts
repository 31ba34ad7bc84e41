/** Threads that are asked, and work that is shared out: every question has an answer or an error, and the first failure ends the work of all. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { openAskedThread, type AskedThread } from '../../src/load/lane/asked-thread.ts';
import { shareWork } from '../../src/load/lane/shared-work.ts';

type Question = number | 'throw' | 'wait' | 'end';

function openThread(context: TestContext): AskedThread<Question, number> {
  const file = new URL('./answering-thread.ts', import.meta.url);
  const thread = openAskedThread<Question, number>({ file, workerData: undefined, verb: 'test' });
  context.after(thread.close);
  return thread;
}

test('a thread answers, tells what it threw and goes on, and hears a stop', async (context) => {
  const thread = openThread(context);
  assert.equal(await thread.ask(4), 8);
  await assert.rejects(thread.ask('throw'), { code: 'SLUICE_SOURCE_READ', message: 'as asked' });
  assert.equal(await thread.ask(5), 10);
  const waiting = thread.ask('wait');
  thread.stop();
  assert.equal(await waiting, 0);
});

test('a thread that dies answers the question in hand, and every later one, with its end', async (context) => {
  const thread = openThread(context);
  await assert.rejects(thread.ask('end'), { code: 'SLUICE_LANE_DIED', message: /sluice test ended with 3/ });
  await assert.rejects(thread.ask(1), { code: 'SLUICE_LANE_DIED' });
});

test('work is shared out in order, each item once, and undefined is an item like others', async () => {
  const taken: unknown[] = [];
  await shareWork(['a', 'b', 'c'], { items: [1, undefined, 3, 4, 5], signal: new AbortController().signal }, async (_, item) => {
    taken.push(item);
    await Promise.resolve();
  });
  assert.deepEqual(taken, [1, undefined, 3, 4, 5]);
});

test('the first failure ends the work, and a stop ends it without one; what is in hand is waited for', async () => {
  let done = 0;
  const { promise: hasSecond, resolve: begin } = Promise.withResolvers<void>();
  const work = async (_lane: string, item: number): Promise<void> => {
    if (item === 1) {
      await hasSecond;
      throw new Error('one');
    }
    begin();
    await new Promise((resolve) => setTimeout(resolve, 20));
    done++;
  };
  const { signal } = new AbortController();
  await assert.rejects(shareWork(['a', 'b'], { items: [1, 2, 3, 4], signal }, work), /one/u);
  assert.equal(done, 1);
  await shareWork(['a', 'b'], { items: [2, 3, 4], signal: AbortSignal.abort() }, work);
  assert.equal(done, 1);
});
