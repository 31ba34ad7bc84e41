/** Rows of one source with the vectors of a file beside them, joined by row number over all files of the source: row n has vector n, or nothing is loaded. */
import type { Position, Reject, VectorValues } from '../../rows/batch.ts';
import { SluiceError } from '../../errors.ts';
import { formatCount } from '../../count-text.ts';
import { isDatabaseUrl } from '../database/database-url.ts';
import type { VectorRows } from '../file-format.ts';
import type { Member, MemberFile } from '../files/member-file.ts';
import type { ReadOptions, Records, Sample, Shard, Source } from '../source.ts';
import { countRecords, cutRecords } from '../stretch-cut.ts';
import { createRowWriter, type WriteRow } from './row-with-vector.ts';
import { disagree, findChanged, listShards, readShard, type Zipped } from './zip-shards.ts';

/** What is joined. */
export interface ZipInput {
  readonly rows: Source;
  /** The file of vectors; opened when it is first needed. */
  readonly member: Member;
  /** As the user named it, for the descriptor. */
  readonly zip: string;
  /** Name of the field that the vectors become; `vector` by default. */
  readonly field?: string | undefined;
}

/** Vectors of a stretch, together: a stretch of small rows is cut so that its vectors are no more than this. */
const stretchBytes = 1024 * 1024;

/**
 * Looks at the file of vectors and joins it to the rows. The rows' source is closed with the joined one.
 * @throws SLUICE_USAGE for a source whose rows have no order, a file that holds no vectors; SLUICE_SOURCES_DISAGREE is told by `shards` or at a stream's end
 */
export async function zipSources(input: ZipInput): Promise<Source> {
  refuseUnordered(input.rows);
  return join(input, await openVectors(input.member));
}

/** A row of a table is the nth one only by accident. */
function refuseUnordered({ descriptor, name }: Source): void {
  if (descriptor === undefined || !isDatabaseUrl(descriptor.files[0] ?? '')) return;
  throw new SluiceError('SLUICE_USAGE', `the rows of ${name} have no numbers, so vectors can't be joined to them by row number`, {
    hint: 'Write the rows into a file in the order of the vectors, and load that with --zip.',
  });
}

/** A member that is open, and its vectors. */
interface OpenVectors {
  readonly file: MemberFile;
  readonly vectors: VectorRows;
  readonly path: string;
}

async function openVectors(member: Member): Promise<OpenVectors> {
  const file = await member.open();
  if (file.vectors !== undefined) return { file, vectors: file.vectors, path: member.path };
  await file.close();
  throw new SluiceError('SLUICE_USAGE', `${member.path} is no file of vectors that rows can be joined with`, {
    hint: 'Give --zip an .npy or .fvecs file. Vectors that stand in columns beside keys are loaded as rows of their own.',
  });
}

function join({ field = 'vector', rows, zip }: ZipInput, opened: OpenVectors): Source {
  const { file, vectors, path } = opened;
  const zipped: Zipped = { rows, vectors, path };
  const byteCount = (): number | undefined =>
    rows.byteCount === undefined || file.byteCount === undefined ? undefined : rows.byteCount + file.byteCount;
  const { descriptor } = rows;
  return {
    name: rows.name,
    format: rows.format,
    isSeekable: rows.isSeekable,
    hasOneReader: rows.hasOneReader,
    guarantee: rows.guarantee,
    get wholeShards() {
      return rows.wholeShards;
    },
    get largestWholeBytes() {
      return rows.largestWholeBytes;
    },
    get byteCount() {
      return byteCount();
    },
    descriptor: descriptor === undefined ? undefined : { ...descriptor, options: { ...descriptor.options, zip, vectorField: field } },
    decisions: [
      ...(rows.decisions ?? []),
      {
        what: 'vectors',
        choice: `row n gets the nth vector of ${path}`,
        why: `${formatCount(vectors.rowCount)} vectors of ${String(vectors.dimensions)} numbers, into the field ${field}`,
      },
    ],
    sample: async (signal) => describeSample(await rows.sample(signal), { field, vectors, name: rows.name }),
    shards(targetBytes, signal) {
      const total = byteCount();
      const share = rows.byteCount === undefined || total === undefined || total === 0 ? 1 : rows.byteCount / total;
      return listShards(zipped, Math.max(1, Math.ceil(targetBytes * share)), signal);
    },
    countRows: async (shard) => readShard(shard).count,
    read: (shard, from, options) => readZipped({ ...zipped, field, headBytes: countHeadBytes(opened) }, { shard, from, options }),
    changed: (shards) => findChanged(zipped, shards),
    release: async () => rows.release?.(),
    async close() {
      await rows.close();
      await file.close();
    },
  };
}

/** What of the vectors' file is no row; it is counted with the first row, so that all bytes add up. */
function countHeadBytes({ file, vectors }: OpenVectors): number {
  return file.byteCount === undefined ? 0 : file.byteCount - vectors.rowCount * vectors.rowBytes;
}

interface Described {
  readonly field: string;
  readonly vectors: VectorRows;
  readonly name: string;
}

