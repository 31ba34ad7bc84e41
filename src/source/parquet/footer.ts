/** A file's own description: read within its bounds, understood by hyparquet, and then held against the file's size. What it claims beyond that is refused. */
import { hash } from 'node:crypto';
import { parquetMetadata, type ColumnChunk, type FileMetaData, type RowGroup } from 'hyparquet';
import { SluiceError } from '../../errors.ts';
import type { ByteFile } from '../files/byte-file.ts';
import { findSeam } from '../files/seam.ts';
import type { ChunkRange } from './chunk-bytes.ts';
import { invalidFile, PageFault, placeFault, type FilePlace } from './fault.ts';
import { buildSchema, type SchemaNode } from './schema.ts';
import { readStruct } from './thrift.ts';

/** A column chunk: where its pages are, and how they are packed. */
export interface Chunk extends ChunkRange {
  readonly codec: string;
  /** Entries: rows, of a nested column elements and empty lists. */
  readonly entryCount: number;
  readonly uncompressedBytes: number;
  /** As the writer gave them; of an unsigned 64-bit column its largest value, of lists how many entries are nulls. */
  readonly statistics: NonNullable<ColumnChunk['meta_data']>['statistics'];
}

/** Rows that are stored together. */
export interface Group {
  readonly ordinal: number;
  /** First row of the file, and the row after the last. */
  readonly start: number;
  readonly end: number;
  /** By leaf. */
  readonly chunks: readonly Chunk[];
  /** Bytes of all its chunks, packed and unpacked. */
  readonly compressedBytes: number;
  readonly uncompressedBytes: number;
}

/** What a file says of itself, checked. */
export interface Footer {
  readonly fields: readonly SchemaNode[];
  readonly groups: readonly Group[];
  readonly rowCount: number;
  /** Of the description's bytes, which hold every size and place in the file. */
  readonly digest: string;
}

const magic = 'PAR1';
const encryptedMagic = 'PARE';
/** Magic at both ends, and the description's length. */
const leastBytes = 12;
/** A file of 10,000 row groups and 100 columns has about 100 MB. */
const maxFooterBytes = 256 * 1024 * 1024;
/** Read at once from the end: whole descriptions of most files. */
const tailBytes = 64 * 1024;
/** Digits of a digest that are kept, as in the digests of text files. */
const digestLength = 16;

/** Reads the description of a file. @throws SLUICE_SOURCE_INVALID */
export async function readFooter(file: ByteFile): Promise<Footer> {
  const { bytes, start } = await readFooterBytes(file);
  try {
    // Walked first, within bounds: hyparquet takes the sizes of lists on trust.
    const reader = { bytes, offset: 0 };
    readStruct(reader);
    const metadata = parseMetadata(bytes);
    const fields = buildSchema(metadata.schema);
    const groups = checkGroups(metadata, { file: file.name, fileBytes: file.byteCount, leaves: fields.flatMap((field) => field.leaves) });
    // Behind the checks: before them nothing says that the lists are lists.
    await refuseSeam(file, metadata, start);
    return { fields, groups, rowCount: groups.at(-1)?.end ?? 0, digest: hash('sha256', bytes, 'hex').slice(0, digestLength) };
  } catch (error) {
    throw placeFault(error, { file: file.name });
  }
}

