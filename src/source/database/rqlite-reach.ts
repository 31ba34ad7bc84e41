/** What of an rqlite database is read: its columns, how its rows are told apart, and how many there are. */
import { randomUUID } from 'node:crypto';
import { SluiceError } from '../../errors.ts';
import { readRows, toResultRows, writeStatement } from '../../target/rqlite/answer.ts';
import type { SqlValue } from '../../target/rqlite/json.ts';
import { sendRequest, type RqliteLink } from '../../target/rqlite/link.ts';
import type { ResultRow } from '../../target/driver.ts';
import { quoteIdentifier } from '../../target/sql-text.ts';
import { readDeclaredType, type ReadType } from '../../target/sqlite/column-types.ts';
import type { DatabaseAddress } from './database-url.ts';
import type { SqliteField } from './sqlite-columns.ts';

export interface RqliteReach {
  readonly fields: readonly SqliteField[];
  /** Behind FROM. */
  readonly from: string;
  /** Name of the row id; undefined where there is none, and then the source is one shard. */
  readonly rowid: string | undefined;
  /** What rows are ordered and told apart by, quoted; the row id, else the key; empty for a query. */
  readonly key: readonly string[];
  readonly rowCount: number | undefined;
  /** Row ids of the ends. */
  readonly first: bigint | undefined;
  readonly last: bigint | undefined;
}

const rowidNames = ['rowid', '_rowid_', 'oid'];

/** @throws SLUICE_SOURCE_MISSING, SLUICE_USAGE, SLUICE_TARGET_… */
export async function findRqliteReach(link: RqliteLink, { name, selection }: DatabaseAddress): Promise<RqliteReach> {
  if (selection.kind === 'query') return reachQuery(link, selection.query, name);
  const ask = (sql: string, ...values: SqlValue[]): Promise<readonly ResultRow[]> => askRows(link, sql, values);
  const [row] = await ask(
    `SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ? COLLATE NOCASE`,
    selection.table,
  );
  if (row === undefined) throw await missingTable(link, selection.table, name);
  const table = String(row['name']);
  const columns = await ask(
    `SELECT name, type, "notnull" AS required, pk FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid`,
    table,
  );
  const vectors = await readVectors(link, table);
  const fields = columns.map((column) => {
    const field = String(column['name']);
    const dimensions = vectors.get(field);
    const declared: ReadType | undefined = dimensions === undefined ? readType(column['type']) : { type: 'vector', dimensions };
    return {
      name: field,
      sql: selectColumn(field, declared),
      declared,
      isNullable: Number(column['required']) === 0 && Number(column['pk']) === 0,
    };
  });
  const taken = new Set(fields.map((field) => field.name.toLowerCase()));
  const rowid = row['type'] === 'table' && Number(row['wr']) === 0 ? rowidNames.find((each) => !taken.has(each)) : undefined;
  const key = columns
    .filter((column) => Number(column['pk']) > 0)
    .sort((a, b) => Number(a['pk']) - Number(b['pk']))
    .map((column) => quoteIdentifier(String(column['name'])));
  const from = quoteIdentifier(table);
  const [ends] = await ask(
    `SELECT count(*) AS n${rowid === undefined ? '' : `, min(${rowid}) AS low, max(${rowid}) AS high`} FROM ${from}`,
  );
  return {
    fields,
    from,
    rowid,
    key: rowid === undefined ? key : [rowid],
    rowCount: Number(ends?.['n'] ?? 0),
    first: toId(ends?.['low']),
    last: toId(ends?.['high']),
  };
}

function toId(value: unknown): bigint | undefined {
  return typeof value === 'number' || typeof value === 'bigint' ? BigInt(value) : undefined;
}

async function askRows(link: RqliteLink, sql: string, values: readonly SqlValue[]): Promise<readonly ResultRow[]> {
  return toResultRows(await readRows(link, writeStatement(sql, values), { failsFast: true }));
}

/** A type is known where a column of a table is handed through. */
async function reachQuery(link: RqliteLink, query: string, name: string): Promise<RqliteReach> {
  const { columns = [], types } = await readRows(link, writeStatement(`SELECT * FROM (${query}\n) LIMIT 1`, []), { failsFast: true });
  const lower = columns.map((column) => column.toLowerCase());
  const twice = lower.find((column, index) => lower.indexOf(column) !== index);
  if (twice !== undefined) {
    throw new SluiceError('SLUICE_USAGE', `the query of ${name} gives two columns the name ${twice}`, {
      hint: 'Give each column a name of its own: … AS name.',
    });
  }
  const fields = columns.map((column, index) => {
    const declared = readType(types[index]);
    return { name: column, sql: selectColumn(column, declared), declared, isNullable: true };
  });
  return { fields, from: `(${query}\n)`, rowid: undefined, key: [], rowCount: undefined, first: undefined, last: undefined };
}

function readType(type: unknown): ReadType | undefined {
  return typeof type === 'string' && type.trim() !== '' ? readDeclaredType(type) : undefined;
}

/** The value as it is stored; binary JSON, which means nothing elsewhere, as text. 8: the BLOB is JSONB throughout. */
function selectColumn(name: string, declared: ReadType | undefined): string {
  const column = quoteIdentifier(name);
  if (declared?.type !== 'json') return column;
  return `CASE WHEN typeof(${column}) = 'blob' AND json_valid(${column}, 8) THEN json(${column}) ELSE ${column} END`;
}

async function readVectors(link: RqliteLink, table: string): Promise<ReadonlyMap<string, number>> {
  const [ledger] = await askRows(link, `SELECT 1 AS found FROM sqlite_schema WHERE type = 'table' AND name = 'sluice_vectors'`, []);
  if (ledger === undefined) return new Map();
  const rows = await askRows(link, `SELECT column_name, dimensions FROM sluice_vectors WHERE table_name = ? COLLATE NOCASE`, [table]);
  return new Map(rows.map((row) => [String(row['column_name']), Number(row['dimensions'])]));
}

async function missingTable(link: RqliteLink, table: string, name: string): Promise<SluiceError> {
  const sql = `SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name LIMIT 20`;
  const known = (await askRows(link, sql, [])).map((row) => String(row['name'])).join(', ');
  return new SluiceError('SLUICE_SOURCE_MISSING', `there is no table ${table} in ${name}`, {
    hint: known === '' ? 'The database holds no tables.' : `Its tables are: ${known}.`,
  });
}

/** The number of the last write that the database has seen: equal only where nothing was written since. Where it is not told, never the same twice. */
export async function identifyRqlite(link: RqliteLink): Promise<string> {
  const { status, text } = await sendRequest(link, { method: 'GET', path: '/status', isRead: true });
  const index = status === 200 ? /"db_applied_index"\s*:\s*(\d+)/u.exec(text)?.[1] : undefined;
  return index ?? randomUUID();
}
