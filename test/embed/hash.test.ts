/** The hash and mock embedders: the same bits everywhere, a unit vector for any text, and nearness that follows the words. */
import assert from 'node:assert/strict';
import { createHash, randomInt } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { createHashEmbedder } from '../../src/embed/hash.ts';
import { createMockEmbedder } from '../../src/embed/mock.ts';
import { createEmbedder, embedderNames } from '../../src/embed/registry.ts';
import { isSluiceError } from '../../src/errors.ts';

const goldenTexts = [
  'a heart attack stops the blood',
  'Ärzte und ÄRZTE, Straße und STRASSE',
  '心臓発作とは何か',
  '人工智能正在改变世界',
  'การแพทย์',
  '🙂🙃 !!! …',
  '',
  'x'.repeat(1000),
  'word '.repeat(500),
];
/** SHA-256 over the float32 bytes of the vectors of the golden texts; a change here asks for another revision of the embedder. */
const goldenDigests = {
  hash: '078590f4fc4a97ac639e3314d92f06dd42610fd27f71e11d5b5933a256c6ffa6',
  mock: '9499c71516c7968e8f92daf8a1eb91514090d6890626c23a7bf6d82ce6c92af9',
};

async function digestVectors(name: 'hash' | 'mock'): Promise<string> {
  const digest = createHash('sha256');
  for (const dimensions of [16, 384, 1000, 4096]) {
    const vectors = await (await createEmbedder({ with: name, dimensions, seed: 7 })).embed(goldenTexts);
    digest.update(new Uint8Array(vectors.buffer));
  }
  return digest.digest('hex');
}

function measureSimilarity(vectors: Float32Array, a: number, b: number): number {
  const dimensions = 384;
  let sum = 0;
  for (let i = 0; i < dimensions; i++) sum += vectors[a * dimensions + i]! * vectors[b * dimensions + i]!;
  return sum;
}

function findNorms(vectors: Float32Array, dimensions: number): number[] {
  return Array.from({ length: vectors.length / dimensions }, (_, row) =>
    Math.sqrt(vectors.subarray(row * dimensions, (row + 1) * dimensions).reduce((sum, value) => sum + value * value, 0)),
  );
}

for (const name of ['hash', 'mock'] as const) {
  test(`${name}: the golden texts have the vectors that they have always had`, async () => {
    assert.equal(await digestVectors(name), goldenDigests[name]);
  });

  test(`${name}: a batch gives each text the vector that it gets alone`, async () => {
    const embedder = await createEmbedder({ with: name });
    const together = await embedder.embed([...goldenTexts, ...goldenTexts]);
    for (const [index, text] of [...goldenTexts, ...goldenTexts].entries()) {
      const alone = await (await createEmbedder({ with: name })).embed([text]);
      assert.deepEqual(together.subarray(index * 384, (index + 1) * 384), alone);
    }
  });

  test(`${name}: dimensions from 16 to 4,096 are kept, others refused`, async () => {
    for (const dimensions of [16, 17, 384, 4096]) {
      const embedder = await createEmbedder({ with: name, dimensions });
      assert.equal(embedder.identity.dimensions, dimensions);
      assert.equal((await embedder.embed(['a', 'b'])).length, 2 * dimensions);
    }
    for (const dimensions of [0, 15, 4097, 20.5, Number.NaN]) {
      await assert.rejects(createEmbedder({ with: name, dimensions }), (error) => isSluiceError(error, 'SLUICE_USAGE'));
    }
  });
}

test('an unknown embedder is refused with the names of those that there are', async () => {
  for (const name of ['openai', 'toString', '']) {
    await assert.rejects(
      createEmbedder({ with: name }),
      (error) => isSluiceError(error, 'SLUICE_EMBEDDER_UNKNOWN') && embedderNames.every((known) => error.hint?.includes(known)),
    );
  }
});

test('any text gets a finite unit vector', async () => {
  const seed = randomInt(2 ** 31 - 1);
  console.log(`seed ${seed}`);
  const embedder = createHashEmbedder({ dimensions: 16 });
  const mock = createMockEmbedder({ dimensions: 16 });
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.string({ unit: 'grapheme', maxLength: 8 }),
    fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 10 }).map((units) => String.fromCharCode(...units)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 100, maxLength: 100 }), async (texts) => {
      for (const norm of findNorms(await embedder.embed(texts), 16)) assert.ok(Math.abs(norm - 1) < 1e-6, `norm ${norm}`);
      for (const norm of findNorms(await mock.embed(texts), 16)) assert.ok(Math.abs(norm - 1) < 1e-6, `norm ${norm}`);
    }),
    { seed, numRuns: 1_000 },
  );
});

