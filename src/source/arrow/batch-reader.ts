/** One record batch that is being read: its columns by name, row range by row range, and the dictionaries that they point into. */
import { SluiceError } from '../../errors.ts';
import type { ColumnValues } from '../../rows/batch.ts';
import type { ByteFile } from '../files/byte-file.ts';
import { BatchBody } from './body.ts';
import { openCells } from './cell.ts';
import { readChunk, type Chunk } from './chunk.ts';
import { ArrowFault } from './fault.ts';
import { readPlaced, type FileMap, type PlacedBatch, type PlacedDictionary } from './file-map.ts';
import { assignColumns, type Column } from './message.ts';
import { isFloatList, type Field } from './schema.ts';
import { readVectorColumn } from './vector-column.ts';

/** Dictionaries of an open file, by the message that brought them; they are read once a thread. */
export type DictionaryCache = Map<PlacedDictionary, Promise<Chunk>>;

/** What a batch is read out of. */
export interface ArrowSource {
  readonly file: ByteFile;
  readonly map: FileMap;
  readonly cache: DictionaryCache;
}

interface Rows {
  readonly start: number;
  readonly end: number;
}

export class BatchReader {
  private readonly source: ArrowSource;
  private readonly placed: PlacedBatch;
  private readonly body: BatchBody;
  private readonly columns: readonly Column[];

  private constructor(source: ArrowSource, placed: PlacedBatch, { body, columns }: { body: BatchBody; columns: readonly Column[] }) {
    this.source = source;
    this.placed = placed;
    this.body = body;
    this.columns = columns;
  }

  /** `checkCancelled` throws where nobody waits for the rows any more: a compressed batch may have much to pass over. */
  static async open(source: ArrowSource, placed: PlacedBatch, checkCancelled?: () => void): Promise<BatchReader> {
    const found = await readPlaced(source.file, placed.start);
    if (found?.message.kind !== 'batch') throw new ArrowFault(placed.start, 'there is no record batch any more');
    const { batch } = found.message;
    const body = new BatchBody({ file: source.file, start: found.placed.bodyStart, batch, checkCancelled });
    return new BatchReader(source, placed, { body, columns: assignColumns(source.map.fields, batch) });
  }

  /** Rows of a column, counted from the batch's first one. */
  async readChunk(name: string, rows: Rows): Promise<Chunk> {
    const column = this.columns.find(({ field }) => field.name === name);
    if (column === undefined) throw new ArrowFault(this.placed.start, `it has no column ${JSON.stringify(name)}`);
    return readChunk(this.body, column, rows);
  }

  /** The values of a chunk: vectors of so many numbers where those are wanted. */
  async readValues(chunk: Chunk, dimensions: number | undefined): Promise<ColumnValues> {
    const dictionaries = await this.openDictionaries(chunk.field);
    if (dimensions !== undefined && isFloatList(chunk.field)) return readVectorColumn(chunk, dimensions, dictionaries);
    const cells = openCells(chunk, dictionaries);
    return { kind: 'scalar', values: Array.from({ length: chunk.count }, (_, row) => cells(row)) };
  }

  /** Ends what is being decompressed; the values that were read stay. */
  async close(): Promise<void> {
    await this.body.close();
  }

  private async openDictionaries(field: Field): Promise<ReadonlyMap<number, readonly Chunk[]>> {
    const found = new Map<number, readonly Chunk[]>();
    for (const used of listDictionaries(field)) {
      const id = used.dictionary?.id ?? -1;
      if (!found.has(id)) found.set(id, await Promise.all(this.listParts(id).map((part) => this.openDictionary(part, used))));
    }
    return found;
  }

  /** The messages that make up a dictionary at this batch: the last whole one, and what was added to it since. */
  private listParts(id: number): readonly PlacedDictionary[] {
    const before = this.source.map.dictionaries.slice(0, this.placed.dictionaryCount).filter((dictionary) => dictionary.id === id);
    const last = before.findLastIndex(({ isDelta }) => !isDelta);
    return before.slice(Math.max(0, last));
  }

  private openDictionary(placed: PlacedDictionary, field: Field): Promise<Chunk> {
    const { cache, file } = this.source;
    const known = cache.get(placed) ?? readDictionary(file, placed, field);
    cache.set(placed, known);
    return known;
  }
}

async function readDictionary(file: ByteFile, placed: PlacedDictionary, field: Field): Promise<Chunk> {
  const found = await readPlaced(file, placed.start);
  if (found?.message.kind !== 'dictionary') throw new ArrowFault(placed.start, 'there is no dictionary any more');
  const { batch } = found.message;
  const [column] = assignColumns([{ ...field, dictionary: undefined }], batch);
  if (column === undefined) throw new ArrowFault(placed.start, 'a dictionary has no values');
  const body = new BatchBody({ file, start: found.placed.bodyStart, batch });
  try {
    return await readChunk(body, column, { start: 0, end: batch.rowCount });
  } finally {
    await body.close();
  }
}

/** Fields of a column, itself among them, that point into dictionaries; those of a dictionary's own values too. */
function listDictionaries(field: Field): readonly Field[] {
  const inner = field.children.flatMap(listDictionaries);
  return field.dictionary === undefined ? inner : [field, ...inner];
}

/** @throws SLUICE_SOURCE_INVALID for a column of a type that can't be read */
export function refuseUnread({ name, type }: Field, file: string): void {
  if (type.kind !== 'unread') return;
  throw new SluiceError(
    'SLUICE_SOURCE_INVALID',
    `the column ${JSON.stringify(name)} of ${file} is of type ${type.name}, which can't be read`,
    {
      hint: `Leave it out with --skip-column ${name}, or write it as another type.`,
    },
  );
}
