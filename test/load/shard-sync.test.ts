/** The flow of one shard that mirrors its source: what is compared, embedded, kept and spared, also over a link that breaks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError, SluiceError } from '../../src/errors.ts';
import type { CompareRequest, RowComparison } from '../../src/target/driver.ts';
import { LinkLostError } from '../../src/target/link.ts';
import type { Lane } from '../../src/load/shard/shard.ts';
import { makeRows, openBench, plainStage, type Bench } from './shard-bench.ts';

const stored = [1, 2, 3].map((id) => ({ id, text: `text ${id}` }));

function expectSound({ audit }: Bench): void {
  assert.deepEqual(audit.violations, []);
}

/** The lane's connection with another way to compare. */
function withCompare(
  bench: Bench,
  compare: (ask: () => Promise<RowComparison>, request: CompareRequest) => Promise<RowComparison>,
): Pick<Lane, 'connection'> {
  return {
    connection: async () => {
      const connection = await bench.lane.connection();
      return { ...connection, compareRows: (request) => compare(() => Promise.resolve(bench.target.compare(request.batch)), request) };
    },
  };
}

test('rows that are equal are neither embedded nor written, and count as skipped', async () => {
  const bench = openBench(
    makeRows(5, ({ id }) => (id === 2 ? { text: 'text 9' } : {})),
    { stored, isEmbedded: true },
  );
  const embedded: (string | null)[] = [];
  const stage = {
    ...plainStage,
    embed: (texts: (string | null)[], signal?: AbortSignal) => (embedded.push(...texts), plainStage.embed(texts, signal)),
  };
  assert.equal(await bench.run({ embed: { stage, from: 1, into: 2, emptyText: 'reject' } }), 'done');
  expectSound(bench);
  assert.deepEqual(embedded, ['text 9', 'text 4', 'text 5']);
  const [ledger] = bench.target.ledger;
  assert.deepEqual([ledger?.written, ledger?.skipped, ledger?.rejected], [3, 2, 0]);
  assert.deepEqual([...bench.target.seen], [1, 2, 3, 4, 5]);
});

test('the keys of rows that were refused on the way are spared, where they could be read', async () => {
  const fates = ['unembeddable', 'unreadable', 'unfit', 'fits', 'refused'] as const;
  const rows = makeRows(5, ({ id }) => ({ fate: fates[id - 1] ?? 'fits', text: id === 1 ? '' : `text ${id + 1}` }));
  const bench = openBench(rows, { stored, isEmbedded: true });
  assert.equal(await bench.run(), 'done');
  expectSound(bench);
  assert.deepEqual([...bench.target.seen], [1, 4, 5]);
  assert.deepEqual(
    bench.target.rejects
      .get(0)
      ?.map(({ row }) => row)
      .toSorted(),
    [0, 1, 2, 4],
  );
});

test('a question whose link breaks is asked again over a new connection, whatever is said to have landed', async () => {
  for (const landed of ['no', 'unknown'] as const) {
    const bench = openBench(makeRows(4), { stored });
    let questions = 0;
    let reconnectCount = 0;
    const lossy = withCompare(bench, (ask) => (++questions < 3 ? Promise.reject(new LinkLostError(landed, 'lost')) : ask()));
    const reconnect = (): Promise<void> => Promise.resolve(void (reconnectCount += 1));
    assert.equal(await bench.run({ ...lossy, reconnect }), 'done');
    expectSound(bench);
    assert.equal(questions, 3);
    assert.equal(reconnectCount, 2);
    assert.equal(bench.marks.length, 1, 'nothing was in doubt');
  }
});

test('a target that stays out of reach is given up after minutes, and a stop ends the waiting', async () => {
  const broken = (bench: Bench): Pick<Lane, 'connection'> => withCompare(bench, () => Promise.reject(new LinkLostError('no', 'lost')));
  const bench = openBench(makeRows(2), { stored });
  await assert.rejects(bench.run(broken(bench)), (error) => isSluiceError(error, 'SLUICE_LINK_LOST'));
  const waitedMs = bench.sleepsMs.reduce((sum, ms) => sum + ms, 0);
  assert.ok(waitedMs >= 100_000 && waitedMs <= 300_000, `${waitedMs} ms`);
  const stopped = openBench(makeRows(2), { stored });
  const reconnect = (): Promise<void> => {
    stopped.stopping.abort(new SluiceError('SLUICE_CANCELLED', 'stop'));
    return Promise.reject(new SluiceError('SLUICE_LINK_LOST', 'out of reach'));
  };
  assert.equal(await stopped.run({ ...broken(stopped), reconnect }), 'stopped');
  assert.equal(stopped.marks.length, 0);
});

test('a comparison of another number of rows is a fault that ends the run, and nothing is written', async () => {
  const bench = openBench(makeRows(4), { stored });
  const wrong = withCompare(bench, () => Promise.resolve({ states: new Uint8Array(3), differing: new Map() }));
  await assert.rejects(bench.run(wrong), (error) => isSluiceError(error, 'SLUICE_INTERNAL'));
  assert.equal(bench.marks.length, 0);
});
