/** An SQLite table or query as a source: shards are ranges of row ids, and each reader holds one read transaction from its first row to its last. */
import type { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import { SluiceError } from '../../errors.ts';
import type { Position } from '../../rows/batch.ts';
import { quoteIdentifier } from '../../target/sql-text.ts';
import { openSqlite, rollBack, type SqliteFile } from '../../target/sqlite/connect.ts';
import { createCancelCheck } from '../cancellation.ts';
import { makeRecords, maxStretchRows, readBlocks, stretchBytes, type BlockLayout, type ColumnBlock } from './column-stretch.ts';
import { addSelection, type DatabaseAddress } from './database-url.ts';
import { listRanges, readRange, type KeyRange } from './key-range.ts';
import { headSample } from '../sample.ts';
import type { ColumnRecords, DeclaredField, ReadOptions, Sample, Shard, Source, SourceDescriptor } from '../source.ts';
import {
  layOutRows,
  measureRow,
  readQueryFields,
  readTableFields,
  trustDeclared,
  type SqliteField,
  type SqliteRow,
} from './sqlite-columns.ts';
import { toSqliteSourceError } from './sqlite-errors.ts';
import { identifyContent } from './sqlite-identity.ts';
import { estimateRows, findBounds, maxShards } from './sqlite-split.ts';

/** What is read: a table with row ids, or anything else in one piece. */
interface Reach {
  readonly fields: readonly SqliteField[];
  /** Behind FROM. */
  readonly from: string;
  /** Quoted; undefined where there are none, and then the source is one shard. */
  readonly rowid: string | undefined;
  /** Whether VACUUM keeps row ids as they are: where they are a column of the table. */
  readonly hasStableRowid: boolean;
  /** ORDER BY of a source of one shard; empty where the query has its own or none is known. */
  readonly order: string;
}

/** Opens a table or query. `isReopened`: by a lane of a load whose identity is known. @throws SLUICE_SOURCE_… , SLUICE_USAGE */
export async function openSqliteSource(address: DatabaseAddress, isReopened: boolean): Promise<Source> {
  let file: SqliteFile | undefined;
  try {
    file = await openSqlite(address.url, { isReadOnly: true });
    return new SqliteReader(address, file).toSource(isReopened);
  } catch (error) {
    file?.db.close();
    throw toSqliteSourceError(error, address);
  }
}

const guarantee =
  'each lane reads the database as it was when the lane began, and no row with a row id beyond those of the plan; ' +
  'a resume reads what is not done yet as it is then, and refuses a shard whose first rows have changed';

class SqliteReader {
  private readonly address: DatabaseAddress;
  private readonly file: SqliteFile;
  private readonly reach: Reach;

  constructor(address: DatabaseAddress, file: SqliteFile) {
    this.address = address;
    this.file = file;
    this.begin();
    this.reach = findReach(file.db, address);
  }

  toSource(isReopened: boolean): Source {
    const { address, file, reach } = this;
    const rows = reach.rowid === undefined || isReopened ? undefined : estimateRows(file, reach.from, reach.rowid);
    const sample: Sample = isReopened ? { fields: [], stretches: [], meanRowBytes: undefined } : this.readSample(rows);
    const url = addSelection(`sqlite:${encodePath(file.file)}`, address.selection);
    const identity = isReopened ? {} : { identity: this.identify() };
    // `shared` is all that a lane needs to know: the content has been looked at.
    const descriptor: SourceDescriptor = { files: [url], options: { format: 'sqlite' }, shared: 'opened', ...identity };
    return {
      name: address.name,
      format: 'sqlite',
      byteCount: rows === undefined ? undefined : Math.round(rows * (sample.meanRowBytes ?? 0)),
      isSeekable: true,
      descriptor,
      guarantee,
      sample: async () => sample,
      shards: (targetBytes) => this.listShards(targetBytes, sample),
      read: (shard, from, options) => this.read(shard, from, options),
      changed: async (shards) => this.findChanged(shards),
      release: async () => rollBack(file),
      close: async () => {
        if (file.db.isOpen) file.db.close();
      },
    };
  }

  /** One transaction for all that is read: SQLite takes the snapshot with the first read in it. */
  private begin(): void {
    const { db } = this.file;
    if (db.isTransaction) return;
    db.exec('BEGIN');
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
  }

  private identify(): string {
    const { file, reach } = this;
    const table = reach.rowid === undefined ? undefined : { name: reach.from, rowid: reach.rowid };
    const content = identifyContent({ db: file.db, file: file.file, sql: `SELECT * FROM ${reach.from} ${reach.order}`, table });
    return JSON.stringify([file.file, this.address.selection, content]);
  }

  private readSample(rows: number | undefined): Sample {
    const { fields } = this.reach;
    const found: SqliteRow[] = [];
    let bytes = 0;
    for (const row of this.iterate(fields, {}, headSample.maxRows)) {
      found.push(row);
      bytes += measureRow(row);
      if (bytes > headSample.maxBytes) break;
    }
    const block = layOutRows(found, fields, bytes);
    const trusted = fields.map((field, index) => trustDeclared(field, block.values[index]!));
    const layout = layOut(trusted, undefined);
    const end = { offset: 0, row: found.length, line: found.length };
    return {
      fields: fields.map(({ name }) => name),
      stretches: [makeRecords(layOutRows(found, trusted, bytes), layout, { start: 0, end })],
      meanRowBytes: found.length === 0 ? undefined : Math.max(1, bytes / found.length),
      declared: trusted.flatMap(toDeclared),
      estimatedRows: rows,
    };
  }

  private async *listShards(targetBytes: number, sample: Sample): AsyncGenerator<Shard, void, undefined> {
    const { file, reach } = this;
    const { rowid } = reach;
    const rows = sample.estimatedRows ?? 0;
    if (rowid === undefined || rows === 0) {
      yield* listRanges([], rows, '');
      return;
    }
    const wanted = Math.min(maxShards, Math.max(1, Math.ceil((rows * (sample.meanRowBytes ?? 1)) / targetBytes)));
    const { bounds, last } = findBounds(file.db, { from: reach.from, rowid, shards: wanted, rows });
    const version = reach.hasStableRowid ? '' : this.identify();
    for (const shard of listRanges(bounds, rows, version)) {
      const isLast = shard.ordinal === bounds.length;
      // Rows that come later have larger row ids: the last shard ends where the table did, so that no lane sees some of them.
      yield isLast && last !== undefined ? { ...shard, head: JSON.stringify({ ...readRange(shard), upTo: last }) } : shard;
    }
  }

  private async *read(shard: Shard, from: Position, options: ReadOptions): AsyncGenerator<ColumnRecords, void, undefined> {
    const { address, file, reach } = this;
    const wanted = new Set(options.columns.map(({ field }) => field));
    const fields = reach.fields.filter(({ name }) => wanted.size === 0 || wanted.has(name));
    try {
      this.begin();
      const blocks = this.readBlocks(fields, readRange(shard));
      const checkCancelled = createCancelCheck(address.name, options.signal);
      for await (const records of readBlocks(blocks, { name: address.name, layout: layOut(fields, reach.rowid), from, checkCancelled })) {
        yield records;
        // Reading is synchronous: other events of the thread, a Ctrl-C among them, get their turn here.
        await setImmediate();
      }
    } catch (error) {
      throw toSqliteSourceError(error, { ...address, name: file.file });
    }
  }

  private *readBlocks(fields: readonly SqliteField[], range: KeyRange): Generator<ColumnBlock, void, undefined> {
    const columns = this.reach.rowid === undefined ? fields : [...fields, undefined];
    let rows: SqliteRow[] = [];
    let bytes = 0;
    for (const row of this.iterate(fields, range)) {
      rows.push(row);
      bytes += measureRow(row);
      if (bytes < stretchBytes && rows.length < maxStretchRows) continue;
      yield layOutRows(rows, columns, bytes);
      rows = [];
      bytes = 0;
    }
    if (rows.length > 0) yield layOutRows(rows, columns, bytes);
  }

  /** The rows of a range in order, the row id behind the fields. */
  private iterate(fields: readonly SqliteField[], range: KeyRange, limit?: number): Iterable<SqliteRow> {
    const { from, order, rowid } = this.reach;
    const columns = [...fields.map(({ sql }) => sql), ...(rowid === undefined ? [] : [rowid])];
    const bounds =
      rowid === undefined
        ? []
        : [...(range.after === undefined ? [] : [`${rowid} > ?`]), ...(range.upTo === undefined ? [] : [`${rowid} <= ?`])];
    const where = bounds.length === 0 ? '' : `WHERE ${bounds.join(' AND ')}`;
    const tail = limit === undefined ? '' : `LIMIT ${String(limit)}`;
    const statement = this.file.db.prepare(`SELECT ${columns.join(', ')} FROM ${from} ${where} ${order} ${tail}`, {
      readBigInts: true,
      returnArrays: true,
    });
    const parameters =
      rowid === undefined ? [] : [range.after, range.upTo].flatMap((bound) => (bound === undefined ? [] : [BigInt(bound)]));
    return statement.iterate(...parameters) as Iterable<unknown> as Iterable<SqliteRow>;
  }

  /** Row ids that are no column of the table may have been given out anew (VACUUM): then only an unchanged table has its shards still. */
  private findChanged(shards: readonly Shard[]): readonly Shard[] {
    const dated = shards.filter(({ tail }) => tail !== '');
    return dated.length === 0 || dated[0]?.tail === this.identify() ? [] : dated;
  }
}

function layOut(fields: readonly SqliteField[], rowid: string | undefined): BlockLayout {
  return {
    fields: fields.map(({ name }) => name),
    types: fields.map(({ declared }) => declared?.type),
    identifying: rowid === undefined ? fields.map((_, index) => index) : [fields.length],
    width: fields.length,
  };
}

function toDeclared({ declared, isNullable, name }: SqliteField): DeclaredField[] {
  return declared === undefined ? [] : [{ name, ...declared, isNullable }];
}

function encodePath(file: string): string {
  return file.replace(/[%?#]/gu, encodeURIComponent);
}

const rowidNames = ['rowid', '_rowid_', 'oid'];

function findReach(db: DatabaseSync, { name, selection }: DatabaseAddress): Reach {
  if (selection.kind === 'query') {
    const fields = readQueryFields(db.prepare(selection.query));
    if (fields.length === 0)
      throw new SluiceError('SLUICE_USAGE', `the query of ${name} gives no rows`, { hint: 'Only a SELECT can be a source.' });
    checkNames(fields, name);
    return { fields, from: `(${selection.query})`, rowid: undefined, hasStableRowid: false, order: '' };
  }
  const row = db
    .prepare(`SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ? COLLATE NOCASE`)
    .get(selection.table);
  if (row === undefined) throw missingTable(db, selection.table, name);
  const table = String(row['name']);
  const fields = readTableFields(db, table);
  const key = db.prepare(`SELECT name, type FROM pragma_table_xinfo(?) WHERE pk > 0 ORDER BY pk`).all(table);
  const taken = new Set(fields.map((field) => field.name.toLowerCase()));
  const rowid = row['type'] === 'table' && row['wr'] === 0 ? rowidNames.find((each) => !taken.has(each)) : undefined;
  const keyOrder = key.map((column) => quoteIdentifier(String(column['name']))).join(', ');
  const order = rowid ?? keyOrder;
  return {
    fields,
    from: quoteIdentifier(table),
    rowid,
    hasStableRowid: key.length === 1 && /^integer$/iu.test(String(key[0]?.['type'])),
    order: order === '' ? '' : `ORDER BY ${order}`,
  };
}

/** Of two columns with one name only the first could be asked for. */
function checkNames(fields: readonly SqliteField[], source: string): void {
  const names = fields.map(({ name }) => name.toLowerCase());
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return;
  throw new SluiceError('SLUICE_USAGE', `the query of ${source} gives two columns the name ${twice}`, {
    hint: 'Give each column a name of its own: … AS name.',
  });
}

function missingTable(db: DatabaseSync, table: string, name: string): SluiceError {
  const tables = db
    .prepare(
      `SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name LIMIT 20`,
    )
    .all();
  const known = tables.map((row) => String(row['name'])).join(', ');
  return new SluiceError('SLUICE_SOURCE_MISSING', `there is no table ${table} in ${name}`, {
    hint: known === '' ? 'The file holds no tables.' : `Its tables are: ${known}.`,
  });
}
