/** The gate of a lane: its runs share one connection, and never use it at the same time. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createGate } from '../../src/load/lane/gate.ts';
import { openTurns } from '../../src/load/lane/turn.ts';

describe('the gate of a lane', () => {
  const turns = openTurns({ policy: 'free' });

  it('one run at a time holds it, and those that wait come in in their order', async () => {
    const gate = createGate();
    const order: string[] = [];
    let inside = 0;
    const work = async (name: string, place: number): Promise<void> => {
      const turn = gate.guard(turns.at(place));
      assert.equal(await turn.take(undefined), 'taken');
      assert.equal(++inside, 1);
      order.push(name);
      await new Promise((resume) => setImmediate(resume));
      inside--;
      turn.release('done');
    };
    await Promise.all(['a', 'b', 'c'].map(work));
    assert.deepEqual(order, ['a', 'b', 'c']);
  });

  it('a wait ends when its signal is aborted, and the gate stays with its holder', async () => {
    const gate = createGate();
    const [holder, other, third] = [gate.guard(turns.at(0)), gate.guard(turns.at(1)), gate.guard(turns.at(2))];
    await holder.take(undefined);
    const stop = new AbortController();
    const waiting = other.take(stop.signal);
    stop.abort();
    assert.equal(await waiting, 'closed');
    const next = third.take(undefined);
    holder.release('done');
    assert.equal(await next, 'taken');
  });

  it('releasing without holding it lets nobody in', async () => {
    const gate = createGate();
    const [holder, other, third] = [gate.guard(turns.at(0)), gate.guard(turns.at(1)), gate.guard(turns.at(2))];
    await holder.take(undefined);
    let isIn = false;
    const waiting = other.take(undefined).then(() => {
      isIn = true;
    });
    third.release('left');
    await new Promise((resume) => setImmediate(resume));
    assert.equal(isIn, false);
    holder.release('again');
    await waiting;
  });
});
