/** The pages of one column chunk in order: their place, the rows that start in each, and their parts once they are unpacked. Pages that are passed over are not unpacked. */
import { crc32 } from 'node:zlib';
import type { ChunkBytes } from './chunk-bytes.ts';
import { partialInput, type Unpack } from './codecs.ts';
import type { Chunk } from './footer.ts';
import { PageFault } from './fault.ts';
import { countZeros, createHybrid, type Hybrid } from './hybrid.ts';
import { encodings, readPageHeader, type PageHeader } from './page-header.ts';
import type { SchemaNode } from './schema.ts';
import { ThriftEnd } from './thrift.ts';
import type { Room } from './room.ts';
import { openDictionary, type Dictionary } from './dictionary.ts';

/** One data page, unpacked. */
export interface Page {
  readonly entryCount: number;
  /** It is the first of its chunk. */
  readonly isFirst: boolean;
  /** Undefined where every level is the leaf's own, or 0. */
  readonly definitions: Hybrid | undefined;
  readonly repetitions: Hybrid | undefined;
  readonly values: Uint8Array;
  readonly encoding: number;
  readonly dictionary: Dictionary | undefined;
}

/** Where data pages start. Grows as pages are passed, and is kept while the row group is read, so that the next part of it begins where it stands. */
export interface PageTable {
  readonly pages: { readonly offset: number; readonly firstRow: number; readonly firstEntry: number }[];
  dictionary: Dictionary | undefined;
}

export interface PageSource {
  readonly chunk: Chunk;
  readonly leaf: SchemaNode;
  readonly bytes: ChunkBytes;
  readonly unpack: Unpack;
  /** Holds a page, unpacked, until the next one is asked for. */
  readonly room: Room;
  readonly table: PageTable;
}

/** Headers are some 20 to 60 bytes; statistics of long texts make them longer. */
const headerBytes = 1024;
const maxHeaderBytes = 1024 * 1024;

/** A place between two pages. */
interface Cursor {
  offset: number;
  /** Data pages before it. */
  page: number;
  /** Rows that start before it, as far as they are known: only seeking counts them. */
  row: number;
  /** Entries before it. */
  entry: number;
}

/** Reads the data pages of a chunk one after another. */
export class PageReader {
  private readonly source: PageSource;
  private readonly at: Cursor;
  private isSeeking = false;

  constructor(source: PageSource) {
    this.source = source;
    this.at = { offset: source.chunk.start, page: 0, row: 0, entry: 0 };
  }

  /** No page of the chunk has been passed. */
  get isAtStart(): boolean {
    return this.at.page === 0;
  }

  /** Goes to the page in which a row of the group starts, and answers how many rows start in it before that one. */
  async seek(row: number): Promise<number> {
    const { pages } = this.source.table;
    for (let index = pages.length - 1; index >= 0; index--) {
      const page = pages[index]!;
      if (page.firstRow > row) continue;
      Object.assign(this.at, { offset: page.offset, page: index, row: page.firstRow, entry: page.firstEntry });
      break;
    }
    if (row === 0) return 0;
    this.isSeeking = true;
    while (this.at.entry < this.source.chunk.entryCount) {
      const header = await this.readHeader();
      if (header === undefined) continue;
      const rows = await this.countRows(header);
      if (this.at.row + rows > row) {
        this.isSeeking = false;
        return row - this.at.row;
      }
      this.pass(header, rows);
    }
    throw new PageFault(`it ends before row ${String(row)} of its group`);
  }

  /** The next page; undefined behind the last one. */
  async next(): Promise<Page | undefined> {
    const { chunk } = this.source;
    while (this.at.entry < chunk.entryCount) {
      const header = await this.readHeader();
      if (header === undefined) continue;
      const page = await this.open(header);
      // Rows of pages that are read are counted by who reads them.
      this.pass(header, Number.NaN);
      return page;
    }
    return undefined;
  }

