/** Reads FlatBuffers, the form of Arrow's metadata. Every offset and length is checked against the bytes that are there: a RangeError is all that a lie brings about. */

/** A table: where it stands and where its field list does. */
export interface Table {
  readonly view: DataView;
  readonly at: number;
  readonly fields: number;
  readonly fieldsEnd: number;
}

/** Elements of a list: from where on, and how many. All of them are inside the bytes. */
export interface List {
  readonly at: number;
  readonly length: number;
}

export function openRoot(bytes: Uint8Array): Table {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return openTable(view, view.getUint32(0, true));
}

export function openTable(view: DataView, at: number): Table {
  const fields = at - view.getInt32(at, true);
  if (fields < 0) throw new RangeError('a table has no field list');
  return { view, at, fields, fieldsEnd: fields + view.getUint16(fields, true) };
}

/** Place of a field's value; undefined where the table does not have it. */
function placeOf({ at, fields, fieldsEnd, view }: Table, index: number): number | undefined {
  const slot = fields + 4 + 2 * index;
  if (slot + 2 > fieldsEnd) return undefined;
  const offset = view.getUint16(slot, true);
  return offset === 0 ? undefined : at + offset;
}

export function readByte(table: Table, index: number, otherwise: number): number {
  const at = placeOf(table, index);
  return at === undefined ? otherwise : table.view.getInt8(at);
}

export function readShort(table: Table, index: number, otherwise: number): number {
  const at = placeOf(table, index);
  return at === undefined ? otherwise : table.view.getInt16(at, true);
}

export function readInt(table: Table, index: number, otherwise: number): number {
  const at = placeOf(table, index);
  return at === undefined ? otherwise : table.view.getInt32(at, true);
}

/** A 64-bit count, offset or id: not negative, and small enough to be counted with. */
export function readLong(table: Table, index: number): number {
  const at = placeOf(table, index);
  return at === undefined ? 0 : readCount(table.view, at);
}

export function readCount(view: DataView, at: number): number {
  const value = Number(view.getBigInt64(at, true));
  if (value < 0 || !Number.isSafeInteger(value)) throw new RangeError('a count is negative or too large');
  return value;
}

export function readTable(table: Table, index: number): Table | undefined {
  const at = placeOf(table, index);
  return at === undefined ? undefined : openTable(table.view, at + table.view.getUint32(at, true));
}

/** A list of elements of so many bytes each. */
export function readList(table: Table, index: number, elementBytes: number): List {
  const at = placeOf(table, index);
  if (at === undefined) return { at: 0, length: 0 };
  const start = at + table.view.getUint32(at, true);
  const length = table.view.getUint32(start, true);
  if (start + 4 + length * elementBytes > table.view.byteLength) throw new RangeError('a list is longer than its message');
  return { at: start + 4, length };
}

export function readTables(table: Table, index: number): Table[] {
  const { at, length } = readList(table, index, 4);
  return Array.from({ length }, (_, element) => openTable(table.view, at + 4 * element + table.view.getUint32(at + 4 * element, true)));
}

export function readText(table: Table, index: number): string | undefined {
  if (placeOf(table, index) === undefined) return undefined;
  const { at, length } = readList(table, index, 1);
  const { buffer, byteOffset } = table.view;
  return Buffer.from(buffer, byteOffset + at, length).toString('utf8');
}
