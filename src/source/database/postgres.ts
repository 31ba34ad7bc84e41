/** A PostgreSQL table or query as a source: binary COPY TO, cut by key or by page, all lanes under one snapshot. */
import type { Position } from '../../rows/batch.ts';
import { createCopyDecoder } from '../../target/postgres/wire/decode.ts';
import type { PgLink } from '../../target/postgres/link.ts';
import { createCancelCheck } from '../cancellation.ts';
import { makeRecords, maxStretchRows, readBlocks, stretchBytes, type ColumnBlock } from './column-stretch.ts';
import { addSelection, type DatabaseAddress } from './database-url.ts';
import { listRanges, readRange } from './key-range.ts';
import type { PostgresField } from './postgres-columns.ts';
import { toSourceError } from './postgres-errors.ts';
import { findReach, layOut, listColumns, writeSelect, type Reach } from './postgres-reach.ts';
import { beginReading, copyInTransaction, exportSnapshot, openReaderLink, readShared, type SharedSession } from './postgres-session.ts';
import { findPages, findQuantiles, maxShards, readServerVersion, readVersion, type TableVersion } from './postgres-split.ts';
import { createReadQueue } from './read-queue.ts';
import { headSample } from '../sample.ts';
import type { ColumnRecords, DeclaredField, ReadOptions, Sample, Shard, Source, SourceDescriptor } from '../source.ts';

/** What is known of the content when the source is opened for a load. */
interface Content {
  readonly sample: Sample;
  /** undefined for what is read as a whole. */
  readonly size: TableVersion | undefined;
  readonly identity: string;
}

/** Opens a table or query; `shared`: of the session that this reader belongs to. @throws SLUICE_SOURCE_… , SLUICE_USAGE, SLUICE_PACKAGE_MISSING */
export async function openPostgresSource(address: DatabaseAddress, sharedText: string | undefined): Promise<Source> {
  const shared = readShared(sharedText);
  let link: PgLink | undefined;
  try {
    link = await openReaderLink(address, shared?.url ?? address.url);
    const reader = new PostgresReader(address, link, shared);
    return shared === undefined ? await reader.openMain() : await reader.openLane();
  } catch (error) {
    await link?.close();
    throw toSourceError(error, address.name);
  }
}

class PostgresReader {
  private readonly address: DatabaseAddress;
  private readonly link: PgLink;
  private readonly shared: SharedSession | undefined;
  /** Of the database in process: it has one session, which the target may need for its own transactions. */
  private readonly holdsTransaction: boolean;
  private isReading = false;
  private readonly queue = createReadQueue();

  constructor(address: DatabaseAddress, link: PgLink, shared: SharedSession | undefined) {
    this.address = address;
    this.link = link;
    this.shared = shared;
    this.holdsTransaction = address.scheme !== 'pglite';
  }

  /** For the load itself: looks at the content, and holds the snapshot that the lanes share. */
  async openMain(): Promise<Source> {
    const { address, link } = this;
    await this.begin();
    const snapshot = this.holdsTransaction ? await exportSnapshot(link) : undefined;
    const reach = await findReach(link, address);
    const content = await this.readContent(reach);
    const shared: SharedSession = { url: address.url, snapshot };
    return this.toSource(reach, content, {
      shared: JSON.stringify(shared),
      identity: content.identity,
      hasOneReader: snapshot === undefined,
    });
  }

  /** For a lane: reads ranges under the session's snapshot. */
  async openLane(): Promise<Source> {
    await this.begin();
    const reach = await findReach(this.link, this.address);
    const sample: Sample = { fields: reach.fields.map(({ name }) => name), stretches: [], meanRowBytes: undefined };
    return this.toSource(reach, { sample, size: undefined, identity: '' }, {});
  }

  private toSource(
    reach: Reach,
    { sample, size }: Content,
    session: Pick<SourceDescriptor, 'shared' | 'identity'> & { readonly hasOneReader?: boolean },
  ): Source {
    const { address, link } = this;
    const { hasOneReader, ...told } = session;
    const descriptor: SourceDescriptor = {
      files: [addSelection(address.publicUrl, address.selection)],
      options: { format: address.scheme },
      ...told,
    };
    return {
      name: address.name,
      format: address.scheme,
      byteCount: size === undefined ? undefined : Math.round(size.rows * (sample.meanRowBytes ?? 0)),
      isSeekable: true,
      hasOneReader,
      descriptor,
      guarantee: describeGuarantee(reach, hasOneReader === true),
      sample: async () => sample,
      shards: (targetBytes) => this.listShards(reach, { sample, size, targetBytes }),
      read: (shard, from, options) => this.read(reach, shard, { from, options }),
      changed: (shards) => this.findChanged(reach, shards),
      release: () => this.release(),
      close: () => link.close(),
    };
  }

  private async begin(): Promise<void> {
    if (this.isReading || !this.holdsTransaction) return;
    await beginReading(this.link, this.shared?.snapshot);
    this.isReading = true;
  }

  private async release(): Promise<void> {
    if (!this.isReading || this.link.isBroken) return;
    this.isReading = false;
    await this.link.script('COMMIT');
  }