  private pass(header: PageHeader, rows: number): void {
    const { at } = this;
    at.offset += header.headerBytes + header.compressedBytes;
    at.entry += header.valueCount;
    at.row += rows;
    at.page++;
    if (at.entry > this.source.chunk.entryCount) throw new PageFault('its pages hold more values than it claims');
  }

  /** The header of the data page here; a dictionary is taken up and an unknown kind of page passed over, and then there is none. */
  private async readHeader(): Promise<PageHeader | undefined> {
    const { at, source } = this;
    const header = await this.parseHeader();
    if (header.compressedBytes > source.bytes.countAfter(at.offset + header.headerBytes))
      throw new PageFault('a page is longer than its column chunk');
    if (header.kind === 'data' || header.kind === 'data2') {
      this.note(header);
      return header;
    }
    if (header.kind === 'dictionary') await this.takeDictionary(header);
    at.offset += header.headerBytes + header.compressedBytes;
    return undefined;
  }

  private note(header: PageHeader): void {
    const { at, source } = this;
    // A page without entries would let a file of many of them be read for ever; no writer makes one.
    if (header.valueCount === 0 && header.compressedBytes === 0) throw new PageFault('a page is empty');
    const { pages } = source.table;
    if (pages.length === at.page && !Number.isNaN(at.row)) pages.push({ offset: at.offset, firstRow: at.row, firstEntry: at.entry });
  }

  private async parseHeader(): Promise<PageHeader> {
    const { at, source } = this;
    // Of pages that are passed over the levels are all that is looked at, if they are.
    const first = this.isSeeking && source.leaf.repeated > 0 ? headerBytes + partialInput : headerBytes;
    for (let length = first; ; length *= 8) {
      const available = Math.min(length, source.bytes.countAfter(at.offset));
      if (available <= 0) throw new PageFault(`it ends after ${String(at.entry)} of ${String(source.chunk.entryCount)} values`);
      try {
        return readPageHeader(await source.bytes.at(at.offset, available, this.isSeeking));
      } catch (error) {
        if (!(error instanceof ThriftEnd) || available < length || length > maxHeaderBytes) throw error;
      }
    }
  }

  private async takeDictionary(header: PageHeader): Promise<void> {
    const { source } = this;
    if (source.table.dictionary !== undefined) return;
    const packed = await this.readBody(header);
    const unpacked = source.unpack(packed, header.uncompressedBytes, {});
    // It outlives the window that its bytes were read into.
    source.table.dictionary = openDictionary(unpacked.buffer === packed.buffer ? Uint8Array.from(unpacked) : unpacked, {
      leaf: source.leaf,
      count: header.valueCount,
    });
  }

  private async readBody(header: PageHeader): Promise<Uint8Array> {
    const body = await this.source.bytes.at(this.at.offset + header.headerBytes, header.compressedBytes);
    if (header.crc !== undefined && crc32(body) !== header.crc >>> 0)
      throw new PageFault('the checksum of a page does not match its bytes');
    return body;
  }

  /** Rows that start in a page. Of nested columns in pages of the first kind only the repetition levels know; they stand first and are unpacked alone. */
  private async countRows(header: PageHeader): Promise<number> {
    const { leaf } = this.source;
    if (leaf.repeated === 0) return header.valueCount;
    if (header.rowCount !== undefined) return header.rowCount;
    checkEncoding(header.repetitionEncoding);
    const levels = await this.readFirst(header, 4);
    const length = 4 + Buffer.from(levels.buffer, levels.byteOffset, levels.length).readUInt32LE(0);
    if (length > header.uncompressedBytes) throw new PageFault('the levels of a page are longer than the page');
    const known = levels.length >= length ? levels : await this.readFirst(header, length);
    return countZeros(createHybrid(known, { start: 4, end: length }, bitWidth(leaf.repeated)), header.valueCount);
  }

