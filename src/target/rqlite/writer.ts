/** The statements that write rows of one load into one table, each as its JSON. */
import type { Batch } from '../../rows/batch.ts';
import type { TablePlan } from '../driver.ts';
import { quoteIdentifier, quoteList } from '../sql-text.ts';
import type { RowEncoder } from './encode.ts';
import type { SqlValue } from './json.ts';
import type { RqliteLink } from './link.ts';
import type { RqliteSettings } from './plan.ts';
import { guardCondition, writeBound } from './transaction.ts';

/** What stays the same for all batches of a load. */
export interface TableWriter {
  readonly link: RqliteLink;
  readonly plan: TablePlan;
  readonly settings: RqliteSettings;
  readonly declaredTypes: readonly string[];
  /** Texts of INSERTs as JSON, by their number of rows and their end. */
  readonly texts: Map<string, string>;
}

const maxTexts = 64;

/** The rows of one batch on their way. */
export interface RowRun extends TableWriter {
  readonly batch: Batch;
  readonly encoder: RowEncoder;
  /** Values of the key's columns, by column. */
  readonly keys: readonly (readonly SqlValue[])[];
}

function writeHead({ writesTo, columns }: TablePlan): string {
  return `INSERT INTO ${quoteIdentifier(writesTo)} (${quoteList(columns.map((column) => column.name))}) VALUES `;
}

/** What an INSERT says about keys that are there. */
export function writeTail({ mode, key, columns }: TablePlan): string {
  if (mode === 'skip') return ` ON CONFLICT (${quoteList(key)}) DO NOTHING`;
  if (mode !== 'upsert') return '';
  const others = columns.map((column) => column.name).filter((name) => !key.includes(name));
  const updated = others.length > 0 ? others : key;
  const sets = updated.map((name) => `${quoteIdentifier(name)} = excluded.${quoteIdentifier(name)}`).join(', ');
  return ` ON CONFLICT (${quoteList(key)}) DO UPDATE SET ${sets}`;
}

/** One INSERT of these rows. */
export function writeInsert(run: RowRun, rows: readonly number[], tail: string): string {
  const { encoder, plan } = run;
  const values = rows.map((row) => encoder.writeValues(row)).join(',');
  const detours = rows.map((row) => encoder.writeDetour(row));
  if (detours.some((detour) => detour !== undefined)) {
    const tuples = detours.map((detour) => detour ?? writeTuple(plan)).join(',');
    return `[${JSON.stringify(writeHead(plan) + tuples + tail)},${values}]`;
  }
  return `[${writeInsertText(run, rows.length, tail)},${values}]`;
}

/** The text of an INSERT of so many rows, as JSON. */
export function writeInsertText({ plan, texts }: TableWriter, count: number, tail: string): string {
  const name = `${String(count)}${tail}`;
  const known = texts.get(name);
  const text = known ?? JSON.stringify(writeHead(plan) + Array<string>(count).fill(writeTuple(plan)).join(',') + tail);
  // Blocks are full but for the last of a batch, so that few lengths come; after refusals any may.
  if (known === undefined && texts.size < maxTexts) texts.set(name, text);
  return text;
}

function writeTuple({ columns }: TablePlan): string {
  return `(${columns.map(() => '?').join(',')})`;
}

export function readKey(run: RowRun, row: number): readonly SqlValue[] {
  return run.keys.map((values) => values[row] ?? null);
}

/** A text by which equal keys of a batch are found; keys that differ in it are asked for in the table. */
export function readKeyText(run: RowRun, row: number): string {
  return readKey(run, row)
    .map((value) => `${typeof value}:${value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value)}`)
    .join('\u0000');
}

function writeKnown(run: RowRun): string {
  const match = run.plan.key.map((name) => `${quoteIdentifier(name)} = ?`).join(' AND ');
  return `EXISTS (SELECT 1 FROM ${quoteIdentifier(run.plan.writesTo)} WHERE ${match})`;
}

/** Changes one row, which stays as it is, when the key is in the table: `/db/execute` gives counts and no rows. */
export function askKnown(run: RowRun, row: number): string {
  return writeBound(`UPDATE sluice_meta SET value = value WHERE name = 'ledger_version' AND ${writeKnown(run)}`, readKey(run, row));
}

/** Undoes the transaction unless the key is in the table, or is not. */
export function guardKnown(run: RowRun, row: number, isKnown: boolean): string {
  return guardCondition(`${isKnown ? '' : 'NOT '}${writeKnown(run)}`, readKey(run, row));
}

/** How many bytes a row takes in a request, about. */
export function measureRow(run: RowRun, row: number): number {
  return run.encoder.writeValues(row).length + run.plan.columns.length * 2;
}
