/** A file of vectors of one length as rows with one field; which bytes are which rows, its format says. */
import { hash } from 'node:crypto';
import type { Position, VectorValues } from '../../rows/batch.ts';
import { createCancelCheck } from '../cancellation.ts';
import type { FilePart, OpenedFile } from '../file-format.ts';
import type { ColumnRecords, ReadOptions, Sample, Shard, SourceOptions } from '../source.ts';

/** What a format knows of an opened file of vectors. */
export interface VectorLayout {
  /** A path or URL, for messages. */
  readonly name: string;
  readonly rowCount: number;
  readonly dimensions: number;
  /** Bytes of the whole file. */
  readonly byteCount: number;
  /** The numbers of some rows, `[end - start, dimensions]`. */
  readonly read: (start: number, end: number) => Promise<Float32Array<ArrayBuffer>>;
  /** Bytes of a row, before its numbers become 32-bit floats. */
  readonly rowBytes: number;
}

/** A stretch is this much memory, as elsewhere; and what its rows' places take stays small beside it. */
const stretchBytes = 512 * 1024;
const maxStretchRows = 8_192;
/** Numbers that a digest is made of. */
const digestedFloats = 1_024;
const sampleRows = 100;

export function openVectorFile(layout: VectorLayout, { vectorField: field = 'vector' }: SourceOptions): OpenedFile {
  const { byteCount, dimensions, name, rowBytes, rowCount } = layout;
  const readVectors = async (start: number, end: number): Promise<VectorValues> => ({
    kind: 'vector',
    dimensions,
    values: await layout.read(start, end),
    nulls: undefined,
  });
  const digestRows = async (start: number, end: number): Promise<string> => {
    const count = Math.min(end - start, Math.ceil(digestedFloats / dimensions));
    const floats = await layout.read(start, start + count);
    return hash('sha256', new Uint8Array(floats.buffer, floats.byteOffset, Math.min(floats.length, digestedFloats) * 4), 'hex').slice(
      0,
      16,
    );
  };
  const digestPart = async ({ start, end = rowCount }: Pick<Shard, 'start' | 'end'>): Promise<Pick<Shard, 'head' | 'tail'>> => ({
    head: await digestRows(start, end),
    tail: await digestRows(Math.max(start, end - Math.ceil(digestedFloats / dimensions)), end),
  });
  return {
    fields: [field],
    declared: [{ name: field, type: 'vector', dimensions, isNullable: false }],
    rowCount,
    vectors: { dimensions, rowCount, rowBytes, read: readVectors, digest: digestRows },
    digestPart,
    async sample() {
      return sampleVectors({ field, dimensions, rowCount, rowBytes }, readVectors);
    },
    async *parts(targetBytes) {
      // The first part takes the header, the last what is left: together they are the file.
      const rows = Math.max(1, Math.round(targetBytes / rowBytes));
      let taken = 0;
      for (let start = 0; start === 0 || start < rowCount; start += rows) {
        const end = Math.min(rowCount, start + rows);
        const upTo = end === rowCount ? byteCount : byteCount - (rowCount - end) * rowBytes;
        const part: FilePart = { start, end, byteCount: upTo - taken, ...(await digestPart({ start, end })) };
        taken = upTo;
        yield part;
      }
    },
    async *read(part, from, options) {
      const stretchRows = Math.max(1, Math.min(maxStretchRows, Math.floor(stretchBytes / (4 * dimensions))));
      const checkCancelled = createCancelCheck(name, options.signal);
      const end = part.end ?? rowCount;
      const isWanted = wantsField(options, field);
      for (let start = part.start + from.row; start < end; start += stretchRows) {
        checkCancelled();
        const next = Math.min(end, start + stretchRows);
        const values = isWanted ? await readVectors(start, next) : undefined;
        const isHead = start === 0;
        const bytes = (next - start) * rowBytes + (isHead ? byteCount - rowCount * rowBytes : 0);
        yield makeStretch({ field, values, start, end: next, partStart: part.start, byteCount: bytes });
      }
    },
    close: async () => undefined,
  };
}

function wantsField({ columns }: ReadOptions, field: string): boolean {
  return columns.some((column) => column.field === field && column.isEmbedded !== true);
}

interface VectorStretch {
  readonly field: string;
  /** Undefined where nobody asked for them. */
  readonly values: VectorValues | undefined;
  readonly start: number;
  readonly end: number;
  readonly partStart: number;
  readonly byteCount: number;
}

function makeStretch({ field, values, start, end, partStart, byteCount }: VectorStretch): ColumnRecords {
  const rowCount = end - start;
  const offsets = new Float64Array(rowCount);
  const rows = new Float64Array(rowCount);
  for (let row = 0; row < rowCount; row++) {
    offsets[row] = start + row;
    rows[row] = start + row - partStart;
  }
  const position: Position = { offset: end, row: end - partStart, line: end - partStart };
  return {
    kind: 'columns',
    fields: values === undefined ? [] : [field],
    values: values === undefined ? [] : [values],
    types: values === undefined ? [] : ['vector'],
    rowCount,
    rejects: [],
    places: { offsets, rows, lines: rows, raw: (row) => writeRow(field, values, row) },
    end: position,
    byteCount,
  };
}

/** A refused row is kept with its numbers, NaN and infinity by their names, so that it can be seen what is wrong with it. */
function writeRow(field: string, values: VectorValues | undefined, row: number): string {
  if (values === undefined) return '{}';
  const { dimensions } = values;
  const numbers = Array.from(values.values.subarray(row * dimensions, (row + 1) * dimensions));
  const isFinite = numbers.every((number) => Number.isFinite(number));
  const written = isFinite ? JSON.stringify(numbers) : JSON.stringify(`[${numbers.join(',')}]`);
  return `{${JSON.stringify(field)}:${written}}`;
}

interface Shape {
  readonly field: string;
  readonly dimensions: number;
  readonly rowCount: number;
  readonly rowBytes: number;
}

/** Rows of the start and of the end. */
async function sampleVectors(
  { field, dimensions, rowBytes, rowCount }: Shape,
  readVectors: (start: number, end: number) => Promise<VectorValues>,
): Promise<Sample> {
  const count = Math.min(rowCount, Math.max(1, Math.min(sampleRows, Math.floor(stretchBytes / (4 * dimensions)))));
  const starts = rowCount > 2 * count ? [0, rowCount - count] : [0];
  const stretches: ColumnRecords[] = [];
  for (const start of starts) {
    const end = start + count;
    stretches.push(makeStretch({ field, values: await readVectors(start, end), start, end, partStart: 0, byteCount: count * rowBytes }));
  }
  return {
    fields: [field],
    stretches,
    meanRowBytes: rowBytes,
    declared: [{ name: field, type: 'vector', dimensions, isNullable: false }],
    estimatedRows: rowCount,
  };
}
