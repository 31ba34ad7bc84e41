/** The cache: what was stored is found, by its whole key alone; what was used longest ago goes first; the file keeps to its size. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { cacheStatistics, openCache, type EmbeddingCache } from '../../src/embed/cache.ts';
import { defaultCachePath } from '../../src/embed/cache-file.ts';
import { createKeyMaker } from '../../src/embed/cache-key.ts';
import { createMockEmbedder } from '../../src/embed/mock.ts';
import { isSluiceError } from '../../src/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-cache-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let folderCount = 0;
const nextPath = (): string => join(folder, String(folderCount++), 'embeddings.db');

const identity = createMockEmbedder({ dimensions: 64 }).identity;
const makeKeys = createKeyMaker(identity, '');
const mock = createMockEmbedder({ dimensions: 64 });

async function store(cache: EmbeddingCache, texts: readonly string[]): Promise<void> {
  await cache.store(makeKeys(texts), await mock.embed(texts));
}

/** Which of the texts are found; each that is has its own vector. */
async function findStored(cache: EmbeddingCache, texts: readonly string[]): Promise<string[]> {
  const vectors = new Float32Array(texts.length * 64);
  const found = await cache.lookup({ keys: makeKeys(texts), dimensions: 64, vectors, rows: texts.map((_, index) => index) });
  const expected = await mock.embed(texts);
  for (const index of texts.keys()) {
    if (found[index] === 1)
      assert.deepEqual(vectors.subarray(index * 64, (index + 1) * 64), expected.subarray(index * 64, (index + 1) * 64));
  }
  return texts.filter((_, index) => found[index] === 1);
}

function makeTexts(count: number, name = 'text'): string[] {
  return Array.from({ length: count }, (_, index) => `${name} ${index}`);
}

test('what was stored is found with its own vector, after closing and opening too', async () => {
  const path = nextPath();
  const cache = await openCache({ path });
  const texts = makeTexts(5_000);
  await store(cache, texts.slice(0, 3_000));
  assert.deepEqual(await findStored(cache, texts), texts.slice(0, 3_000));
  await cache.close();
  await cache.close();
  const again = await openCache({ path });
  assert.deepEqual(await findStored(again, texts.toReversed()), texts.slice(0, 3_000).toReversed());
  assert.equal((await again.statistics()).entries, 3_000);
  await again.close();
  await assert.rejects(again.statistics(), (error) => isSluiceError(error, 'SLUICE_CLOSED'));
});

test('vectors are written into the rows that were asked for, and no others', async () => {
  const cache = await openCache({ path: nextPath() });
  await store(cache, ['a', 'b']);
  const vectors = new Float32Array(5 * 64).fill(9);
  await cache.lookup({ keys: makeKeys(['b', 'none', 'a']), dimensions: 64, vectors, rows: [3, 0, 1] });
  const [a, b] = [await mock.embed(['a']), await mock.embed(['b'])];
  const nine = new Float32Array(64).fill(9);
  assert.deepEqual(vectors, Float32Array.of(...nine, ...a, ...nine, ...b, ...nine));
  await cache.close();
});

test('storing what is there already changes nothing but a damaged value', async () => {
  const cache = await openCache({ path: nextPath() });
  await cache.store(makeKeys(['a']), new Float32Array(64));
  await store(cache, ['b', 'a', 'c']);
  await store(cache, ['b', 'a', 'c']);
  assert.deepEqual(await findStored(cache, ['a', 'b', 'c']), ['a', 'b', 'c']);
  assert.equal((await cache.statistics()).entries, 3);
  await cache.close();
});

test('the key depends on everything that decides the vector, and on where one part ends and the next begins', () => {
  const variants = [
    makeKeys(['ab']),
    createKeyMaker(identity, 'a')(['b']),
    createKeyMaker({ ...identity, provider: 'sluicem', model: 'ock' }, '')(['ab']),
    createKeyMaker({ ...identity, provider: 'other' }, '')(['ab']),
    createKeyMaker({ ...identity, model: 'other' }, '')(['ab']),
    createKeyMaker({ ...identity, revision: 'other' }, '')(['ab']),
    createKeyMaker({ ...identity, dimensions: 65 }, '')(['ab']),
    createKeyMaker({ ...identity, isNormalised: false }, '')(['ab']),
    makeKeys(['ab ']),
  ];
  assert.equal(new Set(variants.map((key) => key.toString('hex'))).size, variants.length);
  assert.deepEqual(makeKeys(['ab']), createKeyMaker({ ...identity }, '')(['ab']));
});

test('no text stands in the file', async () => {
  const path = nextPath();
  const cache = await openCache({ path });
  await store(cache, ['a very secret sentence']);
  await cache.close();
  assert.ok(!readFileSync(path).includes('secret'));
});

