/** Rows of a Parquet file as stretches of columns: every column goes forward at its own pages, and a stretch ends where the first of them has no more at hand. */
import { setImmediate } from 'node:timers/promises';
import type { ColumnValues, Position } from '../../rows/batch.ts';
import type { ColumnType } from '../../rows/schema.ts';
import type { ByteFile } from '../files/byte-file.ts';
import { createCancelCheck } from '../cancellation.ts';
import { makeRecords, maxStretchRows, type BlockLayout } from '../database/column-stretch.ts';
import type { ColumnRecords, ReadOptions } from '../source.ts';
import type { GroupColumns, WantedField } from './chunks.ts';
import type { ColumnCursor } from './cursor.ts';
import { PageFault, placeFault } from './fault.ts';
import { fitField, type Field } from './fields.ts';
import type { Footer, Group } from './footer.ts';
import { createByteShare, findGroup } from './parts.ts';

/** What the contract says of a stretch. */
const maxStretchBytes = 512 * 1024;

export interface OpenedParquet {
  readonly file: ByteFile;
  readonly footer: Footer;
  readonly fields: readonly Field[];
  readonly columns: GroupColumns;
}

/** Rows of a part that are still to be read. */
export interface RowsWanted {
  /** Rows of the file. */
  readonly start: number;
  readonly end: number;
  readonly from: Position;
}

/** A field of a group while it is read. */
interface OpenField extends WantedField {
  readonly cursor: ColumnCursor;
}

/** Reads rows in order. @throws SLUICE_SOURCE_INVALID, SLUICE_SOURCE_TOO_LARGE, SLUICE_CANCELLED */
export async function* readRows(
  opened: OpenedParquet,
  rows: RowsWanted,
  options: ReadOptions,
): AsyncGenerator<ColumnRecords, void, undefined> {
  const { file, footer } = opened;
  const wanted = chooseFields(opened, options);
  const layout: BlockLayout = {
    fields: wanted.map(({ field }) => field.name),
    types: wanted.map(({ plan }) => typeOf(plan)),
    identifying: [],
    width: wanted.length,
  };
  const checkCancelled = createCancelCheck(file.name, options.signal);
  const share = createByteShare(footer, file.byteCount);
  let row = rows.start + rows.from.row;
  for (let index = findGroup(footer.groups, row); row < rows.end; index++) {
    const group = footer.groups[index];
    if (group === undefined)
      throw placeFault(new PageFault(`it has ${String(footer.rowCount)} rows, fewer than when the load was planned`), { file: file.name });
    const end = Math.min(rows.end, group.end);
    for await (const block of readGroup(opened, wanted, { group, start: row, end })) {
      checkCancelled();
      const ordinal = row - rows.start;
      row += block.rowCount;
      const place = { start: ordinal, end: { offset: row, row: row - rows.start, line: row - rows.start } };
      yield placeRows(makeRecords({ ...block, byteCount: share(row) - share(row - block.rowCount) }, layout, place), rows.start);
      // Reading local files is synchronous: other events of the thread, a cancel among them, get their turn here.
      await setImmediate();
    }
  }
}

/** Rows of one group, and their values, which are in memory of their own. */
interface Block {
  readonly values: readonly ColumnValues[];
  readonly rowCount: number;
}

/** Blocks of the rows `start … end` of the file, which are rows of one group. */
async function* readGroup(
  { columns, file }: OpenedParquet,
  wanted: readonly WantedField[],
  { end, group, start }: { readonly group: Group; readonly start: number; readonly end: number },
): AsyncGenerator<Block, void, undefined> {
  const rooms = columns.borrowRooms();
  try {
    const open: OpenField[] = [];
    for (const each of wanted)
      open.push({ ...each, cursor: await columns.openField(group, each, { row: start - group.start, columns: wanted.length, rooms }) });
    for (let row = start; row < end;) {
      const block = await takeBlock(open, { maxRows: end - row, file: file.name, group });
      row += block.rowCount;
      yield block;
    }
    if (end === group.end) await checkEnd(open, { file: file.name, group });
  } finally {
    rooms.giveBack();
  }
}

function typeOf(plan: WantedField['plan']): ColumnType {
  return plan.kind === 'scalar' ? plan.values.type : plan.kind === 'vector' ? 'vector' : 'json';
}

/** Fields that are asked for; one at least, for without any nothing would tell whether the rows are there. */
function chooseFields({ fields, footer }: OpenedParquet, { columns }: ReadOptions): readonly WantedField[] {
  const byField = new Map(columns.map((column) => [column.field, column]));
  const wanted = fields.filter(({ name }) => columns.length === 0 || byField.has(name));
  const chosen = wanted.length > 0 ? wanted : fields.filter((field) => field === findCheapest(fields, footer));
  return chosen.map((field) => ({ field, plan: fitField(field, byField.get(field.name)) }));
}

function findCheapest(fields: readonly Field[], { groups }: Footer): Field | undefined {
  const cost = ({ plan }: Field): number =>
    plan.kind === 'scalar'
      ? groups.reduce((sum, { chunks }) => sum + (chunks[plan.leaf.leaf]?.uncompressedBytes ?? 0), 0)
      : Number.POSITIVE_INFINITY;
  return [...fields].sort((a, b) => cost(a) - cost(b))[0];
}

/** Rows and offsets of the file: positions count from the part's start, offsets from the file's. */
function placeRows(records: ColumnRecords, start: number): ColumnRecords {
  return { ...records, places: { ...records.places, offsets: records.places.rows.map((row) => start + row) } };
}

interface BlockPlace {
  readonly maxRows: number;
  readonly file: string;
  readonly group: Group;
}

async function takeBlock(open: readonly OpenField[], place: BlockPlace): Promise<Block> {
  let rows = Math.min(maxStretchRows, place.maxRows);
  for (const { cursor, field } of open) {
    try {
      const ready = await cursor.ready(rows, maxStretchBytes);
      if (ready === 0)
        throw new PageFault(`it ends before the last of the ${String(place.group.end - place.group.start)} rows of its group`);
      rows = ready;
    } catch (error) {
      throw placeFault(error, { file: place.file, group: place.group.ordinal, column: field.name });
    }
  }
  rows = fitBytes(open, rows);
  return { values: open.map(({ cursor }) => cursor.take(rows)), rowCount: rows };
}

/** As many rows as all columns together have room for; one at least. */
function fitBytes(open: readonly OpenField[], ready: number): number {
  let rows = ready;
  while (rows > 1) {
    const bytes = open.reduce((sum, { cursor }) => sum + cursor.measure(rows), 0);
    if (bytes <= maxStretchBytes) break;
    rows = Math.max(1, Math.min(rows - 1, Math.floor((rows * maxStretchBytes) / bytes)));
  }
  return rows;
}

/** A group with more rows than it claims would lose them. */
async function checkEnd(open: readonly OpenField[], { file, group }: Pick<BlockPlace, 'file' | 'group'>): Promise<void> {
  for (const { cursor, field } of open) {
    try {
      if ((await cursor.ready(1, 1)) > 0) throw new PageFault('it has more rows than its group');
    } catch (error) {
      throw placeFault(error, { file, group: group.ordinal, column: field.name });
    }
  }
}
