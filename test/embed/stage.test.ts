/** The stage: each row its own vector, each text paid for once, and nothing that can't be right ever passed on. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { openCache } from '../../src/embed/cache.ts';
import type { Embedder } from '../../src/embed/embedder.ts';
import { createMockEmbedder } from '../../src/embed/mock.ts';
import { openEmbedStage } from '../../src/embed/open.ts';
import { createEmbedStage } from '../../src/embed/stage.ts';
import { isSluiceError, type ErrorCode } from '../../src/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-stage-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let fileCount = 0;
const nextPath = (): string => join(folder, `cache-${fileCount++}.db`);

/** An embedder that behaves as told, around the real mock. */
function createRecorder(change: Partial<Embedder> = {}): Embedder & { readonly asked: string[][] } {
  const mock = createMockEmbedder({ dimensions: 16 });
  const asked: string[][] = [];
  return {
    ...mock,
    placement: 'process',
    asked,
    async embed(texts) {
      asked.push([...texts]);
      return mock.embed(texts);
    },
    ...change,
  };
}

function rejectsWith(code: ErrorCode): (error: unknown) => boolean {
  return (error) => isSluiceError(error, code);
}

test('each row has the vector of its text, whatever is packed, repeated or cached', async () => {
  const seed = randomInt(2 ** 31 - 1);
  console.log(`seed ${seed}`);
  const mock = createMockEmbedder({ dimensions: 16 });
  const cache = await openCache({ path: nextPath() });
  const text = fc.oneof(fc.constantFrom('a', 'b', 'c', ' ', '', null), fc.string({ unit: 'binary', maxLength: 30 }));
  await fc.assert(
    fc.asyncProperty(fc.array(text, { maxLength: 60 }), fc.integer({ min: 1, max: 7 }), async (texts, maxInputs) => {
      const limits = { maxInputs, maxTokens: 40, maxBytes: 90, maxInputBytes: 60, maxInFlight: 3 };
      const stage = createEmbedStage({ embedder: createRecorder({ limits }), cache, emptyText: 'null' });
      const { vectors, nulls, refusals, counts } = await stage.embed(texts);
      const refused = new Set(refusals.map(({ index }) => index));
      for (const [index, value] of texts.entries()) {
        const vector = vectors.subarray(index * 16, (index + 1) * 16);
        const isBlank = value === null || value.trim() === '';
        assert.equal(nulls?.[index] ?? 0, isBlank ? 1 : 0);
        assert.equal(refused.has(index), !isBlank && Buffer.byteLength(value) > 60);
        const expected = isBlank || refused.has(index) ? new Float32Array(16) : await mock.embed([value.toWellFormed()]);
        assert.deepEqual(vector.slice(), expected);
      }
      const embedded = texts.filter((value, index) => value !== null && value.trim() !== '' && !refused.has(index));
      assert.equal(counts.texts, embedded.length);
      assert.equal(counts.distinct, new Set(embedded.map((value) => value?.toWellFormed())).size);
      assert.equal(counts.distinct, counts.cached + counts.embedded);
    }),
    { seed, numRuns: 150 },
  );
  await cache.close();
});

test('identical texts are asked for once', async () => {
  const embedder = createRecorder();
  const { counts } = await createEmbedStage({ embedder }).embed(['a', 'b', 'a', 'a', 'b']);
  assert.deepEqual(embedder.asked, [['a', 'b']]);
  assert.deepEqual(counts, { texts: 5, distinct: 2, cached: 0, embedded: 2, requests: 1 });
});

test('texts that differ in half a surrogate pair alone are one text, to the embedder and to the cache', async () => {
  const embedder = createRecorder();
  const { counts } = await createEmbedStage({ embedder }).embed(['a\ud800', 'a\ud801', 'a\ufffd', 'a😀']);
  assert.deepEqual(embedder.asked, [['a\ufffd', 'a😀']]);
  assert.equal(counts.distinct, 2);
});

