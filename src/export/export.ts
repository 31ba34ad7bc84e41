/** The verb export: a table, or a part of it, as a file that sluice and others read back. One state of the table, in the memory of a few megabytes of rows. */
import { SluiceError } from '../errors.ts';
import { refuseUnknownOptions } from '../option-names.ts';
import type { ColumnValues } from '../rows/batch.ts';
import { checkWhere, quoteTableFor, wrapWhere } from '../collection/where.ts';
import { openDatabase } from '../source/database/database.ts';
import { addSelection, type Selection } from '../source/database/database-url.ts';
import type { ColumnRecords, Records, Source } from '../source/source.ts';
import { connect } from '../target/registry.ts';
import { hideSecrets } from '../secret-text.ts';
import { quoteList } from '../target/sql-text.ts';
import { chooseExport, type ExportChoice } from './columns.ts';
import { exportNames, type ExportOptions, type ExportReport, type RowBlock } from './options.ts';
import { openTracks, readForm, type Form, type Track } from './tracks.ts';

/** What is read. */
interface Plan {
  readonly form: Form;
  readonly choice: ExportChoice;
  /** The URL with the table or query. */
  readonly source: string;
}

/** An export under way. */
interface Run {
  readonly options: ExportOptions;
  readonly plan: Plan;
  readonly tracks: readonly Track[];
  readonly startedMs: number;
}

/**
 * Writes the rows of a table into a file or stream.
 * @throws SLUICE_USAGE, SLUICE_TABLE_UNKNOWN, SLUICE_COLUMN_UNKNOWN, SLUICE_WHERE_INVALID, SLUICE_CANCELLED, SLUICE_SOURCE_…, SLUICE_TARGET_… (SLUICE_TARGET_FULL: the disk)
 */
export async function exportTable(options: ExportOptions): Promise<ExportReport> {
  refuseUnknownOptions('exportTable', options, exportNames);
  const startedMs = performance.now();
  const plan = await planExport(options);
  const tracks = await openTracks(options, plan.form, plan.choice);
  const run: Run = { options, plan, tracks, startedMs };
  try {
    const rows = await copyRows(run);
    for (const { writer, output } of tracks) {
      for (const bytes of writer.end()) await output.write(bytes);
      await output.end(writer.start?.());
    }
    const sizes: (number | undefined)[] = [];
    for (const { output } of tracks) sizes.push(await output.publish());
    return describeExport(run, rows, sizes[0]);
  } catch (error) {
    for (const { output } of tracks) await output.discard();
    throw error;
  }
}

async function planExport(options: ExportOptions): Promise<Plan> {
  const form = readForm(options);
  const { limit, where } = options;
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 0))
    throw new SluiceError('SLUICE_USAGE', 'The limit is no whole number of rows.', { hint: 'Leave it out for all rows.' });
  const lockTimeout = options.lockTimeoutMs === undefined ? {} : { lockTimeoutMs: options.lockTimeoutMs };
  const connection = await connect(options.in, { isReadOnly: true, signal: options.signal, ...lockTimeout });
  try {
    const choice = await chooseExport(connection, options, form.format);
    if (where !== undefined) await checkWhere(connection, choice.table, where);
    const names = [...new Set([...choice.columns, ...choice.ids].map(({ name }) => name))];
    const from = quoteTableFor(connection, choice.table);
    const selection: Selection =
      where === undefined
        ? { kind: 'table', table: choice.table }
        : { kind: 'query', query: `SELECT ${quoteList(names)} FROM ${from} WHERE ${wrapWhere(where)}` };
    return { form, choice, source: addSelection(options.in, selection) };
  } finally {
    await connection.close();
  }
}

/** How many rows were read. */
async function copyRows(run: Run): Promise<number> {
  const { options, plan, tracks } = run;
  const source = await openDatabase(plan.source);
  try {
    const { estimatedRows } = await source.sample(options.signal);
    const totalRows = estimatedRows === undefined || options.limit === undefined ? estimatedRows : Math.min(estimatedRows, options.limit);
    let rows = 0;
    let bytes = 0;
    for await (const block of readBlocks(source, run)) {
      rows += block.rowCount;
      for (const track of tracks) bytes += await writeBlock(track, block);
      options.onProgress?.({ rows, totalRows, bytes, elapsedMs: performance.now() - run.startedMs });
      checkCancelled(options);
    }
    return rows;
  } finally {
    await source.close();
  }
}

/** How many bytes it made. */
async function writeBlock({ output, pick, writer }: Track, block: RowBlock): Promise<number> {
  let bytes = 0;
  for (const piece of writer.write(pick(block))) {
    bytes += piece.length;
    await output.write(piece);
  }
  return bytes;
}

function checkCancelled({ signal, table }: ExportOptions): void {
  if (signal?.aborted === true) throw new SluiceError('SLUICE_CANCELLED', `The export of ${table} was stopped; nothing was left behind.`);
}

/** The whole table as one shard: one statement in one transaction, so one state of it. */
async function* readBlocks(source: Source, { options, plan }: Run): AsyncGenerator<RowBlock, void, undefined> {
  const { columns, ids } = plan.choice;
  const wanted = [...columns, ...ids];
  const asked = wanted.map(({ name, type, isNullable }) => ({ name, field: name, type, isNullable }));
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  for await (const shard of source.shards(Number.MAX_SAFE_INTEGER, options.signal)) {
    const from = { offset: shard.start, row: 0, line: 0 };
    for await (const records of source.read(shard, from, { columns: asked, signal: options.signal })) {
      if (left <= 0) return;
      const block = toBlock(
        records,
        wanted.map(({ name }) => name),
      );
      const rowCount = Math.min(left, block.rowCount);
      left -= rowCount;
      yield { rowCount, values: block.values };
    }
  }
}

/** Databases yield rows by column. */
function toBlock(records: Records, names: readonly string[]): RowBlock {
  if (records.kind !== 'columns') throw new SluiceError('SLUICE_INTERNAL', `A database gave its rows as ${records.kind}.`);
  return { rowCount: records.rowCount, values: names.map((name) => findValues(records, name)) };
}

function findValues({ fields, values }: ColumnRecords, name: string): ColumnValues {
  const found = values[fields.indexOf(name)];
  if (found === undefined) throw new SluiceError('SLUICE_INTERNAL', `The column ${name} is missing from what the database gave.`);
  return found;
}

function describeExport({ options, plan, tracks, startedMs }: Run, rows: number, bytes: number | undefined): ExportReport {
  const [main] = tracks;
  const withoutVector = main?.writer.skippedCount?.() ?? 0;
  const { columns, leftOut, table } = plan.choice;
  return {
    schema: 1,
    database: hideSecrets(options.in),
    table,
    file: main?.output.name ?? '',
    ...plan.form,
    rows,
    written: rows - withoutVector,
    withoutVector,
    columns: columns.map(({ name, type, dimensions }, index) => ({
      name,
      type: dimensions === undefined ? type : `${type}(${String(dimensions)})`,
      as: main?.writer.forms[index] ?? '',
    })),
    leftOut,
    bytes,
    elapsedMs: performance.now() - startedMs,
  };
}
