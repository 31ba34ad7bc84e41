/** The flow of one shard: where batches are cut, what a stop and an abort do, and what a run leaves behind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError, SluiceError } from '../../src/errors.ts';
import type { Lane } from '../../src/load/shard/shard.ts';
import { makeRecords } from '../simulate/input.ts';
import { makeRows, openBench, plainStage, readRows, withCommit, type Bench } from './shard-bench.ts';

/** Every test ends with an audit that saw nothing wrong. */
function expectSound({ audit }: Bench): void {
  assert.deepEqual(audit.violations, []);
}

test('batches are cut by rows, follow one another, and the last says so', async () => {
  for (const isSeekable of [true, false]) {
    for (const count of [0, 1, 3, 4, 8, 9]) {
      const bench = openBench(makeRows(count), { maxBatchRows: 4, isSeekable });
      assert.equal(await bench.run(), 'done');
      expectSound(bench);
      const reads = bench.marks.map((mark) => mark.readCount).filter((read) => read > 0);
      assert.deepEqual(reads, [...Array<number>(Math.floor(count / 4)).fill(4), ...(count % 4 === 0 ? [] : [count % 4])]);
      assert.deepEqual(
        bench.marks.map((mark) => mark.isLast),
        bench.marks.map((_, index) => index === bench.marks.length - 1),
      );
      assert.equal(bench.target.table.size, count);
    }
  }
});

test('a file’s shard that ends with a full batch needs no empty one', async () => {
  const bench = openBench(makeRows(8), { maxBatchRows: 4 });
  assert.equal(await bench.run(), 'done');
  assert.equal(bench.marks.length, 2);
});

test('a stream’s full batch is committed before its next row is waited for', async () => {
  const bench = openBench(makeRows(2), { maxBatchRows: 2, isSeekable: false });
  const source = {
    read: async function* () {
      yield makeRecords(makeRows(2), 0);
      await Promise.resolve();
      assert.equal(bench.target.table.size, 2);
    },
  };
  assert.equal(await bench.run({ source }), 'done');
  expectSound(bench);
});

test('batches are cut by bytes, refused rows and the vectors to come among them', async () => {
  const limits = { maxBatchBytes: 400, maxBatchRows: 1000, maxRejectBytes: 2 ** 20 };
  const plain = openBench(makeRows(40));
  await plain.run({ limits });
  const embedded = openBench(makeRows(40), { isEmbedded: true });
  await embedded.run({ limits });
  const refused = openBench(makeRows(40, () => ({ fate: 'unreadable' })));
  await refused.run({ limits });
  for (const bench of [plain, embedded, refused]) expectSound(bench);
  assert.ok(plain.marks.length > 2);
  assert.ok(embedded.marks.length > plain.marks.length);
  assert.deepEqual(new Set(refused.marks.map((mark) => mark.readCount)), new Set([3, 1]));
  assert.equal(refused.target.ledger[0]?.rejected, 40);
});

test('a batch of refused rows alone is cut by the limit of their bytes', async () => {
  const bench = openBench(makeRows(6, () => ({ fate: 'unfit' })));
  assert.equal(await bench.run({ limits: { ...bench.lane.limits, maxRejectBytes: 1 } }), 'done');
  expectSound(bench);
  assert.deepEqual(
    bench.marks.map((mark) => mark.readCount),
    [1, 1, 1, 1, 1, 1],
  );
});

test('a row that can not be embedded is refused with its place, and its neighbours get their own vectors', async () => {
  const rows = makeRows(5, ({ id }) => (id === 2 || id === 4 ? { text: '', fate: 'unembeddable' } : {}));
  const bench = openBench(rows, { isEmbedded: true, stretchRows: 2 });
  assert.equal(await bench.run(), 'done');
  expectSound(bench);
  const place = (row: number): object => ({
    code: 'TEXT_EMPTY',
    message: 'There is no text.',
    column: 'text',
    row,
    offset: row * 10,
    line: row,
    raw: `row ${row}`,
  });
  assert.deepEqual(bench.target.rejects.get(0), [place(1), place(3)]);
  assert.deepEqual(bench.marks[0]?.embedded, { texts: 3, distinct: 3, cached: 1, embedded: 2 });
});

test('refused rows of a batch stand in the order of the source', async () => {
  const fates = ['unfit', 'unreadable', 'unembeddable', 'unreadable', 'unfit'] as const;
  const bench = openBench(
    makeRows(5, ({ id }) => ({ fate: fates[id - 1] ?? 'fits', text: '' })),
    { isEmbedded: true, stretchRows: 5 },
  );
  assert.equal(await bench.run(), 'done');
  assert.deepEqual(
    bench.target.rejects.get(0)?.map((reject) => reject.row),
    [0, 1, 2, 3, 4],
  );
});

