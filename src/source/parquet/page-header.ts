/** The header of a page: sizes, counts and encodings, each checked for being possible at all before anything is made of it. */
import { PageFault, SizeFault } from './fault.ts';
import { readStruct, type ThriftStruct, type ThriftValue } from './thrift.ts';

/** Larger pages are refused: writers cut at 1 MiB (pyarrow, polars) to 100 MB (DuckDB), and a page is held in memory whole. */
export const maxPageBytes: number = 256 * 1024 * 1024;

export type PageKind = 'data' | 'data2' | 'dictionary' | 'other';

/** Numbers of Parquet's encodings. */
export const encodings = {
  plain: 0,
  plainDictionary: 2,
  rle: 3,
  deltaBinaryPacked: 5,
  deltaLengthByteArray: 6,
  deltaByteArray: 7,
  rleDictionary: 8,
  byteStreamSplit: 9,
} as const;

export interface PageHeader {
  readonly kind: PageKind;
  /** Bytes of the header itself. */
  readonly headerBytes: number;
  readonly compressedBytes: number;
  readonly uncompressedBytes: number;
  readonly crc: number | undefined;
  /** Entries, nulls included; of a dictionary its values. */
  readonly valueCount: number;
  readonly encoding: number;
  /** Rows that start in the page; only `data2` says so. */
  readonly rowCount: number | undefined;
  readonly definitionBytes: number;
  readonly repetitionBytes: number;
  readonly isCompressed: boolean;
  /** Of `data`: how its levels are written. */
  readonly definitionEncoding: number;
  readonly repetitionEncoding: number;
}

/** Reads the header at the start of the bytes. @throws ThriftEnd when they are too few */
export function readPageHeader(bytes: Uint8Array): PageHeader {
  const reader = { bytes, offset: 0 };
  const fields = readStruct(reader);
  const kind = readKind(fields.get(1));
  const detail = fields.get(kind === 'data' ? 5 : kind === 'data2' ? 8 : 7);
  const own: ThriftStruct = detail instanceof Map ? (detail as ThriftStruct) : new Map();
  if (kind !== 'other' && own.size === 0) throw new PageFault('a page header does not say what its page holds');
  const crc = fields.get(4);
  const header: PageHeader = {
    kind,
    headerBytes: reader.offset,
    compressedBytes: readSize(fields.get(3)),
    uncompressedBytes: readSize(fields.get(2)),
    crc: typeof crc === 'number' ? crc : undefined,
    valueCount: kind === 'other' ? 0 : readCount(own.get(1)),
    encoding: kind === 'other' ? 0 : readCount(own.get(kind === 'data2' ? 4 : 2)),
    rowCount: kind === 'data2' ? readCount(own.get(3)) : undefined,
    definitionBytes: kind === 'data2' ? readCount(own.get(5)) : 0,
    repetitionBytes: kind === 'data2' ? readCount(own.get(6)) : 0,
    isCompressed: kind !== 'data2' || own.get(7) !== false,
    definitionEncoding: kind === 'data' ? readCount(own.get(3)) : encodings.rle,
    repetitionEncoding: kind === 'data' ? readCount(own.get(4)) : encodings.rle,
  };
  checkLevels(header);
  return header;
}

function checkLevels({ compressedBytes, definitionBytes, repetitionBytes, uncompressedBytes }: PageHeader): void {
  if (definitionBytes + repetitionBytes > Math.min(compressedBytes, uncompressedBytes))
    throw new PageFault('the levels of a page are longer than the page');
}

function readKind(value: ThriftValue | undefined): PageKind {
  if (value === 0) return 'data';
  if (value === 2) return 'dictionary';
  return value === 3 ? 'data2' : 'other';
}

function readCount(value: ThriftValue | undefined): number {
  if (typeof value !== 'number' || value < 0 || value > 0x7f_ff_ff_ff) throw new PageFault('a page header has an impossible count');
  return value;
}

function readSize(value: ThriftValue | undefined): number {
  const size = readCount(value);
  if (size > maxPageBytes) {
    throw new SizeFault(`a page of ${String(size)} bytes; at most ${String(maxPageBytes)} are read at a time`);
  }
  return size;
}
