/** Opens the columns of a row group at a row. What was learnt of where pages start, and the dictionaries, stay for the next part of the same group. */
import type { ByteFile } from '../files/byte-file.ts';
import { ChunkBytes } from './chunk-bytes.ts';
import { openCodec } from './codecs.ts';
import type { ColumnCursor } from './cursor.ts';
import { EntryLevels } from './entry-levels.ts';
import { PageFault, placeFault } from './fault.ts';
import type { Field, FieldPlan } from './fields.ts';
import type { Chunk, Group } from './footer.ts';
import { LeafFeed } from './leaf-feed.ts';
import { NestedCursor } from './nested-cursor.ts';
import { PageReader, type PageTable } from './pages.ts';
import { ScalarCursor } from './scalar-cursor.ts';
import { RoomPool, type Rooms } from './room.ts';
import type { SchemaNode } from './schema.ts';
import { VectorCursor } from './vector-cursor.ts';

/** Read at once of a column: a page and its neighbours; of many columns less each, so that all windows together stay small. */
const windowBytes = { most: 1024 * 1024, least: 32 * 1024, together: 16 * 1024 * 1024 };
/** Two readers of a lane may stand in two groups. */
const keptGroups = 2;

/** A field with the way in which it is read now. */
export interface WantedField {
  readonly field: Field;
  readonly plan: FieldPlan;
}

/** Where a field is opened, and with what. */
interface FieldPlace {
  /** Of the group. */
  readonly row: number;
  /** Fields that are read side by side. */
  readonly columns: number;
  readonly rooms: Rooms;
}

export class GroupColumns {
  private readonly file: ByteFile;
  private readonly rooms = new RoomPool();
  /** By group, the latest last; in each by leaf and way of reading. */
  private readonly tables = new Map<number, Map<string, PageTable>>();

  constructor(file: ByteFile) {
    this.file = file;
  }

  /** What a reader opens its fields with; given back when it reads no more. */
  borrowRooms(): Rooms {
    return this.rooms.borrow();
  }

  /** One field of a group, at a row of the group. @throws SLUICE_SOURCE_INVALID */
  async openField(group: Group, wanted: WantedField, at: FieldPlace): Promise<ColumnCursor> {
    const { field, plan } = wanted;
    try {
      const open = async (leaf: SchemaNode): Promise<{ readonly pages: PageReader; readonly rest: number }> => {
        const pages = await this.openPages(group, leaf, { ...at, way: plan.kind === 'scalar' ? plan.values.type : '' });
        return { pages, rest: await pages.seek(at.row) };
      };
      return await openCursor(field.node, plan, open);
    } catch (error) {
      throw placeFault(error, { file: this.file.name, group: group.ordinal, column: field.name });
    }
  }

  /** The levels of one leaf of a group, from its first row on. */
  async openLevels(group: Group, leaf: SchemaNode): Promise<EntryLevels> {
    return new EntryLevels(await this.openPages(group, leaf, { columns: 1, rooms: this.borrowRooms(), way: '' }), leaf);
  }

  private async openPages(
    group: Group,
    leaf: SchemaNode,
    { columns, rooms, way }: Omit<FieldPlace, 'row'> & { readonly way: string },
  ): Promise<PageReader> {
    const chunk = group.chunks[leaf.leaf] as Chunk;
    const least = Math.min(windowBytes.most, Math.max(windowBytes.least, Math.floor(windowBytes.together / columns)));
    const unpack = await openCodec(chunk.codec);
    const bytes = new ChunkBytes(this.file, chunk, { leastBytes: least, room: rooms.take() });
    return new PageReader({
      chunk,
      leaf,
      unpack,
      bytes,
      room: rooms.take(),
      table: this.findTable(group, `${String(leaf.leaf)} ${way}`),
    });
  }

  private findTable({ ordinal }: Group, key: string): PageTable {
    const tables = this.tables.get(ordinal) ?? new Map<string, PageTable>();
    this.tables.delete(ordinal);
    this.tables.set(ordinal, tables);
    const [oldest] = this.tables.keys();
    if (this.tables.size > keptGroups && oldest !== undefined) this.tables.delete(oldest);
    const table = tables.get(key) ?? { pages: [], dictionary: undefined };
    tables.set(key, table);
    return table;
  }
}

type OpenLeaf = (leaf: SchemaNode) => Promise<{ readonly pages: PageReader; readonly rest: number }>;

async function openCursor(node: SchemaNode, plan: FieldPlan, open: OpenLeaf): Promise<ColumnCursor> {
  switch (plan.kind) {
    case 'scalar': {
      const { pages, rest } = await open(plan.leaf);
      const cursor = new ScalarCursor(pages, plan.leaf, plan.values);
      await cursor.skip(rest);
      return cursor;
    }
    case 'vector':
      return new VectorCursor(await openEntries(plan.list.leaf, open), plan.list, plan.dimensions);
    case 'nested': {
      const feeds = new Map<number, LeafFeed>();
      for (const { leaf, values } of plan.leaves) feeds.set(leaf.leaf, new LeafFeed(await openEntries(leaf, open), values));
      if (feeds.size === 0) throw new PageFault('it holds nothing');
      return new NestedCursor(node, feeds);
    }
  }
}

async function openEntries(leaf: SchemaNode, open: OpenLeaf): Promise<EntryLevels> {
  const { pages, rest } = await open(leaf);
  const levels = new EntryLevels(pages, leaf);
  if (!pages.isAtStart || rest > 0) await levels.skipRows(rest);
  return levels;
}