test('a stop commits the rows that were read, and the next claim goes on behind them', async () => {
  const bench = openBench(makeRows(9), { maxBatchRows: 100 });
  let stretchCount = 0;
  const breathe = (): Promise<void> => {
    if (++stretchCount === 4) bench.stopping.abort(new SluiceError('SLUICE_REJECT_LIMIT', 'enough'));
    return Promise.resolve();
  };
  assert.equal(await bench.run({ breathe }), 'stopped');
  expectSound(bench);
  assert.equal(bench.target.claim(0, 1)?.position.row, 3);
  assert.deepEqual(bench.turnEnds, ['again', 'left']);
});

test('a stop ends a read that waits, and commits what came before', async () => {
  const bench = openBench(makeRows(9), { isSeekable: false });
  const source: Lane['source'] = {
    read: async function* (_shard, _from, { signal }) {
      yield makeRecords(makeRows(2), 0);
      setImmediate(() => bench.stopping.abort());
      await new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)));
    },
  };
  assert.equal(await bench.run({ source }), 'stopped');
  expectSound(bench);
  assert.equal(bench.target.table.size, 2);
  assert.equal(bench.target.ledger[0]?.isDone, false);
});

test('a source that fails while the load stops is not taken for stopped', async () => {
  const bench = openBench(makeRows(9));
  const source: Lane['source'] = {
    read: async function* () {
      yield makeRecords(makeRows(1), 0);
      bench.stopping.abort();
      throw await Promise.resolve(new SluiceError('SLUICE_SOURCE_READ', 'broken'));
    },
  };
  await assert.rejects(bench.run({ source }), (error) => isSluiceError(error, 'SLUICE_SOURCE_READ'));
});

test('an abort drops the batch in hand, whether it is embedded, queued or sent', async () => {
  for (const at of ['embed', 'take', 'commit']) {
    const bench = openBench(makeRows(3), { isEmbedded: true });
    const waitOnce = (name: string): Promise<void> => {
      if (name !== at) return Promise.resolve();
      bench.stopping.abort();
      bench.aborting.abort();
      return Promise.reject(new SluiceError('SLUICE_CANCELLED', 'aborted'));
    };
    const stage = { ...plainStage, embed: (texts: readonly (string | null)[]) => waitOnce('embed').then(() => plainStage.embed(texts)) };
    const embed = { stage, from: 1, into: 2, emptyText: 'reject' as const };
    const take: Lane['turn']['take'] = () =>
      waitOnce('take').then(
        () => 'taken' as const,
        () => 'closed' as const,
      );
    const commit = withCommit(bench, (send) => (unit) => waitOnce('commit').then(() => send(unit)));
    assert.equal(await bench.run({ embed, turn: { ...bench.lane.turn, take }, ...commit }), 'stopped', at);
    assert.equal(bench.target.table.size, 0);
    assert.equal(bench.lane.builder.rowCount, 0);
  }
});

test('a lane whose shard was claimed by another writes nothing and says fenced', async () => {
  const bench = openBench(makeRows(2));
  bench.target.claim(0, 2);
  assert.equal(await bench.run(), 'fenced');
  expectSound(bench);
  assert.equal(bench.target.table.size, 0);
  assert.deepEqual(bench.turnEnds, ['done']);
});

test('a run that fails leaves an empty builder, a closed reader and a free turn', async () => {
  const bench = openBench(makeRows(6));
  let isClosed = false;
  const source: Lane['source'] = {
    read: async function* () {
      try {
        yield* readRows(makeRows(6), 0, 1);
      } finally {
        isClosed = true;
      }
    },
  };
  let stretchCount = 0;
  const breathe = (): Promise<void> =>
    ++stretchCount === 4 ? Promise.reject(new SluiceError('SLUICE_TARGET_FULL', 'full')) : Promise.resolve();
  await assert.rejects(bench.run({ source, breathe }), (error) => isSluiceError(error, 'SLUICE_TARGET_FULL'));
  assert.equal(bench.lane.builder.rowCount, 0);
  assert.equal(isClosed, true);
  assert.deepEqual(bench.turnEnds, ['again']);
  assert.equal(await bench.run(), 'done', 'the same lane can run the shard again');
  assert.equal(bench.target.table.size, 6);
});

test('a source that loses a row, or tells of one too many, is found out before anything is written', async () => {
  for (const skew of [-1, 1]) {
    const bench = openBench(makeRows(3));
    const source: Lane['source'] = {
      read: async function* () {
        const records = await Promise.resolve(makeRecords(makeRows(3), 0));
        yield { ...records, end: { ...records.end, row: records.end.row + skew } };
      },
    };
    await assert.rejects(bench.run({ source }), (error) => isSluiceError(error, 'SLUICE_INTERNAL'));
    assert.equal(bench.target.table.size, 0);
  }
});

test('each stage tells its time', async () => {
  const bench = openBench(makeRows(3), { isEmbedded: true });
  await bench.run();
  const stages = new Set(bench.told.flatMap((event) => (event.kind === 'stage' ? [event.stage] : [])));
  assert.deepEqual([...stages].toSorted(), ['check', 'commit', 'embed', 'read', 'wait']);
});