/** The description, and the byte at which it begins. */
async function readFooterBytes(file: ByteFile): Promise<{ readonly bytes: Uint8Array; readonly start: number }> {
  const place: FilePlace = { file: file.name };
  const { byteCount } = file;
  if (byteCount < leastBytes) throw invalidFile(place, `with ${String(byteCount)} bytes it is too short for a Parquet file`);
  const head = Buffer.from(await file.read(0, 4)).toString('latin1');
  const tailStart = Math.max(4, byteCount - tailBytes);
  const tail = Buffer.from(await file.read(tailStart, byteCount));
  const end = tail.toString('latin1', tail.length - 4);
  if (head === encryptedMagic || end === encryptedMagic) throw invalidFile(place, encrypted);
  if (head !== magic) throw invalidFile(place, 'it does not begin as a Parquet file does');
  if (end !== magic) throw invalidFile(place, 'its end is missing: a Parquet file ends with PAR1, so this one was cut or not finished');
  const length = tail.readUInt32LE(tail.length - 8);
  const start = byteCount - 8 - length;
  if (start < 4) throw invalidFile(place, `its description claims ${String(length)} bytes of a file of ${String(byteCount)}`);
  if (length > maxFooterBytes)
    throw invalidFile(place, `its description has ${String(length)} bytes; at most ${String(maxFooterBytes)} are read`);
  const bytes = start >= tailStart ? tail.subarray(start - tailStart, tail.length - 8) : Buffer.from(await file.read(start, byteCount - 8));
  return { bytes, start };
}

/**
 * Several files one behind the other. The last description counts its places from the start of the last file, so what it tells of ends long before it begins. Such a gap
 * alone is no fault: it is one where the end of a file and the start of another stand in it.
 */
async function refuseSeam(file: ByteFile, { row_groups }: FileMetaData, footerStart: number): Promise<void> {
  const ends = row_groups.flatMap(({ columns }) => columns.flatMap(listEnds)).filter((end) => end <= footerStart);
  const upTo = footerStart - ends.reduce((most, end) => Math.max(most, end), magic.length);
  const seam = await findSeam(file, { end: magic, start: magic, upTo, lengthBytes: 4 });
  if (seam === undefined) return;
  throw new SluiceError(
    'SLUICE_SOURCE_INVALID',
    `${file.name}: it is several Parquet files one behind the other; one begins at byte ${String(seam)}`,
    {
      hint: 'Parquet files can not be joined by `cat`: load the files that it was made of, all in one load or by their folder.',
    },
  );
}

/** The bytes behind a column's pages, its indexes and its Bloom filter. */
function listEnds({
  column_index_length,
  column_index_offset,
  meta_data,
  offset_index_length,
  offset_index_offset,
}: ColumnChunk): number[] {
  const start = Math.min(Number(meta_data?.data_page_offset ?? 0), Number(meta_data?.dictionary_page_offset ?? Infinity) || Infinity);
  return [
    start + Number(meta_data?.total_compressed_size ?? 0),
    Number(column_index_offset ?? 0) + Number(column_index_length ?? 0),
    Number(offset_index_offset ?? 0) + Number(offset_index_length ?? 0),
    Number(meta_data?.bloom_filter_offset ?? 0) + Number(meta_data?.bloom_filter_length ?? 0),
  ];
}

const encrypted = 'it is encrypted, which sluice cannot read; write it without encryption';

/** Values of statistics that are not needed stay as they are: making dates and texts of them could fail. */
const keepBytes = {
  stringFromBytes: () => undefined,
  jsonFromBytes: () => undefined,
  uuidFromBytes: () => undefined,
  dateFromDays: () => undefined,
  timestampFromMilliseconds: () => undefined,
  timestampFromMicroseconds: () => undefined,
  timestampFromNanoseconds: () => undefined,
  geometryFromBytes: () => undefined,
  geographyFromBytes: () => undefined,
};

function parseMetadata(bytes: Uint8Array): FileMetaData {
  const framed = Buffer.allocUnsafeSlow(bytes.length + 8);
  framed.set(bytes);
  framed.writeUInt32LE(bytes.length, bytes.length);
  framed.write(magic, bytes.length + 4, 'latin1');
  try {
    return parquetMetadata(framed, { parsers: keepBytes, geoparquet: false });
  } catch (error) {
    const fault = new PageFault(`its description can't be understood`);
    fault.cause = error;
    throw fault;
  }
}

interface Bounds {
  readonly file: string;
  readonly fileBytes: number;
  readonly leaves: readonly SchemaNode[];
}