test('a text is refused or left without a vector by policy, and too long a text is always refused', async () => {
  const limits = { maxInputs: 10, maxTokens: Infinity, maxBytes: Infinity, maxInputBytes: 8 };
  const texts = ['fine', '', null, ' \n\u3000', 'ééééé', 'éééé'];
  const rejecting = await createEmbedStage({ embedder: createRecorder({ limits }) }).embed(texts);
  assert.deepEqual(
    rejecting.refusals.map(({ index, code }) => [index, code]),
    [
      [1, 'TEXT_EMPTY'],
      [2, 'TEXT_NULL'],
      [3, 'TEXT_EMPTY'],
      [4, 'TEXT_TOO_LONG'],
    ],
  );
  assert.equal(rejecting.nulls, undefined);
  const lenient = await createEmbedStage({ embedder: createRecorder({ limits }), emptyText: 'null' }).embed(texts);
  assert.deepEqual([...(lenient.nulls ?? [])], [0, 1, 1, 1, 0, 0]);
  assert.deepEqual(
    lenient.refusals.map(({ index }) => index),
    [4],
  );
  assert.equal(lenient.counts.texts, 2);
});

test('what was embedded once is never asked for again, and another prefix, model or dimension shares nothing with it', async () => {
  const path = nextPath();
  const stages: [string, Parameters<typeof openEmbedStage>[0]['spec'], 'document' | 'query', number][] = [
    ['first', { with: 'mock', dimensions: 16 }, 'document', 3],
    ['again', { with: 'mock', dimensions: 16 }, 'document', 0],
    ['as a query without a prefix', { with: 'mock', dimensions: 16 }, 'query', 0],
    ['query prefix', { with: 'mock', dimensions: 16, queryPrefix: 'q: ' }, 'query', 3],
    ['document prefix', { with: 'mock', dimensions: 16, documentPrefix: 'd: ' }, 'document', 3],
    ['seed', { with: 'mock', dimensions: 16, seed: 1 }, 'document', 3],
    ['dimension', { with: 'mock', dimensions: 17 }, 'document', 3],
    ['model', { with: 'hash', dimensions: 16 }, 'document', 3],
  ];
  for (const [name, spec, task, embedded] of stages) {
    const stage = await openEmbedStage({ spec, task, cache: { path } });
    const { counts, vectors } = await stage.embed(['x', 'y', 'z', 'x']);
    await stage.close();
    assert.deepEqual(counts, { texts: 4, distinct: 3, cached: 3 - embedded, embedded, requests: embedded === 0 ? 0 : 1 }, name);
    const uncached = await openEmbedStage({ spec, task, cache: false });
    assert.deepEqual(vectors, (await uncached.embed(['x', 'y', 'z', 'x'])).vectors, name);
  }
});

test('the prefix goes before each text that is sent', async () => {
  const embedder = createRecorder();
  await createEmbedStage({ embedder, prefix: 'passage: ' }).embed(['one', 'two']);
  assert.deepEqual(embedder.asked, [['passage: one', 'passage: two']]);
});

const wrongAnswers: [string, (right: Float32Array) => unknown][] = [
  ['too few vectors', (right) => right.subarray(16)],
  ['too many vectors', (right) => Float32Array.of(...right, ...right)],
  ['another dimension', (right) => right.subarray(1)],
  ['NaN', (right) => right.with(20, Number.NaN)],
  ['Infinity', (right) => right.with(0, Infinity)],
  ['a zero vector', (right) => right.map((value, index) => (index < 16 ? 0 : value))],
  ['a vector that is not of unit length', (right) => right.map((value) => value * 2)],
  ['plain arrays', (right) => [...right]],
  ['nothing', () => undefined],
];
for (const [name, spoil] of wrongAnswers) {
  test(`an answer with ${name} is refused, and nothing of it is kept`, async () => {
    const path = nextPath();
    const mock = createMockEmbedder({ dimensions: 16 });
    const embed = async (texts: readonly string[]): Promise<Float32Array> => spoil(await mock.embed(texts)) as Float32Array;
    const spoilt = createEmbedStage({ embedder: createRecorder({ embed }), cache: await openCache({ path }) });
    await assert.rejects(spoilt.embed(['a', 'b', 'c']), rejectsWith('SLUICE_EMBEDDER_ANSWER'));
    await spoilt.close();
    const right = createEmbedStage({ embedder: createRecorder(), cache: await openCache({ path }) });
    assert.equal((await right.embed(['a', 'b', 'c'])).counts.cached, 0);
    await right.close();
  });
}