  /** The first bytes of a page, or more of it. */
  private async readFirst(header: PageHeader, wanted: number): Promise<Uint8Array> {
    const { bytes, unpack } = this.source;
    if (header.compressedBytes > partialInput) {
      const packed = await bytes.at(this.at.offset + header.headerBytes, partialInput, true);
      const found = unpackFirst(packed, { header, source: this.source, wanted });
      if (found !== undefined) return found;
    }
    const page = unpack(await this.readBody(header), header.uncompressedBytes, { room: this.source.room });
    if (page.length < wanted) throw new PageFault('the levels of a page are longer than the page');
    return page;
  }

  private async open(header: PageHeader): Promise<Page> {
    const { leaf, room, table, unpack } = this.source;
    const packed = await this.readBody(header);
    const { encoding, valueCount: entryCount } = header;
    const dictionary = encoding === encodings.rleDictionary || encoding === encodings.plainDictionary ? table.dictionary : undefined;
    const parts =
      header.kind === 'data2'
        ? splitPage2(packed, header, this.source)
        : splitPage(unpack(packed, header.uncompressedBytes, { room }), header, leaf);
    return { entryCount, isFirst: this.at.page === 0, encoding, dictionary, ...parts };
  }
}

interface FirstBytes {
  readonly header: PageHeader;
  readonly source: PageSource;
  readonly wanted: number;
}

/** Out of the first part of a page; undefined where its codec needs more, which then tells whether the page is broken. */
function unpackFirst(packed: Uint8Array, { header, source, wanted }: FirstBytes): Uint8Array | undefined {
  try {
    const found = source.unpack(packed, header.uncompressedBytes, { wanted, room: source.room });
    return found.length >= wanted ? found : undefined;
  } catch (error) {
    if (error instanceof PageFault) return undefined;
    throw error;
  }
}

type PageParts = Pick<Page, 'definitions' | 'repetitions' | 'values'>;

/** A page of the first kind: levels with their lengths before them, then the values, all packed as one. */
function splitPage(bytes: Uint8Array, header: PageHeader, leaf: SchemaNode): PageParts {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let offset = 0;
  const take = (level: number, encoding: number): Hybrid | undefined => {
    if (level === 0) return undefined;
    checkEncoding(encoding);
    const start = offset + 4;
    const end = start + (start > bytes.length ? Number.POSITIVE_INFINITY : view.readUInt32LE(offset));
    offset = end;
    return createHybrid(bytes, { start, end }, bitWidth(level));
  };
  const repetitions = take(leaf.repeated, header.repetitionEncoding);
  const definitions = take(leaf.definition, header.definitionEncoding);
  return { repetitions, definitions, values: bytes.subarray(offset) };
}

/** A page of the second kind: levels as they are, and only the values packed. */
function splitPage2(
  packed: Uint8Array,
  header: PageHeader,
  { leaf, room, unpack }: Pick<PageSource, 'leaf' | 'room' | 'unpack'>,
): PageParts {
  const { definitionBytes, repetitionBytes, uncompressedBytes } = header;
  const levels = repetitionBytes + definitionBytes;
  const rest = packed.subarray(levels);
  const size = uncompressedBytes - levels;
  const values = header.isCompressed && size > 0 ? unpack(rest, size, { room }) : rest;
  return {
    repetitions: leaf.repeated === 0 ? undefined : createHybrid(packed, { start: 0, end: repetitionBytes }, bitWidth(leaf.repeated)),
    definitions:
      leaf.definition === 0 ? undefined : createHybrid(packed, { start: repetitionBytes, end: levels }, bitWidth(leaf.definition)),
    values,
  };
}

function checkEncoding(encoding: number): void {
  if (encoding !== encodings.rle)
    throw new PageFault('its levels are written in a form that was given up (BIT_PACKED); write the file again with a newer writer');
}

/** Bits that a level takes. */
export function bitWidth(level: number): number {
  return 32 - Math.clz32(level);
}
