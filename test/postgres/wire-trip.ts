/** Values of one type on their way into the server and back, in every form there is, with the server's own reading of their text beside them. */
import type { Batch, ColumnValues } from '../../src/rows/batch.ts';
import type { ColumnType } from '../../src/rows/schema.ts';
import { encodeArrays, hasArrayForm } from '../../src/target/postgres/wire/arrays.ts';
import { canDecode, createCopyDecoder } from '../../src/target/postgres/wire/decode.ts';
import { createRowEncoder, hasBinaryForm } from '../../src/target/postgres/wire/encode.ts';
import type { PgLink } from '../../src/target/postgres/link.ts';
import type { WireColumn, WireType } from '../../src/target/postgres/wire-column.ts';

/** What became of the values, in their order. */
export interface Trip {
  /** As the server prints them after a COPY in binary, a COPY in text, an INSERT of arrays; undefined where the type has no such form. */
  readonly binary: readonly (string | null)[] | undefined;
  readonly text: readonly (string | null)[];
  readonly arrays: readonly (string | null)[] | undefined;
  /** After a COPY out in binary. */
  readonly decoded: ColumnValues | undefined;
}

export function createBatch(columns: readonly WireColumn[], values: readonly ColumnValues[], rowCount: number): Batch {
  const ordinals = Float64Array.from({ length: rowCount }, (_, row) => row);
  const places = { offsets: ordinals, rows: ordinals, lines: ordinals, raw: () => '' };
  return { columns: columns.map(({ column }) => column), values, rowCount, byteCount: 0, places };
}

export function createColumn(name: string, columnType: ColumnType, type: WireType): WireColumn {
  return { column: { name, field: name, type: columnType, isNullable: true }, type };
}

export const int4Type: WireType = { name: 'int4', oid: 23, typmod: -1, isArray: false, elementOid: 0, kind: 'base' };

/** What the table of a trip has for its column: domains resolved, as the driver reads it. */
export async function readWireType(link: PgLink, declared: string): Promise<WireType> {
  const { rows } = await link.query(
    `select b.oid::int8 as oid, b.typname, b.typtype, b.typarray::int8 as array_oid, coalesce(e.oid, 0)::int8 as element_oid, e.typname as element_name,
            e.typtype as element_kind, p.typmod
       from (select atttypid, atttypmod as typmod from pg_attribute where attrelid = 'trip'::regclass and attname = 'v') as p
       join pg_type t on t.oid = p.atttypid
       join pg_type b on b.oid = case t.typtype when 'd' then t.typbasetype else t.oid end
       left join pg_type e on e.oid = b.typelem and b.typcategory = 'A'`,
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`no column of type ${declared}`);
  const isArray = row['element_name'] !== null;
  const kinds: Readonly<Record<string, WireType['kind']>> = { b: 'base', e: 'enum' };
  return {
    name: String(row[isArray ? 'element_name' : 'typname']),
    oid: Number(row['oid']),
    typmod: Number(row['typmod']),
    isArray,
    elementOid: Number(row['element_oid']),
    arrayOid: Number(row['array_oid']),
    kind: kinds[String(row[isArray ? 'element_kind' : 'typtype'])] ?? 'other',
  };
}

async function readBack(link: PgLink): Promise<readonly (string | null)[]> {
  const { rows } = await link.query("select case when v is not null then format('%s', v) end as v from trip order by i");
  await link.script('truncate trip');
  return rows.map(({ v }) => v as string | null);
}

/** Makes the table `trip` with a column `v` of the declared type. */
export async function makeTable(link: PgLink, declared: string): Promise<WireType> {
  await link.script(`drop table if exists trip; create table trip (i int4, v ${declared})`);
  return readWireType(link, declared);
}

/** Sends the values each way; they must be ones that the column takes. */
export async function takeTrip(link: PgLink, wire: WireColumn, values: ColumnValues): Promise<Trip> {
  const rowCount = values.kind === 'vector' ? values.values.length / values.dimensions : values.values.length;
  const ordinals: ColumnValues = { kind: 'scalar', values: Array.from({ length: rowCount }, (_, row) => row) };
  const columns = [createColumn('i', 'integer', int4Type), wire];
  const batch = createBatch(columns, [ordinals, values], rowCount);
  const rows = Int32Array.from({ length: rowCount }, (_, row) => row);
  const text = await copy('text');
  let decoded: ColumnValues | undefined;
  let binary: readonly (string | null)[] | undefined;
  if (hasBinaryForm(wire)) {
    await send('binary');
    if (canDecode(wire.type)) decoded = await decode(link, wire.type);
    binary = await readBack(link);
  }
  let arrays: readonly (string | null)[] | undefined;
  if (hasArrayForm(wire)) {
    await link.queryEncoded('insert into trip select * from unnest($1, $2)', encodeArrays(columns, batch, rows));
    arrays = await readBack(link);
  }
  return { binary, text, arrays, decoded };

  async function send(format: 'binary' | 'text'): Promise<void> {
    const pieces = createRowEncoder(columns, { format }).pieces(batch, rows);
    await link.copyIn(`copy trip (i, v) from stdin (format ${format})`, pieces);
  }
  async function copy(format: 'binary' | 'text'): Promise<readonly (string | null)[]> {
    await send(format);
    return readBack(link);
  }
}

async function decode(link: PgLink, type: WireType): Promise<ColumnValues | undefined> {
  const decoder = createCopyDecoder([type]);
  for await (const piece of link.copyOut('copy (select v from trip order by i) to stdout (format binary)')) decoder.add(piece);
  decoder.end();
  return decoder.take()[0];
}

/** How the server reads texts of the type when they are assigned to a column, and prints them; null for those that it refuses. */
export async function askServer(link: PgLink, declared: string, texts: readonly string[]): Promise<readonly (string | null)[]> {
  await link.script(`create or replace function wire_read(value text) returns text language plpgsql as $read$
    declare v ${declared};
    begin v := value; return format('%s', v); exception when others then return null; end $read$`);
  const sql = 'select wire_read(value) as v from json_array_elements_text($1::json) with ordinality order by ordinality';
  const { rows } = await link.query(sql, [JSON.stringify(texts)]);
  return rows.map(({ v }) => v as string | null);
}
