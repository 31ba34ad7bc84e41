/** A table or query of rqlite as a source, over its HTTP API: shards are ranges of row ids, read page by page, each page one bounded answer. */
import type { Position } from '../../rows/batch.ts';
import { readRows, writeStatement } from '../../target/rqlite/answer.ts';
import { parseRqliteUrl } from '../../target/rqlite/address.ts';
import { closeLink, defaultLeaderTimeoutMs, openLink, type RqliteLink } from '../../target/rqlite/link.ts';
import { createCancelCheck } from '../cancellation.ts';
import { readExactly, selectExactly } from './rqlite-values.ts';
import { makeRecords, readBlocks, type BlockLayout, type ColumnBlock } from './column-stretch.ts';
import { addSelection, type DatabaseAddress } from './database-url.ts';
import { listRanges, readRange, type KeyRange } from './key-range.ts';
import { findRqliteReach, identifyRqlite, type RqliteReach } from './rqlite-reach.ts';
import { toRqliteSourceError } from './rqlite-errors.ts';
import { headSample } from '../sample.ts';
import type { ColumnRecords, DeclaredField, ReadOptions, Sample, Shard, Source, SourceDescriptor } from '../source.ts';
import { layOutRows, measureRow, trustDeclared, type SqliteField, type SqliteRow } from './sqlite-columns.ts';

/** Bytes of values that a page is cut for: as JSON it is two to four times as much, and it is held as a whole. */
const pageBytes = 1024 * 1024;
const firstPageRows = 256;
const maxPageRows = 8_192;
/** Up to this many rows the cuts are found by walking over all row ids, on the server. */
const maxWalkedRows = 2_000_000;
/** The ledger has a row a shard; a shard costs a page at least. */
const maxShards = 5_000;
/** Rows that are read before the first ones are known to be larger: a sample is one page. */
const sampleRows = 500;

/** Opens a table or query. `shared`: the URL of a session, for its lanes. @throws SLUICE_SOURCE_…, SLUICE_USAGE */
export async function openRqliteSource(address: DatabaseAddress, shared: string | undefined): Promise<Source> {
  const url = shared ?? address.url;
  const link = openLink(parseRqliteUrl(url), defaultLeaderTimeoutMs);
  try {
    const reach = await findRqliteReach(link, address);
    const reader = new RqliteReader(address, link, reach);
    return shared === undefined
      ? await reader.openSession(url)
      : reader.toSource({ fields: [], stretches: [], meanRowBytes: undefined }, {});
  } catch (error) {
    closeLink(link);
    throw toRqliteSourceError(error, address);
  }
}

/** A page of rows, and the key that the next one begins behind. */
interface Page {
  readonly rows: readonly SqliteRow[];
  readonly bytes: number;
}

class RqliteReader {
  private readonly address: DatabaseAddress;
  private readonly link: RqliteLink;
  private readonly reach: RqliteReach;

  constructor(address: DatabaseAddress, link: RqliteLink, reach: RqliteReach) {
    this.address = address;
    this.link = link;
    this.reach = reach;
  }

  async openSession(url: string): Promise<Source> {
    const sample = await this.readSample();
    const identity = JSON.stringify([this.address.publicUrl, this.address.selection, await identifyRqlite(this.link)]);
    return this.toSource(sample, { shared: url, identity });
  }

  toSource(sample: Sample, session: Pick<SourceDescriptor, 'shared' | 'identity'>): Source {
    const { address, link, reach } = this;
    const { estimatedRows, meanRowBytes } = sample;
    return {
      name: address.name,
      format: 'rqlite',
      byteCount: estimatedRows === undefined ? undefined : Math.round(estimatedRows * (meanRowBytes ?? 0)),
      isSeekable: true,
      descriptor: { files: [addSelection(address.publicUrl, address.selection)], options: { format: 'rqlite' }, ...session },
      guarantee: describeGuarantee(reach),
      sample: async () => sample,
      shards: (targetBytes) => this.listShards(targetBytes, sample),
      read: (shard, from, options) => this.read(shard, from, options),
      // Rows before a position are compared when they are read past.
      changed: async () => [],
      close: async () => closeLink(link),
    };
  }

  private async readSample(): Promise<Sample> {
    const { fields } = this.reach;
    const { bytes, rows } = await this.readPage(fields, {
      range: {},
      behind: undefined,
      passed: 0,
      limit: Math.min(sampleRows, headSample.maxRows),
    });
    const block = layOutRows(rows, fields, bytes);
    const trusted = fields.map((field, index) => trustDeclared(field, block.values[index]!));
    const end = { offset: 0, row: rows.length, line: rows.length };
    return {
      fields: fields.map(({ name }) => name),
      stretches: [makeRecords(layOutRows(rows, trusted, bytes), layOut(trusted, []), { start: 0, end })],
      meanRowBytes: rows.length === 0 ? undefined : Math.max(1, bytes / rows.length),
      declared: trusted.flatMap(toDeclared),
      estimatedRows: this.reach.rowCount,
    };
  }

  private async *listShards(targetBytes: number, { estimatedRows = 0, meanRowBytes = 1 }: Sample): AsyncGenerator<Shard, void, undefined> {
    const { last, rowid } = this.reach;
    if (rowid === undefined || last === undefined) {
      yield* listRanges([], estimatedRows, '');
      return;
    }
    const wanted = Math.min(maxShards, Math.max(1, Math.ceil((estimatedRows * meanRowBytes) / targetBytes)));
    const bounds = await this.findBounds(rowid, wanted, estimatedRows);
    for (const shard of listRanges(bounds, estimatedRows, '')) {
      // Rows that come later have larger row ids: the last shard ends where the table did.
      yield shard.ordinal === bounds.length ? { ...shard, head: JSON.stringify({ ...readRange(shard), upTo: String(last) }) } : shard;
    }
  }

