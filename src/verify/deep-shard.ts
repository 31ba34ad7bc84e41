/** Compares the rows of a shard with those of the table: read, converted and left out exactly as the load did. Memory is bounded by one batch. */
import type { Batch } from '../rows/batch.ts';
import { keepRows } from '../rows/batch-keys.ts';
import { createBatchBuilder, type BatchBuilder } from '../rows/builder.ts';
import { listEmbeds } from '../load/plan/run-plan.ts';
import type { Column, Scalar } from '../rows/schema.ts';
import { SluiceError } from '../errors.ts';
import { isTextFormat } from '../source/formats.ts';
import { locatePlace } from '../rows/joined-place.ts';
import type { Records, Source } from '../source/source.ts';
import type { Connection, RowComparison } from '../target/driver.ts';
import { connect } from '../target/registry.ts';
import { maxDifferences, maxKeys, type DeepDifference, type DeepFindings, type DeepShard, type DeepTask } from './deep-contract.ts';

/** Compares shards one after another, over a connection of its own. */
export interface DeepReader {
  compare(shard: DeepShard, signal?: AbortSignal): Promise<DeepFindings>;
  close(): Promise<void>;
}

/** What of a load's columns is read and compared. */
export interface DeepColumns {
  readonly read: readonly Column[];
  readonly compared: readonly string[];
  readonly filled: readonly string[];
  readonly passedOver: readonly { readonly column: string; readonly why: string }[];
}

/** Embedded vectors would have to be made again, and where a row came from is the load's own doing; rows that mode skip passed over may differ in everything but the key. */
export function chooseColumns(run: DeepTask['run']): DeepColumns {
  const { table } = run;
  const embedded = listEmbeds(run).map(({ into, emptyText }) => ({ name: table.columns[into]?.name ?? '', emptyText }));
  const read = table.columns.filter((column) => column.isEmbedded !== true && column.provenance === undefined);
  const others = read.map(({ name }) => name).filter((name) => !table.key.includes(name));
  const isPresence = table.mode === 'skip';
  const skipped = 'mode skip leaves rows as they are, so they are only looked for';
  const made = 'its vectors were embedded; that there is one is checked, not its numbers';
  return {
    read,
    compared: isPresence ? [] : others,
    filled: isPresence ? [] : embedded.filter(({ emptyText }) => emptyText !== 'null').map(({ name }) => name),
    passedOver: [
      ...(isPresence ? others.map((column) => ({ column, why: skipped })) : []),
      ...embedded.map(({ name }) => ({ column: name, why: made })),
    ],
  };
}

export async function openDeepReader(task: DeepTask, source: Source): Promise<DeepReader> {
  const lockTimeoutMs = task.lockTimeoutMs;
  const connection = await connect(task.target, { isReadOnly: true, ...(lockTimeoutMs === undefined ? {} : { lockTimeoutMs }) });
  const columns = chooseColumns(task.run);
  const builder = createBatchBuilder(columns.read);
  return {
    compare: (shard, signal) => compareShard({ task, source, connection, columns, builder, shard, signal }),
    close: () => connection.close(),
  };
}

interface Comparing {
  readonly task: DeepTask;
  readonly source: Source;
  readonly connection: Connection;
  readonly columns: DeepColumns;
  readonly builder: BatchBuilder;
  readonly shard: DeepShard;
  readonly signal: AbortSignal | undefined;
}

/** {@link DeepFindings} while they are gathered. */
interface Findings {
  equal: number;
  differing: number;
  missing: number;
  leftOut: number;
  unfit: number;
  bytes: number;
  readonly byColumn: Record<string, number>;
  readonly differences: DeepDifference[];
  readonly keys: string[];
}

async function compareShard(comparing: Comparing): Promise<DeepFindings> {
  const { builder, shard, source, columns, task, signal } = comparing;
  const found: Findings = { equal: 0, differing: 0, missing: 0, leftOut: 0, unfit: 0, bytes: 0, byColumn: {}, differences: [], keys: [] };
  const refused = await readRefused(comparing);
  const { shard: place, position } = shard.shard;
  const from = { offset: place.start, row: 0, line: 0 };
  let rowCount = 0;
  for await (const records of source.read(place, from, { columns: columns.read, signal })) {
    noteUnfit(comparing, { records, unfit: builder.add(records), refused }, found);
    found.bytes += records.byteCount;
    rowCount = records.end.row;
    const isFull = builder.rowCount >= task.run.maxBatchRows || builder.byteCount >= task.run.maxBatchBytes;
    if (isFull) await compareBatch(comparing, refused, found);
    // What lies behind the ledger's position is not loaded yet.
    if (rowCount >= position.row && shard.shard.state !== 'done') break;
  }
  await compareBatch(comparing, refused, found);
  if (rowCount < position.row) throw shrunk(comparing, rowCount);
  return { ...found, compared: found.equal + found.differing + found.missing };
}

function shrunk({ task, source, shard: { shard } }: Comparing, rowCount: number): SluiceError {
  return new SluiceError(
    'SLUICE_SOURCE_CHANGED',
    `${source.name} has ${String(rowCount)} rows where load ${task.load} read ${String(shard.position.row)} (part ${String(shard.shard.ordinal)}).`,
    { hint: 'It is not what was loaded: give the file as it was with --from, or load it again.' },
  );
}

