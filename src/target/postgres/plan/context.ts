/** What the parts of a plan look at: the request, the table as it stands, the server. Gathered once, changed by nobody. */
import type { Column } from '../../../rows/schema.ts';
import { quoteIdentifier } from '../../sql-text.ts';
import type { Decision, LoadMode, TableDescription, TableRequest, TargetOptions } from '../../driver.ts';
import { applyChanges } from '../catalog/changed-table.ts';
import { catalogTimeoutMs, probeTimeoutMs, readCatalogTable, type CatalogTable } from '../catalog/table.ts';
import { readServerState, type ServerState } from '../catalog/server.ts';
import { describeNewType } from '../catalog/column-types.ts';
import { recognizeFamily, type Family } from './family.ts';
import type { PgLink } from '../link.ts';
import { formatName, parseQualifiedName, quoteName, type QualifiedName } from '../qualified-name.ts';
import { chooseWritingMode } from '../mirror/writing-mode.ts';
import { isTable, toDescription, toWireType } from '../catalog/schema.ts';
import type { WireColumn } from '../wire-column.ts';
import { formatCount } from '../../../count-text.ts';

export interface PlanContext {
  readonly link: PgLink;
  /** Of a sync with the mode in which its rows are written: over a table that is there it asks for what an upsert does. */
  readonly request: TableRequest;
  /** The mode that the caller named. */
  readonly asked: LoadMode;
  readonly options: TargetOptions;
  readonly state: ServerState;
  readonly family: Family;
  /** The table's name as the plan writes it. */
  readonly name: string;
  /** Schema and name of the table, or of the one that will be made. */
  readonly place: QualifiedName;
  /** The schema of `place`, where it is named and exists. */
  readonly schemaState: { readonly canCreate: boolean } | undefined;
  /** A table that differs from a new one's name by case alone. */
  readonly lookalike: string | undefined;
  /** Whatever has the table's name, if not a table. */
  readonly other: CatalogTable | undefined;
  /** As it will be once the load has added and widened its columns. */
  readonly table: CatalogTable | undefined;
  /** As it is now. */
  readonly stored: CatalogTable | undefined;
  readonly description: TableDescription | undefined;
  /** As asked for, else the table's. */
  readonly key: readonly string[];
  /** A free name for the primary key of a table that the load makes. */
  readonly keyName: string;
  /** The load's columns that the table has, or will have. */
  readonly wires: readonly WireColumn[];
  /** Rows that are in the table, estimated. */
  readonly existingRows: number;
}

/** What a part of the plan has to say. */
export interface Advice {
  readonly decisions: readonly Decision[];
  readonly problems: readonly string[];
}

/** Names tried for a key: abandoned loads of one table leave a few at most. */
const maxKeyNames = 20;

export async function gatherContext(link: PgLink, request: TableRequest): Promise<PlanContext> {
  const state = await readServerState(link);
  const found = await readCatalogTable(link, request.table);
  const options = request.options ?? {};
  const stored = found !== undefined && isTable(found) ? found : undefined;
  const table = applyChanges(stored, request.changes ?? [], options);
  const description = table === undefined ? undefined : await toDescription(link, request.table, table);
  const given = parseQualifiedName(request.table);
  const schema = given.schema ?? table?.schema;
  const wires = request.columns.flatMap((column) => describeWire(column, table, options));
  return {
    link,
    request: { ...request, mode: chooseWritingMode(request.mode, table !== undefined) },
    asked: request.mode,
    options,
    state,
    family: recognizeFamily(link.server, state),
    name: formatName(given),
    place: { schema, name: given.name },
    schemaState: schema === undefined ? undefined : await readSchema(link, schema),
    lookalike: found === undefined ? await findLookalike(link, given) : undefined,
    other: table === undefined ? found : undefined,
    table,
    stored,
    description,
    key: request.key.length > 0 ? request.key : (description?.key ?? []),
    keyName: await findKeyName(link, schema ?? state.schema ?? '', given.name),
    wires,
    existingRows: table === undefined || description?.isEmpty === true ? 0 : await estimateRows(link, table, wires),
  };
}

/** psql folds names to lower case where they are not quoted; a plan takes them as they are written, and should say so before a second table is made. */
async function findLookalike(link: PgLink, { schema, name }: QualifiedName): Promise<string | undefined> {
  const { rows } = await link.query(
    `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND lower(c.relname) = lower($1::text) AND CASE WHEN $2::text IS NULL THEN pg_table_is_visible(c.oid) ELSE n.nspname = $2::text END LIMIT 1`,
    [name, schema ?? null],
    { timeoutMs: catalogTimeoutMs },
  );
  const found = rows[0]?.['name'];
  return typeof found === 'string' ? found : undefined;
}

/** Rows that are counted in a table without statistics: a few milliseconds. */
const maxCountedRows = 100_000;