  private async findBounds(rowid: string, shards: number, rows: number): Promise<readonly string[]> {
    const { first = 0n, from, last = 0n } = this.reach;
    if (shards <= 1) return [];
    if (rows > maxWalkedRows) {
      const span = last - first;
      return Array.from({ length: shards - 1 }, (_, index) => String(first + (span * BigInt(index + 1)) / BigInt(shards)));
    }
    const step = String(Math.max(1, Math.ceil(rows / shards)));
    const sql = `SELECT id FROM (SELECT ${rowid} AS id, row_number() OVER (ORDER BY ${rowid}) AS place FROM ${from}) WHERE place % ${step} = 0`;
    const { values } = await readRows(this.link, writeStatement(sql, []));
    return values
      .map(([id]) => BigInt(String(id)))
      .filter((id) => id < last)
      .map(String);
  }

  private async *read(shard: Shard, from: Position, options: ReadOptions): AsyncGenerator<ColumnRecords, void, undefined> {
    const { address, reach } = this;
    const wanted = new Set(options.columns.map(({ field }) => field));
    const fields = reach.fields.filter(({ name }) => wanted.size === 0 || wanted.has(name));
    const checkCancelled = createCancelCheck(address.name, options.signal);
    try {
      const blocks = this.readPages(fields, readRange(shard), options.signal);
      yield* readBlocks(blocks, { name: address.name, layout: layOut(fields, reach.key), from, checkCancelled });
    } catch (error) {
      checkCancelled();
      throw toRqliteSourceError(error, address);
    }
  }

  /** Page after page; the next one is asked for while one is worked on. */
  private async *readPages(
    fields: readonly SqliteField[],
    range: KeyRange,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<ColumnBlock, void, undefined> {
    const { key } = this.reach;
    const columns = [...fields, ...key.map(() => undefined)];
    let limit = firstPageRows;
    let passed = 0;
    let next = this.readPage(fields, { range, behind: undefined, passed, limit, signal });
    for (;;) {
      const { bytes, rows } = await next;
      if (rows.length === 0) return;
      passed += rows.length;
      const isLast = rows.length < limit;
      const behind = rows.at(-1)?.slice(fields.length);
      const fitting = Math.floor((pageBytes * rows.length) / Math.max(1, bytes));
      limit = Math.min(maxPageRows, limit * 4, Math.max(1, fitting));
      if (!isLast) {
        next = this.readPage(fields, { range, behind, passed, limit, signal });
        // Whoever waits for it hears of its failure; who stops before has no use for it.
        next.catch(() => undefined);
      }
      yield layOutRows(rows, columns, bytes);
      if (isLast) return;
    }
  }

  private async readPage(fields: readonly SqliteField[], page: PageRequest): Promise<Page> {
    const { from, key } = this.reach;
    const columns = [...fields.map(({ sql }) => sql), ...key];
    const bounds = [
      ...(page.range.after === undefined ? [] : [{ test: `${key[0] ?? ''} > ?`, values: [BigInt(page.range.after)] }]),
      ...(page.range.upTo === undefined ? [] : [{ test: `${key[0] ?? ''} <= ?`, values: [BigInt(page.range.upTo)] }]),
      ...(page.behind === undefined || key.length === 0
        ? []
        : [{ test: `(${key.join(', ')}) > (${key.map(() => '?').join(', ')})`, values: page.behind }]),
    ];
    const where = bounds.length === 0 ? '' : ` WHERE ${bounds.map(({ test }) => test).join(' AND ')}`;
    const order = key.length === 0 ? '' : ` ORDER BY ${key.join(', ')}`;
    const offset = key.length === 0 && page.passed > 0 ? ` OFFSET ${String(page.passed)}` : '';
    const sql = `SELECT ${selectExactly(columns)} FROM ${from}${where}${order} LIMIT ${String(page.limit)}${offset}`;
    const statement = writeStatement(
      sql,
      bounds.flatMap(({ values }) => values),
    );
    const { values } = await readRows(this.link, statement, { level: 'weak', signal: page.signal });
    let bytes = 0;
    const rows = values.map((row): SqliteRow => {
      const read = readExactly(row);
      bytes += measureRow(read);
      return read;
    });
    return { rows, bytes };
  }
}

interface PageRequest {
  readonly range: KeyRange;
  /** The key of the last row of the page before. */
  readonly behind: SqliteRow | undefined;
  /** Rows before the page, for what has no key. */
  readonly passed: number;
  readonly limit: number;
  readonly signal?: AbortSignal | undefined;
}

function layOut(fields: readonly SqliteField[], key: readonly string[]): BlockLayout {
  return {
    fields: fields.map(({ name }) => name),
    types: fields.map(({ declared }) => declared?.type),
    identifying: key.length === 0 ? fields.map((_, index) => index) : key.map((_, index) => fields.length + index),
    width: fields.length,
  };
}

function toDeclared({ declared, isNullable, name }: SqliteField): DeclaredField[] {
  return declared === undefined ? [] : [{ name, ...declared, isNullable }];
}

function describeGuarantee({ key, rowid }: RqliteReach): string {
  const later = 'a resume reads what is not done yet as it is then, and refuses a shard whose first rows have changed';
  if (rowid !== undefined) {
    return `the table is read page by page, each as it is when it is read, and no row with a row id beyond those of the plan: rqlite holds no snapshot over several requests; ${later}`;
  }
  if (key.length > 0)
    return `the table is read page by page in the order of its key, each as it is when it is read: rqlite holds no snapshot over several requests; ${later}`;
  return `the query is run anew for each page: rows are read once each only while nobody writes to what it reads, and it has an ORDER BY; ${later}`;
}