test('what was used longest ago is dropped first, and a use counts as much as a store', async () => {
  const path = nextPath();
  const maxBytes = 1_000_000;
  const cache = await openCache({ path, maxBytes });
  const hot = makeTexts(100, 'hot');
  await store(cache, hot);
  const cold = makeTexts(100, 'cold');
  await store(cache, cold);
  const rounds = 60;
  for (let round = 0; round < rounds; round++) {
    await store(cache, makeTexts(100, `round ${round}`));
    assert.equal((await findStored(cache, hot)).length, 100, `round ${round}`);
  }
  assert.deepEqual(await findStored(cache, cold), []);
  assert.deepEqual(await findStored(cache, makeTexts(100, 'round 0')), []);
  assert.equal((await findStored(cache, makeTexts(100, `round ${rounds - 1}`))).length, 100);
  await cache.close();
});

test('a use that was only noted is written when the cache is closed', async () => {
  const path = nextPath();
  const first = await openCache({ path });
  await store(first, ['kept']);
  await store(first, makeTexts(3_000));
  await first.close();
  const second = await openCache({ path });
  await findStored(second, ['kept']);
  await second.close();
  const third = await openCache({ path, maxBytes: 1_000_000 });
  await store(third, ['new']);
  assert.deepEqual(await findStored(third, ['kept', 'new', 'text 0']), ['kept', 'new']);
  await third.close();
});

test('the file keeps to its size however much goes through it, with vectors of any length', async () => {
  const path = nextPath();
  const maxBytes = 2_000_000;
  const cache = await openCache({ path, maxBytes });
  for (let round = 0; round < 40; round++) {
    const dimensions = [16, 384, 1024, 3000][round % 4]!;
    const count = Math.ceil(400_000 / dimensions / 4);
    await cache.store(randomBytes(count * 32), new Float32Array(count * dimensions).fill(0.1));
    const { usedBytes, fileBytes } = await cache.statistics();
    assert.ok(usedBytes <= maxBytes, `round ${round}: ${usedBytes} bytes in use`);
    assert.ok(fileBytes <= maxBytes * 1.5, `round ${round}: ${fileBytes} bytes in the file`);
  }
  assert.ok((await cache.statistics()).usedBytes > maxBytes / 3);
  await cache.close();
  assert.ok(statSync(path).size <= maxBytes * 1.5);
});

test('a smaller budget makes the file smaller', async () => {
  const path = nextPath();
  const large = await openCache({ path });
  await store(large, makeTexts(12_000));
  await large.close();
  const sizeBefore = statSync(path).size;
  const small = await openCache({ path, maxBytes: 500_000 });
  for (let round = 0; round < 4; round++) await store(small, [`new ${round}`]);
  await small.close();
  assert.ok(sizeBefore > 3_000_000 && statSync(path).size <= 500_000 * 1.2);
});

test('file and folder are for their owner alone', async () => {
  const path = nextPath();
  const cache = await openCache({ path });
  await store(cache, ['a']);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(`${path}-wal`).mode & 0o777, 0o600);
  assert.equal(statSync(join(path, '..')).mode & 0o777, 0o700);
  await cache.close();
});

test('the default path follows SLUICE_CACHE, then XDG_CACHE_HOME, then the home folder', () => {
  assert.equal(defaultCachePath({ SLUICE_CACHE: '/x/y.db', XDG_CACHE_HOME: '/z' }), '/x/y.db');
  assert.equal(defaultCachePath({ XDG_CACHE_HOME: '/z' }), '/z/sluice/embeddings.db');
  assert.match(defaultCachePath({ XDG_CACHE_HOME: 'relative' }), /\.cache\/sluice\/embeddings\.db$/);
});

test('keys that begin alike are not taken for each other', async () => {
  const cache = await openCache({ path: nextPath() });
  const [one, other] = [Buffer.alloc(32, 1), Buffer.alloc(32, 1)];
  other[31] = 2;
  const vector = await mock.embed(['one']);
  await cache.store(one, vector);
  await cache.store(other, await mock.embed(['other']));
  const vectors = new Float32Array(128);
  const found = await cache.lookup({ keys: Buffer.concat([one, other]), dimensions: 64, vectors, rows: [0, 1] });
  assert.deepEqual([...found], [1, 0]);
  assert.deepEqual(vectors.slice(0, 64), vector);
  await cache.close();
});

test('calls that overlap do not disturb each other', async () => {
  const cache = await openCache({ path: nextPath() });
  const groups = Array.from({ length: 10 }, (_, group) => makeTexts(300, `group ${group}`));
  await Promise.all(groups.map((texts) => store(cache, texts)));
  const found = await Promise.all(groups.map((texts) => findStored(cache, texts)));
  assert.deepEqual(found, groups);
  await cache.close();
});

test('how full the cache is can be asked without making it', async () => {
  const path = nextPath();
  assert.equal((await cacheStatistics({ path })).entries, 0);
  assert.throws(() => statSync(path));
  const cache = await openCache({ path });
  await store(cache, makeTexts(10));
  await cache.close();
  const { entries, usedBytes, fileBytes, maxBytes } = await cacheStatistics({ path });
  assert.equal(entries, 10);
  assert.ok(usedBytes > 0 && fileBytes >= usedBytes);
  assert.equal(maxBytes, 4 * 1024 ** 3);
});