/** Ordinals of the shard's refused rows. */
async function readRefused({ connection, task, shard }: Comparing): Promise<ReadonlySet<number>> {
  const rows = await connection.query({
    sql: 'SELECT shard_row FROM sluice_rejects WHERE load = ? AND shard = ?',
    parameters: [task.load, shard.shard.shard.ordinal],
  });
  return new Set(rows.map((row) => Number(row['shard_row'])));
}

interface Unread {
  readonly records: Records;
  readonly unfit: ReturnType<BatchBuilder['add']>;
  readonly refused: ReadonlySet<number>;
}

/** A row that fits no longer, and is not known as refused, was another one when it was loaded. */
function noteUnfit(comparing: Comparing, { records, unfit, refused }: Unread, found: Findings): void {
  const { position, state } = comparing.shard.shard;
  for (const reject of [...records.rejects, ...unfit]) {
    if (state !== 'done' && reject.row >= position.row) continue;
    if (refused.has(reject.row)) {
      found.leftOut++;
      continue;
    }
    found.unfit++;
    addDifference(comparing, found, { kind: 'unfit', place: reject, columns: reject.column === undefined ? [] : [reject.column] });
  }
}

async function compareBatch(comparing: Comparing, refused: ReadonlySet<number>, found: Findings): Promise<void> {
  const { builder, connection, columns, task, shard, signal } = comparing;
  const { position, state } = shard.shard;
  const { table } = task.run;
  const all = builder.take();
  const isLoaded = (row: number): boolean => state === 'done' || row < position.row;
  const batch = keepRows(all, (row) => {
    const ordinal = all.places.rows[row] ?? 0;
    if (refused.has(ordinal)) found.leftOut++;
    return isLoaded(ordinal) && !refused.has(ordinal) && (shard.only === undefined || shard.only.has(writeKey(all, table.key, row)));
  });
  if (batch.rowCount === 0) return;
  if (connection.compareRows === undefined) {
    throw new SluiceError('SLUICE_USAGE', `${connection.capabilities.name} can't compare rows, so values can't be verified there.`, {
      hint: 'Leave --deep out: rows and keys are counted and digested.',
    });
  }
  const { compared, filled } = columns;
  const comparison = await connection.compareRows({ table: table.table, key: table.key, batch, compared, filled, signal });
  noteComparison(comparing, { batch, comparison }, found);
  if (batch === all) builder.reuse(all);
}

function noteComparison(
  comparing: Comparing,
  { batch, comparison }: { readonly batch: Batch; readonly comparison: RowComparison },
  found: Findings,
): void {
  const { key } = comparing.task.run.table;
  const wantsEqual = comparing.shard.only !== undefined;
  for (let row = 0; row < batch.rowCount; row++) {
    const state = comparison.states[row];
    if (state === 2) found.equal++;
    else if (state === 1) found.differing++;
    else found.missing++;
    if ((state === 2) === wantsEqual && state !== 0 && found.keys.length < maxKeys) found.keys.push(writeKey(batch, key, row));
    if (state === 2) continue;
    const columns = comparison.differing.get(row) ?? [];
    for (const column of columns) found.byColumn[column] = (found.byColumn[column] ?? 0) + 1;
    if (found.differences.length >= maxDifferences) continue;
    const place = { row: batch.places.rows[row] ?? 0, line: batch.places.lines[row] ?? 0, offset: batch.places.offsets[row] ?? 0 };
    const values = comparing.task.showsValues ? readValues(batch, [...key, ...columns], row) : undefined;
    addDifference(comparing, found, { kind: state === 1 ? 'differs' : 'missing', place, columns, values });
  }
}

interface Differing extends Pick<DeepDifference, 'kind' | 'columns' | 'values'> {
  readonly place: { readonly row: number; readonly line: number; readonly offset: number };
}

function addDifference({ task, shard }: Comparing, found: Findings, { place, ...what }: Differing): void {
  if (found.differences.length >= maxDifferences) return;
  const { before } = shard;
  const at = locatePlace(shard.shard.shard, place);
  found.differences.push({
    load: task.load,
    file: task.files[at.file] ?? task.run.sourceName,
    line: before === undefined || !isTextFormat(task.run.format) ? null : 1 + before.lines + at.line,
    row: before === undefined || at.row === undefined ? null : 1 + before.rows + at.row,
    offset: at.offset,
    ...what,
  });
}

/** A key as text, the same for each reading of a row. */
export function writeKey(batch: Batch, key: readonly string[], row: number): string {
  return JSON.stringify(key.map((name) => showScalar(readScalar(batch, name, row))));
}

function readScalar({ columns, values }: Batch, name: string, row: number): Scalar {
  const data = values[columns.findIndex((column) => column.name === name)];
  return data?.kind === 'scalar' ? (data.values[row] ?? null) : null;
}

function showScalar(value: Scalar): string | null {
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value === null ? null : String(value);
}

const maxShownLength = 80;

function readValues(batch: Batch, names: readonly string[], row: number): Readonly<Record<string, string>> {
  return Object.fromEntries(
    names.map((name) => {
      const data = batch.values[batch.columns.findIndex((column) => column.name === name)];
      if (data?.kind === 'vector') return [name, `a vector of ${String(data.dimensions)} numbers`];
      const text = showScalar(readScalar(batch, name, row)) ?? 'null';
      return [name, text.length > maxShownLength ? `${text.slice(0, maxShownLength - 1)}…` : text];
    }),
  );
}
