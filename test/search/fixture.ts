/** Real database files with vectors for the tests of search, and the naive answers to compare with. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { TestContext } from 'node:test';
import type { Metric, SearchRequest } from '../../src/target/driver.ts';

export const dimensions = 32;

/** Seeded numbers from 0 to 1 (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function drawVector(random: () => number, length: number = dimensions): Float32Array {
  return Float32Array.from({ length }, () => random() * 2 - 1);
}

export function toBytes(vector: Float32Array): Uint8Array {
  return new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
}

/** A folder that goes with the test. */
export function makeFolder(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-search-'));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** An open file that is closed with the test. */
export function openFile(test: TestContext, file: string): DatabaseSync {
  const db = new DatabaseSync(file, { allowExtension: true, timeout: 5_000 });
  test.after(() => {
    if (db.isOpen) db.close();
  });
  return db;
}

export interface Library {
  readonly file: string;
  readonly db: DatabaseSync;
  readonly random: () => number;
  readonly insert: (id: number | null, vector: Float32Array | Uint8Array | null) => void;
}

/** A table `docs` (id, grp, v) with `rows` random vectors, ids from 1. */
export function makeLibrary(test: TestContext, rows: number, seed = 1): Library {
  const file = join(makeFolder(test), 'library.db');
  const db = openFile(test, file);
  db.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE docs (id INTEGER PRIMARY KEY, grp TEXT, v F32_BLOB(${String(dimensions)}))`,
  );
  const random = createRandom(seed);
  const statement = db.prepare('INSERT INTO docs VALUES (?, ?, ?)');
  const insert: Library['insert'] = (id, vector) =>
    void statement.run(id, `g${String((id ?? 0) % 7)}`, vector instanceof Float32Array ? toBytes(vector) : vector);
  db.exec('BEGIN');
  for (let id = 1; id <= rows; id++) insert(id, drawVector(random));
  db.exec('COMMIT');
  return { file, db, random, insert };
}

/** A request with the usual answers to what a test does not care about. */
export function ask(vector: Float32Array, more: Partial<SearchRequest> = {}): SearchRequest {
  return { table: 'docs', column: 'v', vector, k: 10, metric: 'cosine', where: undefined, columns: undefined, way: 'exact', ...more };
}

export interface Scored {
  readonly id: number;
  readonly score: number;
}

function score(metric: Metric, left: Float32Array, right: Float32Array): number {
  let product = 0;
  let leftSquares = 0;
  let rightSquares = 0;
  let differences = 0;
  left.forEach((value, index) => {
    const other = right[index] ?? 0;
    product += value * other;
    leftSquares += value * value;
    rightSquares += other * other;
    differences += (value - other) ** 2;
  });
  if (metric === 'ip') return product;
  return metric === 'l2' ? -Math.sqrt(differences) : product / Math.sqrt(leftSquares * rightSquares);
}

/** The nearest rows by comparing with every one of them, in plain JavaScript. */
export function findNaively(
  db: DatabaseSync,
  query: Float32Array,
  { metric, k, where = '1' }: { readonly metric: Metric; readonly k: number; readonly where?: string },
): readonly Scored[] {
  const rows = db.prepare(`SELECT id, v FROM docs WHERE v IS NOT NULL AND length(v) = ? AND (${where}) ORDER BY id`).all(query.byteLength);
  const scored = rows.map((row) => ({
    id: Number(row['id']),
    score: score(metric, new Float32Array((row['v'] as Uint8Array).slice().buffer), query),
  }));
  return scored
    .filter((row) => Number.isFinite(row.score))
    .sort((left, right) => right.score - left.score || left.id - right.id)
    .slice(0, k);
}