/** By the planner's statistics, scaled to the size of today; without them a small table is counted, and a large one estimated by the width of its rows. */
async function estimateRows(link: PgLink, table: CatalogTable, wires: readonly WireColumn[]): Promise<number> {
  const pages = table.bytes / 8192;
  if (table.rows > 0 && table.pages > 0) return Math.round((table.rows / table.pages) * Math.max(pages, 1));
  const byWidth = Math.max(1, Math.round(table.bytes / estimateRowBytes(wires)));
  if (!table.canSelect || table.isRowSecured) return byWidth;
  const sql = `SELECT count(*) AS n FROM (SELECT FROM ${quoteName(table)} LIMIT ${String(maxCountedRows)}) few`;
  const { rows } = await link.query(sql, [], { timeoutMs: probeTimeoutMs });
  const counted = Number(rows[0]?.['n'] ?? 0);
  return counted < maxCountedRows ? counted : Math.max(counted, byWidth);
}

/** `items_pkey` as PostgreSQL itself would name it, within its 63 bytes; with a number where an earlier table has that name. */
async function findKeyName(link: PgLink, schema: string, table: string): Promise<string> {
  // Cutting may leave half a character, which reads as U+FFFD.
  const stem = `${Buffer.from(table)
    .subarray(0, 55)
    .toString()
    .replace(/\uFFFD+$/u, '')}_pkey`;
  const names = [stem, ...Array.from({ length: maxKeyNames }, (_, at) => `${stem}${String(at + 1)}`)];
  const { rows } = await link.query(
    `SELECT relname::text AS name FROM pg_class WHERE relnamespace = coalesce(to_regnamespace($1::text)::oid, 0)
AND relname IN (SELECT json_array_elements_text($2::text::json))`,
    [quoteIdentifier(schema), JSON.stringify(names)],
    { timeoutMs: catalogTimeoutMs },
  );
  const taken = new Set(rows.map((row) => row['name']));
  return names.find((name) => !taken.has(name)) ?? stem;
}

async function readSchema(link: PgLink, schema: string): Promise<PlanContext['schemaState']> {
  const { rows } = await link.query(
    `SELECT has_schema_privilege(oid, 'CREATE') AS can_create FROM pg_namespace WHERE nspname = $1::text`,
    [schema],
    {
      timeoutMs: catalogTimeoutMs,
    },
  );
  return rows[0] === undefined ? undefined : { canCreate: rows[0]['can_create'] === true };
}

function describeWire(column: Column, table: CatalogTable | undefined, options: TargetOptions): readonly WireColumn[] {
  if (table === undefined) return [{ column, type: describeNewType(column, options) }];
  const found = table.columns.find(({ name }) => name === column.name);
  return found === undefined ? [] : [{ column, type: toWireType(found) }];
}

/** Rows that come; undefined for a stream. */
export function countComing({ request }: Pick<PlanContext, 'request'>): number | undefined {
  return request.expectedRows;
}

/** Header and alignment of a row in a heap page (24 + 4 + padding), and of a value whose length is not known. */
const rowHeaderBytes = 32;
const valueBytes = 32;

/** Bytes of a row in the table, roughly: exact for vectors, a guess for texts. */
function estimateRowBytes(wires: readonly WireColumn[]): number {
  const bytes = wires.map(({ column, type }) => (column.type === 'vector' ? vectorBytes(type.name, column.dimensions ?? 0) : valueBytes));
  return bytes.reduce((sum, each) => sum + each, rowHeaderBytes);
}

/** A stored vector: header of 8 bytes, then 4 or 2 for each number. */
export function vectorBytes(typeName: string, dimensions: number): number {
  return 8 + (typeName === 'halfvec' ? 2 : 4) * dimensions;
}

/** Mean bytes of a row of the input; 0 where it is not known. */
export function meanInputBytes({ request }: Pick<PlanContext, 'request'>): number {
  const { expectedRows, expectedBytes } = request;
  return expectedRows === undefined || expectedBytes === undefined ? 0 : expectedBytes / Math.max(1, expectedRows);
}

/** `1,234` */
export function formatRows(count: number): string {
  return formatCount(count);
}

/** `1.6 GB`, in the units of PostgreSQL's settings (1 MB = 1,024 kB). */
export function formatSize(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const step = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log(bytes) / Math.log(1024)));
  const value = bytes / 1024 ** step;
  return `${value >= 10 || step === 0 ? String(Math.round(value)) : value.toFixed(1)} ${units[step] ?? 'B'}`;
}

/** `8 s`, `3 min`, `2.4 h`: a forecast is no more exact than that. */
export function formatSeconds(seconds: number): string {
  if (seconds < 90) return `${seconds < 9.5 ? seconds.toFixed(1) : String(Math.round(seconds))} s`;
  return seconds < 5400 ? `${String(Math.round(seconds / 60))} min` : `${(seconds / 3600).toFixed(1)} h`;
}