test('what was embedded before does not change a vector', async () => {
  const seed = randomInt(2 ** 31 - 1);
  console.log(`seed ${seed}`);
  const used = createHashEmbedder({ dimensions: 64 });
  // More words than are remembered, so that slots are taken over.
  await used.embed([Array.from({ length: 100_000 }, (_, i) => `w${i}`).join(' ')]);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ maxLength: 40 }), { maxLength: 20 }), async (texts) => {
      await used.embed(texts);
      assert.deepEqual(await used.embed(texts.toReversed()), await createHashEmbedder({ dimensions: 64 }).embed(texts.toReversed()));
    }),
    { seed, numRuns: 20 },
  );
});

test('case and Unicode form do not matter', async () => {
  const embedder = createHashEmbedder({});
  const pairs = [
    ['The Heart ATTACK', 'the heart attack'],
    ['Straße', 'STRASSE'],
    ['ΣΟΦΟΣ', 'σοφος'],
    ['caf\u00e9', 'cafe\u0301'],
    ['ﬁne', 'FINE'],
    ['Ｆｕｌｌ', 'full'],
    ['ﾊﾟﾝ', 'パン'],
  ];
  for (const [one, other] of pairs) assert.deepEqual(await embedder.embed([one!]), await embedder.embed([other!]), `${one} and ${other}`);
});

test('texts that share words are nearer than texts that share none', async () => {
  const embedder = createHashEmbedder({});
  const vectors = await embedder.embed([
    'heart attack',
    'a sudden severe instance of abnormal heart function; an attack',
    'the process of growing plants in a garden',
    'attacks on hearts',
    'the of and with a',
  ]);
  assert.ok(measureSimilarity(vectors, 0, 1) > measureSimilarity(vectors, 0, 2) + 0.2);
  assert.ok(measureSimilarity(vectors, 0, 3) > measureSimilarity(vectors, 0, 2) + 0.15);
  assert.ok(measureSimilarity(vectors, 0, 1) > measureSimilarity(vectors, 0, 4) + 0.2);
});

test('texts without blanks between words are compared by their characters', async () => {
  const vectors = await createHashEmbedder({}).embed([
    '人工智能',
    '人工智能正在改变我们的世界',
    '今天天气很好我们去公园散步',
    'ภาษาไทย',
    'เรียนภาษาไทยวันนี้',
    'อาหารเช้าอร่อย',
  ]);
  assert.ok(measureSimilarity(vectors, 0, 1) > measureSimilarity(vectors, 0, 2) + 0.2);
  assert.ok(measureSimilarity(vectors, 3, 4) > measureSimilarity(vectors, 3, 5) + 0.2);
});

test('punctuation alone and emoji alone are told apart', async () => {
  const vectors = await createHashEmbedder({}).embed(['!!!', '???', '🙂', '🚀', '👍🏽', '👍']);
  assert.ok(measureSimilarity(vectors, 0, 1) < 0.9);
  assert.ok(measureSimilarity(vectors, 2, 3) < 0.9);
  assert.ok(measureSimilarity(vectors, 4, 5) > 0.99);
});

test('a word said a hundred times does not drown the others', async () => {
  const vectors = await createHashEmbedder({}).embed(['engine', `engine ${'noise '.repeat(100)}`, 'noise']);
  assert.ok(measureSimilarity(vectors, 0, 1) > 0.15);
});

test('texts of many megabytes and words without end are embedded', async () => {
  const vectors = await createHashEmbedder({}).embed(['z'.repeat(4_000_000), '漢字'.repeat(200_000)]);
  for (const norm of findNorms(vectors, 384)) assert.ok(Math.abs(norm - 1) < 1e-6);
});

test('mock: the seed and the text decide, and any other gives another vector', async () => {
  const [one, other] = [createMockEmbedder({ seed: 1 }), createMockEmbedder({ seed: 2 ** 40 + 1 })];
  const vectors = await one.embed(['a', 'b', 'a']);
  assert.deepEqual(vectors.subarray(0, 384), vectors.subarray(768));
  assert.ok(Math.abs(measureSimilarity(vectors, 0, 1)) < 0.3);
  assert.notDeepEqual(await one.embed(['a']), await other.embed(['a']));
  assert.notEqual(one.identity.revision, other.identity.revision);
  assert.throws(
    () => createMockEmbedder({ seed: 0.5 }),
    (error) => isSluiceError(error, 'SLUICE_USAGE'),
  );
});
