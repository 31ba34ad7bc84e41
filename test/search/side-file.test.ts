/** A side file that is not exactly what was written for this table is never used, and never crashes the process. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { searchVectors } from '../../src/target/sqlite/search.ts';
import { locateSideFile } from '../../src/target/sqlite/vector-file.ts';
import { buildVectorIndex } from '../../src/target/sqlite/vector-index.ts';
import { ask, createRandom, drawVector, findNaively, makeLibrary, openFile, type Library } from './fixture.ts';

const order = { table: 'docs', column: 'v', metric: 'cosine', how: 'update', threads: 1 } as const;

function wayOf({ db, file }: Pick<Library, 'db' | 'file'>): string {
  const query = drawVector(createRandom(4));
  let choice = 'index';
  try {
    searchVectors(db, file, ask(query, { way: 'index' }));
  } catch (error) {
    choice = error instanceof Error ? error.message : String(error);
  }
  const found = searchVectors(db, file, ask(query, { way: 'auto' })).hits.map((hit) => hit.key['id']);
  assert.deepEqual(
    found,
    findNaively(db, query, { metric: 'cosine', k: 10 }).map(({ id }) => id),
  );
  return choice;
}

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

test(`a file that is missing, cut at any place, flipped in any bit or another's is not used, and an update makes it anew (seed ${String(seed)})`, async (t) => {
  const library = makeLibrary(t, 400);
  const random = createRandom(seed);
  await buildVectorIndex(library.file, order);
  const path = locateSideFile(library.file, 'docs', 'v');
  const whole = readFileSync(path);
  assert.equal(wayOf(library), 'index');
  for (let i = 0; i < 40; i++) {
    const place = Math.floor(random() * whole.length);
    const damaged = i % 2 === 0 ? whole.subarray(0, place) : Buffer.from(whole);
    if (i % 2 === 1) damaged[place] = (damaged[place] ?? 0) ^ (1 << Math.floor(random() * 8));
    writeFileSync(path, damaged);
    assert.match(wayOf(library), /damaged|cut short|could not be opened/u, `place ${String(place)}`);
  }
  truncateSync(path, 0);
  assert.match(wayOf(library), /cut short/u);
  writeFileSync(path, Buffer.concat([whole, Buffer.from('more')]));
  assert.match(wayOf(library), /cut short/u);
  rmSync(path);
  assert.match(wayOf(library), /missing/u);
  const other = makeLibrary(t, 400, 5);
  await buildVectorIndex(other.file, order);
  copyFileSync(locateSideFile(other.file, 'docs', 'v'), path);
  assert.match(wayOf(library), /another state/u);
  assert.equal((await buildVectorIndex(library.file, order)).did, 'built');
  assert.equal(wayOf(library), 'index');
});

test('the file of an earlier build, put back, is not used', async (t) => {
  const library = makeLibrary(t, 200);
  const path = locateSideFile(library.file, 'docs', 'v');
  await buildVectorIndex(library.file, order);
  copyFileSync(path, `${library.file}.old`);
  library.db.exec('DELETE FROM docs WHERE id < 10');
  assert.equal((await buildVectorIndex(library.file, order)).did, 'extended');
  copyFileSync(`${library.file}.old`, path);
  assert.match(wayOf(library), /another state/u);
});

test('a database and its file can be copied together', async (t) => {
  const library = makeLibrary(t, 200);
  await buildVectorIndex(library.file, order);
  const copy = `${library.file}.copy`;
  library.db.exec(`VACUUM INTO '${copy}'`);
  copyFileSync(locateSideFile(library.file, 'docs', 'v'), locateSideFile(copy, 'docs', 'v'));
  assert.equal(wayOf({ file: copy, db: openFile(t, copy) }), 'index');
});

test('names of two columns never share a file', () => {
  const names = ['a', 'a.b', 'b', 'A', 'ä', '%', '%25', '../x', '', ' ', 'x'.repeat(300), `${'x'.repeat(299)}y`];
  const paths = names.flatMap((table) => names.map((column) => locateSideFile('/d/f.db', table, column)));
  assert.equal(new Set(paths).size, paths.length);
  assert.ok(paths.every((path) => dirname(path) === '/d' && path.length < 200));
});

const buildUrl = new URL('../../src/target/sqlite/vector-index.ts', import.meta.url).href;
const killedScript = `import { buildVectorIndex } from '${buildUrl}';
process.stdout.write('x');
await buildVectorIndex(process.argv[1], { table: 'docs', column: 'v', metric: 'cosine', how: process.argv[2], threads: 2, onProgress: () => process.stdout.write('.') });
process.stdout.write('!');`;

/** Builds in another process and kills it after so many signs of life and a while. */
async function buildAndKill(
  file: string,
  how: string,
  { signs, delayMs }: { readonly signs: number; readonly delayMs: number },
): Promise<boolean> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', killedScript, file, how], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString();
    if (output.length >= signs) setTimeout(() => child.kill('SIGKILL'), delayMs);
  });
  await once(child, 'close');
  return output.endsWith('!');
}

test(`a build killed at any moment leaves answers right, and the next one leaves nothing behind (seed ${String(seed)})`, async (t) => {
  const library = makeLibrary(t, 2_500);
  const random = createRandom(seed);
  for (let i = 0; i < 8; i++) {
    const moment = { signs: 1 + Math.floor(random() * 4), delayMs: Math.floor(random() * 60) };
    await buildAndKill(library.file, i % 2 === 0 ? 'rebuild' : 'update', moment);
    library.db.exec(
      `UPDATE docs SET v = (SELECT v FROM docs WHERE id = ${String(i + 1)}) WHERE id = ${String(100 + i)}; DELETE FROM docs WHERE id = ${String(200 + i)}`,
    );
    library.insert(null, drawVector(random));
    const query = drawVector(random);
    const found = searchVectors(library.db, library.file, ask(query, { way: 'auto' })).hits.map((hit) => hit.key['id']);
    assert.deepEqual(
      found,
      findNaively(library.db, query, { metric: 'cosine', k: 10 }).map(({ id }) => id),
    );
  }
  await buildVectorIndex(library.file, order);
  assert.equal(wayOf(library), 'index');
  const left = readdirSync(dirname(library.file)).filter((name) => name.endsWith('.tmp'));
  assert.deepEqual(left, []);
});

test('another process builds, and this one uses its file in the next search', async (t) => {
  const library = makeLibrary(t, 500);
  assert.match(wayOf(library), /no index/u);
  assert.equal(await buildAndKill(library.file, 'update', { signs: 100, delayMs: 0 }), true);
  assert.ok(existsSync(locateSideFile(library.file, 'docs', 'v')));
  assert.equal(wayOf(library), 'index');
});