async function describeSample(sample: Sample, { field, name, vectors }: Described): Promise<Sample> {
  if (sample.fields.includes(field)) {
    throw new SluiceError(
      'SLUICE_USAGE',
      `${name} has a field ${JSON.stringify(field)} of its own, and the vectors would have the same name`,
      {
        hint: 'Give the vectors another name: --vector-field NAME.',
      },
    );
  }
  const { dimensions, rowBytes, rowCount } = vectors;
  const [first, ...others] = sample.stretches;
  const stretches = first === undefined ? [] : [await attachSampled(first, { field, vectors, name }), ...others];
  return {
    ...sample,
    stretches,
    fields: [...sample.fields, field],
    meanRowBytes: sample.meanRowBytes === undefined ? undefined : sample.meanRowBytes + rowBytes,
    declared: [...(sample.declared ?? []), { name: field, type: 'vector', dimensions, isNullable: false }],
    estimatedRows: rowCount,
  };
}

/** The first stretch of a sample begins at the first row; where the others stand is not known. */
async function attachSampled(records: Records, { field, vectors }: Described): Promise<Records> {
  const first = records.places.rows[0] ?? 0;
  const count = Math.min(records.rowCount, vectors.rowCount - first, Math.ceil(stretchBytes / (4 * vectors.dimensions)));
  if (count < records.rowCount) return records;
  return { ...records, beside: [{ field, values: await vectors.read(first, first + count) }] };
}

interface Joining extends Zipped {
  readonly field: string;
  readonly headBytes: number;
}

interface Reading {
  readonly shard: Shard;
  readonly from: Position;
  readonly options: ReadOptions;
}

/** The rows of a shard, each with its vector. */
async function* readZipped(joining: Joining, { shard, from, options }: Reading): AsyncGenerator<Records, void, undefined> {
  const { rows, vectors } = joining;
  const { count, first, inner } = readShard(shard);
  const maxRows = Math.max(1, Math.floor(stretchBytes / (4 * vectors.dimensions)));
  const write = createRowWriter(joining.field, rows.descriptor?.options);
  let { row } = from;
  let headBytes = first + row === 0 ? joining.headBytes : 0;
  // The rows do not have it: a reader of JSON would look for it in every line.
  const columns = options.columns.filter((column) => column.field !== joining.field);
  for await (const records of rows.read(inner, from, { ...options, columns })) {
    let rest: Records | undefined = records;
    while (rest !== undefined) {
      const left = vectors.rowCount - first - row;
      const wanted = Math.min(maxRows, left);
      const total = countRecords(rest);
      if (total > 0 && left <= 0) throw tooManyRows(joining, first + row);
      const [piece, next]: readonly [Records, Records | undefined] =
        total > wanted && wanted > 0 ? cutRecords(rest, wanted) : [rest, undefined];
      yield await attach(piece, { joining, ordinal: first + row, headBytes, write });
      headBytes = 0;
      row = piece.end.row;
      rest = next;
    }
  }
  if (options.signal?.aborted === true) return;
  if (count !== undefined && row !== count) throw changedCount(joining, { shard, count, row });
  if (count === undefined && first + row < vectors.rowCount) throw disagree(joining, formatCount(first + row));
}

interface Piece {
  readonly joining: Joining;
  /** Of the piece's first row, over all files. */
  readonly ordinal: number;
  readonly headBytes: number;
  readonly write: WriteRow;
}

/** A stretch with its vectors beside it: a view of what was read where no row was refused, a copy where some were. */
async function attach(records: Records, { joining, headBytes, ordinal, write }: Piece): Promise<Records> {
  const { field, vectors } = joining;
  const total = countRecords(records);
  const byteCount = records.byteCount + total * vectors.rowBytes + headBytes;
  if (total === 0) return { ...records, byteCount };
  const read = await vectors.read(ordinal, ordinal + total);
  const base = records.end.row - total;
  const { places, rejects } = records;
  const values = rejects.length === 0 ? read : pickVectors(read, { rows: places.rows, base, count: records.rowCount });
  const vectorAt = (row: number): Float32Array => read.values.subarray((row - base) * read.dimensions, (row - base + 1) * read.dimensions);
  return {
    ...records,
    byteCount,
    beside: [{ field, values }],
    rejects: rejects.map((reject) => keepVector(reject, vectorAt(reject.row), write)),
    rawBeside: (index) => write(places.raw(index), vectorAt(places.rows[index] as number)),
  };
}

/** A row that could not be read is kept with its vector, too, for whoever mends it. */
function keepVector(reject: Reject, vector: Float32Array, write: WriteRow): Reject {
  return reject.raw === undefined ? reject : { ...reject, raw: write(reject.raw, vector) };
}

function pickVectors(
  { dimensions, values }: VectorValues,
  { base, count, rows }: { readonly rows: Float64Array; readonly base: number; readonly count: number },
): VectorValues {
  const picked = new Float32Array(count * dimensions);
  for (let index = 0; index < count; index++) {
    const from = ((rows[index] as number) - base) * dimensions;
    picked.set(values.subarray(from, from + dimensions), index * dimensions);
  }
  return { kind: 'vector', dimensions, values: picked, nulls: undefined };
}

function tooManyRows(joining: Joining, ordinal: number): SluiceError {
  return disagree(joining, `more than ${formatCount(ordinal)}`);
}

function changedCount(
  { rows }: Zipped,
  { shard, count, row }: { readonly shard: Shard; readonly count: number; readonly row: number },
): SluiceError {
  const what = `shard ${String(shard.ordinal)} of ${rows.name} has ${formatCount(row)} rows, and had ${formatCount(count)} when they were counted`;
  return new SluiceError('SLUICE_SOURCE_CHANGED', what, {
    hint: 'Put the file back as it was and resume, or load the new one as a load of its own with --again.',
  });
}