function checkGroups(metadata: FileMetaData, bounds: Bounds): readonly Group[] {
  const groups: Group[] = [];
  let start = 0;
  for (const [ordinal, group] of metadata.row_groups.entries()) {
    const rows = toCount(group.num_rows, 'a row group’s number of rows');
    const end = start + rows;
    try {
      groups.push(checkGroup(group, { ordinal, start, end }, bounds));
    } catch (error) {
      throw placeFault(error, { file: bounds.file, group: ordinal });
    }
    start = end;
  }
  if (start !== toCount(metadata.num_rows, 'its number of rows'))
    throw new PageFault(`it claims ${String(metadata.num_rows)} rows, its row groups ${String(start)}`);
  return groups;
}

function checkGroup(group: RowGroup, place: Pick<Group, 'ordinal' | 'start' | 'end'>, bounds: Bounds): Group {
  if (group.columns.length !== bounds.leaves.length)
    throw new PageFault(`it has ${String(group.columns.length)} columns, the schema ${String(bounds.leaves.length)}`);
  const chunks = group.columns.map((column, index) => {
    const leaf = bounds.leaves[index] as SchemaNode;
    try {
      return checkChunk(column, { leaf, rows: place.end - place.start, fileBytes: bounds.fileBytes });
    } catch (error) {
      throw placeFault(error, { file: bounds.file, group: place.ordinal, column: leaf.name });
    }
  });
  const compressedBytes = chunks.reduce((sum, { end, start }) => sum + end - start, 0);
  if (compressedBytes > bounds.fileBytes) throw new PageFault('its columns take more bytes than the file has');
  return { ...place, chunks, compressedBytes, uncompressedBytes: chunks.reduce((sum, chunk) => sum + chunk.uncompressedBytes, 0) };
}

function checkChunk(
  { crypto_metadata, encrypted_column_metadata, file_path, meta_data }: ColumnChunk,
  { fileBytes, leaf, rows }: { readonly leaf: SchemaNode; readonly rows: number; readonly fileBytes: number },
): Chunk {
  if (crypto_metadata !== undefined || encrypted_column_metadata !== undefined) throw new PageFault(encrypted);
  if (file_path !== undefined && file_path !== '') throw new PageFault('its data stand in another file, which sluice does not look for');
  if (meta_data === undefined) throw new PageFault('nothing is said of its data');
  if (meta_data.type !== leaf.element.type) throw new PageFault('its data are of another type than the schema says');
  const dataStart = toCount(meta_data.data_page_offset, 'the place of its data');
  const dictionaryStart =
    meta_data.dictionary_page_offset === undefined ? 0 : toCount(meta_data.dictionary_page_offset, 'the place of its dictionary');
  // Some writers say 0 for no dictionary.
  const start = dictionaryStart > 0 && dictionaryStart < dataStart ? dictionaryStart : dataStart;
  const end = start + toCount(meta_data.total_compressed_size, 'its size');
  const entryCount = toCount(meta_data.num_values, 'its number of values');
  if (entryCount > 0 && (start < 4 || end > fileBytes - 8))
    throw new PageFault(`its data claim bytes ${String(start)} to ${String(end)} of ${String(fileBytes)}`);
  if (leaf.repeated === 0 ? entryCount !== rows : entryCount < rows)
    throw new PageFault(`it has ${String(entryCount)} values for ${String(rows)} rows`);
  const uncompressedBytes = toCount(meta_data.total_uncompressed_size, 'its size');
  const range = entryCount === 0 ? { start: 0, end: 0 } : { start, end };
  return { ...range, codec: meta_data.codec, entryCount, uncompressedBytes, statistics: meta_data.statistics };
}

/** The types are hyparquet's word for what the file may well not hold. */
function toCount(value: unknown, what: string): number {
  const count = typeof value === 'bigint' || typeof value === 'number' ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(count) || count < 0) throw new PageFault(`${what} is ${Number.isNaN(count) ? 'not given' : String(count)}`);
  return count;
}
