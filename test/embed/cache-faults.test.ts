/** The cache when its file is damaged, foreign, out of reach or locked: the work goes on, and no vector is wrong. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { openCache, type EmbeddingCache } from '../../src/embed/cache.ts';
import { createKeyMaker } from '../../src/embed/cache-key.ts';
import { createMockEmbedder } from '../../src/embed/mock.ts';
import { createEmbedStage } from '../../src/embed/stage.ts';
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

test('a file that is no database is set aside and a new one made', async () => {
  const path = nextPath();
  const first = await openCache({ path });
  await store(first, ['a']);
  await first.close();
  writeFileSync(path, randomBytes(50_000));
  const warnings: string[] = [];
  const cache = await openCache({ path, onWarning: (message) => warnings.push(message) });
  await store(cache, ['b']);
  assert.deepEqual(await findStored(cache, ['a', 'b']), ['b']);
  await cache.close();
  assert.equal(warnings.length, 1);
  assert.ok(readdirSync(join(path, '..')).some((name) => name.includes('.corrupt-')));
});

test('damage anywhere in the file, met while it is used, never fails a load and never gives a wrong vector', async () => {
  const texts = makeTexts(2_000);
  const expected = (await createEmbedStage({ embedder: mock }).embed(texts)).vectors;
  const original = nextPath();
  const first = await openCache({ path: original });
  await store(first, texts);
  await first.close();
  const bytes = readFileSync(original);
  for (let round = 0; round < 12; round++) {
    const path = join(folder, `damaged-${round}.db`);
    const spoilt = Buffer.from(bytes);
    // One page after another, and a file that lost its end.
    randomBytes(8_192).copy(spoilt, 8_192 * (1 + round * 7));
    writeFileSync(path, spoilt);
    if (round % 4 === 3) truncateSync(path, Math.floor(bytes.length / 2));
    const warnings: string[] = [];
    const onWarning = (message: string): void => void warnings.push(message);
    const stage = createEmbedStage({ embedder: mock, cache: await openCache({ path, onWarning }), onWarning });
    for (let pass = 0; pass < 2; pass++) assert.deepEqual((await stage.embed(texts)).vectors, expected);
    await stage.close();
    assert.ok(warnings.length <= 2, warnings.join('\n'));
  }
});

test('a vector whose bytes were damaged is embedded again and mended', async () => {
  const path = nextPath();
  const texts = makeTexts(20);
  const first = await openCache({ path });
  await store(first, texts);
  await first.close();
  const database = new DatabaseSync(path);
  database.exec(
    'UPDATE vectors SET value = zeroblob(length(value)) WHERE id % 4 = 1; UPDATE vectors SET value = randomblob(7) WHERE id % 4 = 2',
  );
  database.close();
  for (const embedded of [10, 0]) {
    const stage = createEmbedStage({ embedder: mock, cache: await openCache({ path }) });
    const { vectors, counts } = await stage.embed(texts);
    await stage.close();
    assert.deepEqual(vectors, await mock.embed(texts));
    assert.equal(counts.embedded, embedded);
  }
});

test('a writer waits, asleep, for a lock that another holds for a while', async () => {
  const path = nextPath();
  const cache = await openCache({ path });
  const other = new DatabaseSync(path);
  other.exec('BEGIN IMMEDIATE');
  setTimeout(() => other.exec('COMMIT'), 80);
  await store(cache, ['a']);
  assert.deepEqual(await findStored(cache, ['a']), ['a']);
  other.close();
  await cache.close();
});

test('a database of something else is left as it is', async () => {
  const path = join(folder, 'own.db');
  const own = new DatabaseSync(path);
  own.exec('CREATE TABLE mine (id)');
  own.close();
  const before = readFileSync(path);
  await assert.rejects(openCache({ path }), (error) => isSluiceError(error, 'SLUICE_CACHE_UNUSABLE'));
  assert.deepEqual(readFileSync(path), before);
});

test('a directory, a path below a file and an impossible size are refused', async () => {
  await assert.rejects(openCache({ path: folder }), (error) => isSluiceError(error, 'SLUICE_CACHE_UNUSABLE'));
  await assert.rejects(openCache({ path: '/dev/null/cache.db' }), (error) => isSluiceError(error, 'SLUICE_CACHE_UNUSABLE'));
  await assert.rejects(openCache({ path: nextPath(), maxBytes: -1 }), (error) => isSluiceError(error, 'SLUICE_USAGE'));
});

test('a cache that stays locked beyond its deadline is done without, and said so once', async () => {
  const path = nextPath();
  const warnings: string[] = [];
  const cache = await openCache({ path, lockTimeoutMs: 30 });
  const stage = createEmbedStage({ embedder: mock, cache, onWarning: (message) => warnings.push(message) });
  const other = new DatabaseSync(path);
  other.exec('BEGIN IMMEDIATE');
  for (const text of ['a', 'b', 'a']) assert.equal((await stage.embed([text])).counts.embedded, 1);
  other.exec('COMMIT');
  other.close();
  await stage.close();
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]!, /locked/);
});
