/** The rows of a bench: the same for every way and on every machine, made from a seed; vectors come from a stock of bounded size, keys never come twice. */
import type { Batch } from '../rows/batch.ts';
import type { Column } from '../rows/schema.ts';
import type { BenchRows } from '../target/strategy.ts';

const seed = 20_261_121;
/** Vectors held in memory; a bench of a hundred million numbers takes no more. */
const stockBytes = 48 * 1024 * 1024;
/** About what one batch of a load takes; larger ones are no faster. */
const batchBytes = 8 * 1024 * 1024;
const maxBatchRows = 10_000;
const words = [
  'wave',
  'stone',
  'lamp',
  'river',
  'copper',
  'night',
  'garden',
  'signal',
  'paper',
  'winter',
  'engine',
  'harbour',
  'salt',
  'mirror',
];
/** A text of about 100 characters, as titles and short chunks are. */
const wordsPerTitle = 15;
/** Mean of what {@link makeTitle} makes. */
const titleBytes = 94;

/** Marsaglia's xorshift32, from 0 up to 1: the same in every engine. */
function createRandom(): () => number {
  let bits = seed;
  return () => {
    bits ^= bits << 13;
    bits ^= bits >>> 17;
    bits ^= bits << 5;
    return (bits >>> 0) / 4_294_967_296;
  };
}

function makeTitle(random: () => number): string {
  return Array.from({ length: wordsPerTitle }, () => words[Math.floor(random() * words.length)]).join(' ');
}

function listColumns(dimensions: number): readonly Column[] {
  const scalar = { isNullable: false } as const;
  const columns: Column[] = [
    { name: 'id', field: 'id', type: 'integer', ...scalar },
    { name: 'title', field: 'title', type: 'text', ...scalar },
  ];
  if (dimensions > 0) columns.push({ name: 'embedding', field: 'embedding', type: 'vector', dimensions, ...scalar });
  return columns;
}

/** Makes the stock for at most `rowCount` rows; `dimensions` 0 leaves the vectors out. */
export function createBenchRows(rowCount: number, dimensions: number): BenchRows {
  const random = createRandom();
  const rowBytes = 8 + titleBytes + dimensions * 4;
  const batchRows = Math.max(1, Math.min(maxBatchRows, rowCount, Math.floor(batchBytes / rowBytes)));
  const stockRows = Math.max(batchRows, Math.min(rowCount, Math.floor(stockBytes / rowBytes)));
  const titles = Array.from({ length: stockRows }, () => makeTitle(random));
  // Normal numbers would compress and index no differently; even ones are the hardest case of a vector index.
  const vectors = new Float32Array(stockRows * dimensions);
  for (let index = 0; index < vectors.length; index++) vectors[index] = random() * 2 - 1;
  const columns = listColumns(dimensions);
  const places = new Float64Array(batchRows);
  return {
    columns,
    dimensions,
    rowBytes,
    batchRows,
    batch: (from, count): Batch => {
      if (count > batchRows) throw new RangeError(`a batch has at most ${batchRows} rows, not ${count}`);
      const start = from % (stockRows - count + 1);
      const ids = Array.from({ length: count }, (_, index) => from + index + 1);
      const scalars = [ids, titles.slice(start, start + count)].map((values) => ({ kind: 'scalar', values }) as const);
      const numbers = vectors.subarray(start * dimensions, (start + count) * dimensions);
      const vector = { kind: 'vector', dimensions, values: numbers, nulls: undefined } as const;
      const at = places.subarray(0, count);
      return {
        columns,
        values: dimensions > 0 ? [...scalars, vector] : scalars,
        rowCount: count,
        byteCount: count * rowBytes,
        places: { offsets: at, rows: at, lines: at, raw: () => '' },
      };
    },
  };
}

/** A row as a program that calls `load` has it. */
interface BenchRow {
  readonly id: number;
  readonly title: string;
  readonly embedding?: Float32Array;
}

/** The first rows as objects. */
export function* makeObjects(rows: BenchRows, rowCount: number): Generator<BenchRow> {
  for (let from = 0; from < rowCount; from += rows.batchRows) {
    const { values, rowCount: count } = rows.batch(from, Math.min(rows.batchRows, rowCount - from));
    const [ids, titles, vectors] = values;
    for (let row = 0; row < count; row++) {
      const title =
        ids?.kind === 'scalar' && titles?.kind === 'scalar'
          ? { id: Number(ids.values[row]), title: String(titles.values[row]) }
          : undefined;
      if (title === undefined) throw new TypeError('the rows of a bench begin with id and title');
      const embedding =
        vectors?.kind === 'vector' ? vectors.values.subarray(row * rows.dimensions, (row + 1) * rows.dimensions) : undefined;
      yield embedding === undefined ? title : { ...title, embedding };
    }
  }
}

/** Digits of a number in a file: float32 has seven that count. */
const digits = 7;

/** The first rows as JSON lines. */
export function* makeLines(rows: BenchRows, rowCount: number): Generator<string> {
  for (const { id, title, embedding } of makeObjects(rows, rowCount)) {
    const numbers =
      embedding === undefined ? '' : `,"embedding":[${Array.from(embedding, (value) => value.toPrecision(digits)).join(',')}]`;
    yield `{"id":${id},"title":"${title}"${numbers}}\n`;
  }
}