  private async readContent(reach: Reach): Promise<Content> {
    const { address, link } = this;
    const { fields, from, relation, table } = reach;
    const size =
      table === undefined || relation === undefined || reach.cut === 'whole' ? undefined : await readVersion(link, table, relation);
    const blocks = await Array.fromAsync(
      this.copyBlocks(`SELECT ${listColumns(fields)} FROM ${from} LIMIT ${String(headSample.maxRows)}`, fields),
    );
    const layout = layOut(fields, fields);
    const stretches = blocks.map((block) => makeRecords(block, layout, { start: 0, end: { offset: 0, row: block.rowCount, line: 0 } }));
    const rows = blocks.reduce((sum, block) => sum + block.rowCount, 0);
    const bytes = blocks.reduce((sum, block) => sum + block.byteCount, 0);
    const version = size?.version ?? (await readServerVersion(link));
    const sample: Sample = {
      fields: fields.map(({ name }) => name),
      stretches,
      meanRowBytes: rows === 0 ? undefined : Math.max(1, bytes / rows),
      declared: fields.map((field) => toDeclared(field, stretches)),
      estimatedRows: size?.rows,
    };
    return { sample, size, identity: JSON.stringify([address.publicUrl, address.selection, version]) };
  }

  private async *listShards(
    reach: Reach,
    { sample, size, targetBytes }: { readonly sample: Sample; readonly size: TableVersion | undefined; readonly targetBytes: number },
  ): AsyncGenerator<Shard, void, undefined> {
    const { cut, key, relation, table } = reach;
    const rows = size?.rows ?? 0;
    const shards = Math.min(maxShards, Math.max(1, Math.ceil((rows * (sample.meanRowBytes ?? 1)) / targetBytes)));
    if (cut === 'key' && key !== undefined && table !== undefined) {
      yield* listRanges(await findQuantiles(this.link, { table: `ONLY ${table}`, key, rows, shards }), rows, '');
      return;
    }
    // An updated row moves to another page, and so perhaps into a shard that is done: pages stand for rows only while nobody writes.
    if (cut === 'pages' && relation !== undefined) yield* listRanges(findPages(relation, shards), rows, size?.version ?? '');
    else yield* listRanges([], 0, '');
  }

  private async *read(
    reach: Reach,
    shard: Shard,
    { from, options }: { readonly from: Position; readonly options: ReadOptions },
  ): AsyncGenerator<ColumnRecords, void, undefined> {
    const { address } = this;
    const wanted = new Set(options.columns.map(({ field }) => field));
    const fields = reach.fields.filter(({ name }) => wanted.size === 0 || wanted.has(name));
    const key = reach.fields.find(({ name }) => name === reach.key?.name);
    const isKeyWanted = key === undefined || fields.includes(key);
    const columns = isKeyWanted ? fields : [...fields, key];
    const layout = layOut(fields, columns, key);
    const checkCancelled = createCancelCheck(address.name, options.signal);
    const leave = await this.queue.enter();
    try {
      await this.begin();
      const blocks = this.copyBlocks(writeSelect(reach, columns, readRange(shard)), columns, options.signal);
      yield* readBlocks(blocks, { name: address.name, layout, from, checkCancelled });
    } catch (error) {
      checkCancelled();
      throw toSourceError(error, address.name);
    } finally {
      leave();
    }
  }

  private async *copyBlocks(
    select: string,
    fields: readonly PostgresField[],
    signal?: AbortSignal,
  ): AsyncGenerator<ColumnBlock, void, undefined> {
    const decoder = createCopyDecoder(fields.map(({ wire }) => wire));
    const sql = `COPY (${select}\n) TO STDOUT (FORMAT binary)`;
    const pieces = this.holdsTransaction ? copyInTransaction(this.link, sql, signal) : this.link.copyOut(sql, { signal, timeoutMs: 0 });
    let bytes = 0;
    for await (const piece of pieces) {
      decoder.add(piece);
      bytes += piece.length;
      const { rowCount } = decoder;
      if (rowCount === 0 || (bytes < stretchBytes && rowCount < maxStretchRows)) continue;
      yield { values: decoder.take(), rowCount, byteCount: bytes };
      bytes = 0;
    }
    const { rowCount } = decoder;
    if (rowCount > 0) yield { values: decoder.take(), rowCount, byteCount: bytes };
    decoder.end();
  }

  private async findChanged(reach: Reach, shards: readonly Shard[]): Promise<readonly Shard[]> {
    const dated = shards.filter(({ tail }) => tail !== '');
    const { relation, table } = reach;
    if (dated.length === 0 || relation === undefined || table === undefined) return [];
    await this.begin();
    const { version } = await readVersion(this.link, table, relation);
    return dated.filter(({ tail }) => tail !== version);
  }
}

/** A vector of a query has no dimension in its type: the sampled ones tell. */
function toDeclared({ dimensions, isNullable, name, type }: PostgresField, stretches: readonly ColumnRecords[]): DeclaredField {
  if (type !== 'vector') return { name, type, isNullable };
  const sampled = stretches.map(({ fields, values }) => values[fields.indexOf(name)]).find((column) => column?.kind === 'vector');
  const found = dimensions ?? (sampled?.kind === 'vector' && sampled.dimensions > 0 ? sampled.dimensions : undefined);
  return found === undefined ? { name, type, isNullable } : { name, type, dimensions: found, isNullable };
}

function describeGuarantee({ cut }: Reach, hasOneReader: boolean): string {
  const now = hasOneReader ? 'one reader, one snapshot' : 'all lanes read one snapshot';
  const later = {
    key: 'a resume reads what is not done yet as it is then, and refuses a shard whose first rows have changed',
    pages: 'a resume is refused once the table has been written to: without a key, pages stand for its rows',
    whole:
      'a resume reads it again from the start, and is refused where the rows that were loaded do not come first, the same, in the same order',
  };
  return `${now}; ${later[cut]}`;
}
