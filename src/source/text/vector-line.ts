/** Cuts the vector out of a JSON line before the rest of it is parsed, so that its numbers never become a list of objects. What it can't do exactly it leaves alone. */
import { readNumberList } from '../../rows/number-list.ts';
import type { Column } from '../../rows/schema.ts';

type Row = Record<string, unknown>;

/** Where a line stands in its stretch. */
export interface Line {
  readonly view: Buffer;
  readonly start: number;
  readonly end: number;
  /** Of the whole stretch: decoding is cheaper then. */
  readonly isAscii: boolean;
}

/** Reads rows of one schema. Vectors stand in memory that the next stretch uses again. */
export interface VectorLines {
  /** The row, with the vector as a `Float32Array`; undefined where JSON.parse has to see the whole line. */
  read(line: Line): Row | undefined;
  /** A new stretch begins. */
  restart(): void;
}

const backslash = 92;
const space = 32;
const vectorsPerChunk = 64;

/** For columns of which exactly one is a vector from a field that nothing else needs; undefined for others. */
export function openVectorLines(columns: readonly Column[]): VectorLines | undefined {
  const vectors = columns.filter(({ type, isEmbedded }) => type === 'vector' && isEmbedded !== true);
  const [column] = vectors;
  if (column === undefined || vectors.length > 1 || column.field in Object.prototype) return undefined;
  if (columns.some((other) => other !== column && other.isEmbedded !== true && other.field === column.field)) return undefined;
  const { field, dimensions: count = 0 } = column;
  return count === 0 ? undefined : createVectorLines(field, count);
}

function createVectorLines(field: string, count: number): VectorLines {
  const key = Buffer.from(`${JSON.stringify(field)}:`);
  // Stands for the vector while the rest is parsed: a number that no file holds.
  const sentinel = -(1 + Math.random()) * 1e300;
  const chunks: Float32Array[] = [];
  let used = 0;
  return {
    restart() {
      used = 0;
    },
    read({ view, start, end, isAscii }) {
      const at = view.indexOf(key, start);
      // Behind a backslash it stands in a text.
      if (at < 0 || at >= end || view[at - 1] === backslash) return undefined;
      let from = at + key.length;
      while (view[from] === space) from++;
      const chunk = (chunks[Math.floor(used / vectorsPerChunk)] ??= new Float32Array(count * vectorsPerChunk));
      const place = (used % vectorsPerChunk) * count;
      const next = readNumberList(view, from, { into: chunk, from: place, count });
      if (next < 0 || next > end) return undefined;
      const encoding = isAscii ? 'latin1' : 'utf8';
      const row = parseRow(view.toString(encoding, start, from) + String(sentinel) + view.toString(encoding, next, end));
      // Elsewhere than at the top level, or there twice: the whole line decides.
      if (row?.[field] !== sentinel) return undefined;
      row[field] = chunk.subarray(place, place + count);
      used++;
      return row;
    },
  };
}

function parseRow(json: string): Row | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Row) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