test('vectors that need not be of unit length may have any, even zero, but must be finite', async () => {
  const identity = { ...createRecorder().identity, isNormalised: false };
  const answer = (value: number): Embedder =>
    createRecorder({ identity, embed: async (texts) => new Float32Array(texts.length * 16).fill(value) });
  assert.equal((await createEmbedStage({ embedder: answer(3) }).embed(['a'])).vectors[0], 3);
  assert.equal((await createEmbedStage({ embedder: answer(0) }).embed(['a'])).vectors[0], 0);
  await assert.rejects(createEmbedStage({ embedder: answer(Number.NaN) }).embed(['a']), rejectsWith('SLUICE_EMBEDDER_ANSWER'));
});

test('when one request fails, what is answered before and beside it is kept and not asked for again', async () => {
  const path = nextPath();
  const limits = { ...createRecorder().limits, maxInputs: 1, maxInFlight: 2 };
  const mock = createMockEmbedder({ dimensions: 16 });
  const embed = async (texts: readonly string[]): Promise<Float32Array> => {
    if (texts[0] === 'bad') throw new Error('no such luck');
    if (texts[0] === 'slow') await new Promise((resolve) => setTimeout(resolve, 30));
    return mock.embed(texts);
  };
  const texts = ['a', 'slow', 'b', 'bad', 'c', 'd'];
  const failing = createEmbedStage({ embedder: createRecorder({ limits, embed }), cache: await openCache({ path }) });
  await assert.rejects(failing.embed(texts), rejectsWith('SLUICE_EMBEDDER_UNAVAILABLE'));
  await failing.close();
  const embedder = createRecorder({ limits });
  const stage = createEmbedStage({ embedder, cache: await openCache({ path }) });
  await stage.embed(texts);
  await stage.close();
  assert.deepEqual(embedder.asked.flat(), ['bad', 'c', 'd']);
});

test('no more requests are in flight than the embedder allows', async () => {
  let running = 0;
  let most = 0;
  const mock = createMockEmbedder({ dimensions: 16 });
  const embed = async (texts: readonly string[]): Promise<Float32Array> => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    return mock.embed(texts);
  };
  const limits = { ...mock.limits, maxInputs: 1, maxInFlight: 4 };
  const texts = Array.from({ length: 40 }, (_, index) => `text ${index}`);
  const { counts } = await createEmbedStage({ embedder: createRecorder({ limits, embed }) }).embed(texts);
  assert.equal(counts.requests, 40);
  assert.equal(most, 4);
});

test('a signal ends the wait for an embedder that does not heed it', async () => {
  const stage = createEmbedStage({ embedder: createRecorder({ embed: () => new Promise(() => undefined) }) });
  const controller = new AbortController();
  const result = stage.embed(['a'], controller.signal);
  controller.abort();
  await assert.rejects(result, rejectsWith('SLUICE_CANCELLED'));
  await assert.rejects(stage.embed(['a'], AbortSignal.abort()), rejectsWith('SLUICE_CANCELLED'));
});

test('a signal stops an embedder that only computes between two requests', async () => {
  const stage = await openEmbedStage({ spec: { with: 'hash', dimensions: 16 }, task: 'document', cache: false });
  const controller = new AbortController();
  setImmediate(() => controller.abort());
  await assert.rejects(
    stage.embed(
      Array.from({ length: 20_000 }, (_, index) => `text ${index}`),
      controller.signal,
    ),
    rejectsWith('SLUICE_CANCELLED'),
  );
});

test('an embedder that never answers is given up at the deadline', async () => {
  const embedder = createRecorder({ embed: () => new Promise(() => undefined) });
  await assert.rejects(createEmbedStage({ embedder, requestTimeoutMs: 20 }).embed(['a']), rejectsWith('SLUICE_EMBEDDER_UNAVAILABLE'));
});

test('a cache that can not be opened is told of once and done without', async () => {
  const path = join(folder, 'a-file');
  writeFileSync(path, '');
  const warnings: string[] = [];
  const onWarning = (message: string): void => void warnings.push(message);
  const stage = await openEmbedStage({ spec: { with: 'mock' }, task: 'document', cache: { path: join(path, 'cache.db') }, onWarning });
  assert.equal((await stage.embed(['a'])).counts.embedded, 1);
  assert.equal((await stage.embed(['a'])).counts.embedded, 1);
  await stage.close();
  assert.equal(warnings.length, 1);
});
