/** The inputs of the benchmarks: made once from a seed, kept outside the repository, byte for byte the same on every machine. */
import { closeSync, existsSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';

/** `SLUICE_BENCH_DATA`, or a folder of the system's temporary files. */
export const dataFolder: string = process.env['SLUICE_BENCH_DATA'] ?? path.join(tmpdir(), 'sluice-bench');

const seed = 20_261_121;

/** Marsaglia's xorshift32: even enough for test data, and the same in every engine. */
function createRandom(state: number): () => number {
  let bits = state | 0 || 1;
  return () => {
    bits ^= bits << 13;
    bits ^= bits >>> 17;
    bits ^= bits << 5;
    return (bits >>> 0) / 4_294_967_296;
  };
}

const syllables = [
  'ba',
  'cor',
  'dan',
  'el',
  'fi',
  'gor',
  'ha',
  'is',
  'jo',
  'kal',
  'lu',
  'mar',
  'no',
  'or',
  'pe',
  'ra',
  'sil',
  'to',
  'ul',
  've',
];

function makeName(random: () => number): string {
  const pick = (): string => syllables[Math.floor(random() * syllables.length)] ?? 'ba';
  return `${pick()}${pick()}${pick()} ${pick()}${pick()}`;
}

export interface SmallRow {
  readonly id: number;
  readonly name: string;
  readonly age: number;
}

export function* makeSmallRows(count: number): Generator<SmallRow> {
  const random = createRandom(seed);
  for (let id = 1; id <= count; id++) yield { id, name: makeName(random), age: Math.floor(random() * 100) };
}

/** A vector of even random numbers in -1 … 1, four decimals as embedding services print them or more. */
function makeVector(random: () => number, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions);
  for (let index = 0; index < dimensions; index++) vector[index] = random() * 2 - 1;
  return vector;
}

export interface VectorRow {
  readonly id: number;
  readonly text: string;
  readonly vector: Float32Array;
}

/** Rows with a text of about 85 bytes and a vector, one after another. */
export function* makeVectorRows(count: number, dimensions = 384): Generator<VectorRow> {
  const random = createRandom(seed);
  for (let id = 1; id <= count; id++) {
    const text = Array.from({ length: 6 }, () => makeName(random)).join(' ');
    yield { id, text, vector: makeVector(random, dimensions) };
  }
}

/** 17 significant digits, as a double of a Python or JavaScript program is printed: 7.7 kB a line. */
function formatVectorRow(row: VectorRow): string {
  return `${JSON.stringify({ id: row.id, text: row.text, vector: Array.from(row.vector) })}\n`;
}

interface Recipe {
  readonly file: (rows: number) => string;
  readonly header: string;
  readonly lines: (rows: number) => Iterable<string>;
}

function* mapLines<Row>(rows: Iterable<Row>, format: (row: Row) => string): Generator<string> {
  for (const row of rows) yield format(row);
}

export type RecipeName = 'csv' | 'jsonl' | 'vectors';

/** Every input, by name. */
const recipes: Readonly<Record<RecipeName, Recipe>> = {
  csv: {
    file: (rows) => `small-${rows}.csv`,
    header: 'id,name,age\n',
    lines: (rows) => mapLines(makeSmallRows(rows), (row) => `${row.id},${row.name},${row.age}\n`),
  },
  jsonl: {
    file: (rows) => `small-${rows}.jsonl`,
    header: '',
    lines: (rows) => mapLines(makeSmallRows(rows), (row) => `{"id":${row.id},"name":"${row.name}","age":${row.age}}\n`),
  },
  vectors: {
    file: (rows) => `vectors-${rows}.jsonl`,
    header: '',
    lines: (rows) => mapLines(makeVectorRows(rows), formatVectorRow),
  },
};

/** The path of an input with that many rows, made now if it is not there. */
export function provideData(name: RecipeName, rows: number): string {
  const recipe = recipes[name];
  const file = path.join(dataFolder, recipe.file(rows));
  if (existsSync(file)) return file;
  mkdirSync(dataFolder, { recursive: true });
  const unfinished = `${file}.${process.pid}.new`;
  const handle = openSync(unfinished, 'w');
  let pending = recipe.header;
  for (const line of recipe.lines(rows)) {
    pending += line;
    if (pending.length < 1 << 20) continue;
    writeSync(handle, pending);
    pending = '';
  }
  writeSync(handle, pending);
  closeSync(handle);
  renameSync(unfinished, file);
  return file;
}
