/** Arrow's messages: what each says of the body that follows it. Counts are checked here, bytes when they are read. */
import { openRoot, readByte, readCount, readList, readLong, readTable, type Table } from './flatbuffer.ts';
import type { Field } from './schema.ts';

/** Rows in all, however they are laid out. */
export interface BatchNode {
  readonly length: number;
  readonly nullCount: number;
}

export interface BufferRange {
  readonly offset: number;
  readonly length: number;
}

export type Codec = 'lz4' | 'zstd';

/** A record batch: a node for every field and field of a field, and the buffers of all of them, in one order. */
export interface RecordBatch {
  readonly rowCount: number;
  readonly nodes: readonly BatchNode[];
  readonly buffers: readonly BufferRange[];
  readonly codec: Codec | undefined;
  /** Per column of views, how many buffers its long values stand in. */
  readonly variadic: readonly number[];
}

export type Message =
  | { readonly kind: 'schema'; readonly table: Table; readonly bodyBytes: number }
  | { readonly kind: 'batch'; readonly batch: RecordBatch; readonly bodyBytes: number }
  | {
      readonly kind: 'dictionary';
      readonly id: number;
      readonly isDelta: boolean;
      readonly batch: RecordBatch;
      readonly bodyBytes: number;
    };

/** Rows of one batch; more could not be numbered in a column's offsets either. */
const maxBatchRows = 2 ** 31;

/** @throws RangeError */
export function readMessage(metadata: Uint8Array): Message {
  const root = openRoot(metadata);
  const header = readTable(root, 2);
  const bodyBytes = readLong(root, 3);
  const kind = readByte(root, 1, 0);
  if (header !== undefined && kind === 1) return { kind: 'schema', table: header, bodyBytes };
  if (header !== undefined && kind === 3) return { kind: 'batch', batch: readBatch(header, bodyBytes), bodyBytes };
  const data = header !== undefined && kind === 2 ? readTable(header, 1) : undefined;
  if (header === undefined || data === undefined) throw new RangeError('a message is of no known kind');
  return {
    kind: 'dictionary',
    id: readLong(header, 0),
    isDelta: readByte(header, 2, 0) !== 0,
    batch: readBatch(data, bodyBytes),
    bodyBytes,
  };
}

const codecs: readonly Codec[] = ['lz4', 'zstd'];

function readBatch(table: Table, bodyBytes: number): RecordBatch {
  const { view } = table;
  const rowCount = readLong(table, 0);
  if (rowCount > maxBatchRows) throw new RangeError('a batch has too many rows');
  const nodes = readList(table, 1, 16);
  const buffers = readList(table, 2, 16);
  const compression = readTable(table, 3);
  const codec = compression === undefined ? undefined : codecs[readByte(compression, 0, 0)];
  if (compression !== undefined && codec === undefined) throw new RangeError('a batch is compressed in no known way');
  const variadic = readList(table, 4, 8);
  return {
    rowCount,
    codec,
    nodes: Array.from({ length: nodes.length }, (_, node) => ({
      length: readCount(view, nodes.at + 16 * node),
      nullCount: readCount(view, nodes.at + 16 * node + 8),
    })),
    buffers: Array.from({ length: buffers.length }, (_, buffer) => readRange(view, buffers.at + 16 * buffer, bodyBytes)),
    variadic: Array.from({ length: variadic.length }, (_, column) => readCount(view, variadic.at + 8 * column)),
  };
}

function readRange(view: DataView, at: number, bodyBytes: number): BufferRange {
  const offset = readCount(view, at);
  const length = readCount(view, at + 8);
  if (offset + length > bodyBytes) throw new RangeError('a buffer reaches beyond its message');
  return { offset, length };
}

/** A column of one batch: its node, and which buffers are its own. */
export interface Column {
  readonly field: Field;
  readonly length: number;
  readonly nullCount: number;
  readonly buffers: readonly number[];
  readonly children: readonly Column[];
}

/** Buffers of each kind of column: validity first, where there is one. */
function countBuffers({ dictionary, type }: Field, variadic: number): number {
  if (dictionary !== undefined) return 2;
  if (type.kind === 'null') return 0;
  if (type.kind === 'unread') return type.buffers;
  if (type.kind === 'struct' || type.kind === 'fixed_list') return 1;
  if (type.kind === 'text' || type.kind === 'binary') return type.isView ? 2 + variadic : 3;
  return 2;
}

/** Which nodes and buffers are whose. @throws RangeError where there are fewer than the schema needs, or columns differ in length */
export function assignColumns(fields: readonly Field[], batch: RecordBatch): readonly Column[] {
  let node = 0;
  let buffer = 0;
  let view = 0;
  const assign = (field: Field): Column => {
    const { length, nullCount } = batch.nodes[node++] ?? missing();
    const isView = field.dictionary === undefined && 'isView' in field.type && field.type.isView;
    const count = countBuffers(field, isView ? (batch.variadic[view++] ?? missing()) : 0);
    if (buffer + count > batch.buffers.length) missing();
    const buffers = Array.from({ length: count }, () => buffer++);
    const children = field.dictionary === undefined ? field.children.map(assign) : [];
    return { field, length, nullCount, buffers, children };
  };
  const columns = fields.map(assign);
  if (columns.some(({ length }) => length !== batch.rowCount)) throw new RangeError('the columns of a batch differ in length');
  return columns;
}

function missing(): never {
  throw new RangeError('a batch has fewer buffers than its schema needs');
}
