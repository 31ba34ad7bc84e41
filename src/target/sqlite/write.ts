/**
 * Writes a batch into a table: many rows a statement, one row a statement only to find the guilty one. Every row of the batch ends as written, skipped or refused.
 * Runs inside the caller's transaction.
 */
import type { StatementResultingChanges, StatementSync } from 'node:sqlite';
import type { Batch } from '../../rows/batch.ts';
import type { Scalar } from '../../rows/schema.ts';
import { addKeyRange, emptyDigest, type KeyDigest } from '../../ledger/digest.ts';
import { quoteIdentifier, quoteList } from '../sql-text.ts';
import type { TableDescription, TablePlan } from '../driver.ts';
import { prepareOnce, type SqliteFile } from './connect.ts';
import { createEncoder, findInexactDecimals, type Encoder, type Parameter } from './encode.ts';
import { toRefusal, type Refusal } from './errors.ts';
import type { SqliteSettings } from './plan.ts';

/** What became of the rows of a batch. `written + skipped + refused.size` is its row count. */
export interface Written {
  written: number;
  skipped: number;
  /** Rows that the table did not have before, and the digest of their keys. */
  added: number;
  readonly digest: KeyDigest;
  readonly refused: Map<number, Refusal>;
  /** Rowid by row of the batch; only filled when every row is written by a statement of its own. */
  readonly rowids: Map<number, bigint | number>;
}

/** Thrown when a row made SQLite roll the whole transaction back (ON CONFLICT ROLLBACK, RAISE(ROLLBACK)): the batch is written again without it. */
export class RolledBackByRow extends Error {
  readonly row: number;
  readonly refusal: Refusal;

  constructor(row: number, refusal: Refusal) {
    super(refusal.message);
    this.row = row;
    this.refusal = refusal;
  }
}

/** Thrown when a statement of many rows made SQLite roll the whole transaction back: the batch is written again row by row, to find the guilty one. */
export class RolledBackByBlock extends Error {}

/** The statements for one load into one table. */
export interface TableWriter {
  readonly link: SqliteFile;
  readonly plan: TablePlan;
  readonly settings: SqliteSettings;
  readonly declaredTypes: readonly string[];
  /** Prepared statements by their number of rows: writing the text of one for each block took a sixth of a commit. */
  readonly inserts: Map<number, StatementSync>;
  readonly lookups: Map<number, StatementSync>;
}

/** A writer of rows into the plan's `writesTo`, which is a table with these columns. */
export function openWriter(link: SqliteFile, plan: TablePlan, description: TableDescription): TableWriter {
  const declaredTypes = plan.columns.map((column) => findDeclaredType(description, column.name));
  return { link, plan, settings: plan.settings as SqliteSettings, declaredTypes, inserts: new Map(), lookups: new Map() };
}

export function findDeclaredType({ columns }: TableDescription, name: string): string {
  return columns.find((column) => column.name === name)?.declaredType ?? '';
}

/** Rows of a sync meet those of the table as an upsert's do; in a table that is new there are none. */
export function toWritingPlan(plan: TablePlan): TablePlan {
  return plan.mode === 'sync' ? { ...plan, mode: plan.isNew ? 'insert' : 'upsert' } : plan;
}

interface Run extends TableWriter {
  readonly batch: Batch;
  readonly encoder: Encoder;
  readonly keys: readonly (readonly Scalar[])[];
  readonly outcome: Written;
  readonly parameters: Parameter[];
}

function writeInsert(plan: TablePlan, rows: number): string {
  const row = `(${plan.columns.map(() => '?').join(',')})`;
  const head = `INSERT INTO ${quoteIdentifier(plan.writesTo)} (${quoteList(plan.columns.map((column) => column.name))}) VALUES ${Array<string>(rows).fill(row).join(',')}`;
  if (plan.mode === 'skip') return `${head} ON CONFLICT (${quoteList(plan.key)}) DO NOTHING`;
  if (plan.mode !== 'upsert') return head;
  const others = plan.columns.map((column) => column.name).filter((name) => !plan.key.includes(name));
  const updated = others.length > 0 ? others : plan.key;
  return `${head} ON CONFLICT (${quoteList(plan.key)}) DO UPDATE SET ${updated.map((name) => `${quoteIdentifier(name)} = excluded.${quoteIdentifier(name)}`).join(', ')}`;
}

/** Which of `rows` keys are in the table already, by ordinal; the comparison is the table's own. */
function writeLookup(plan: TablePlan, rows: number): string {
  const values = Array.from({ length: rows }, (_, row) => `(${[String(row), ...plan.key.map(() => '?')].join(',')})`).join(',');
  const match = plan.key.map((name, index) => `t.${quoteIdentifier(name)} = k.column${String(index + 2)}`).join(' AND ');
  return `SELECT k.column1 AS at FROM (VALUES ${values}) k WHERE EXISTS (SELECT 1 FROM ${quoteIdentifier(plan.writesTo)} t WHERE ${match})`;
}

function openRun(writer: TableWriter, batch: Batch): Run {
  const keyIndexes = writer.plan.key
    .map((name) => writer.plan.columns.findIndex((column) => column.name === name))
    .filter((index) => index >= 0);
  const keys = keyIndexes.map((index) => {
    const data = batch.values[index];
    return data?.kind === 'scalar' ? data.values : [];
  });
  return {
    ...writer,
    batch,
    encoder: createEncoder(batch, writer.declaredTypes),
    keys,
    outcome: { written: 0, skipped: 0, added: 0, digest: emptyDigest(), refused: new Map(), rowids: new Map() },
    parameters: Array.from({ length: writer.settings.rowsPerStatement * writer.plan.columns.length }, () => null),
  };
}

/** How {@link writeBatch} goes about it: rows already known to be refused, and whether each row gets a statement of its own. */
export interface WriteOptions {
  readonly excluded: ReadonlyMap<number, Refusal>;
  readonly isRowwise: boolean;
}

/**
 * Writes all rows of the batch in order. Rows that the target refuses are returned, its neighbours are written.
 * @throws RolledBackByRow when a row ended the transaction; other errors of SQLite as they are.
 */
export function writeBatch(writer: TableWriter, batch: Batch, { excluded, isRowwise }: WriteOptions): Written {
  const run = openRun(writer, batch);
  for (const [row, refusal] of excluded) run.outcome.refused.set(row, refusal);
  for (const [row, { code, column }] of findInexactDecimals(batch, writer.declaredTypes)) {
    run.outcome.refused.set(row, {
      code,
      column,
      message: `The column keeps ${column} as a number of 15 digits, or of 64 bits; this value has more.`,
    });
  }
  const size = isRowwise ? 1 : writer.settings.rowsPerStatement;
  for (let from = 0; from < batch.rowCount; from += size) {
    const to = Math.min(from + size, batch.rowCount);
    if (size > 1 && to - from === size && !holdsRefused(run, from, to)) writeBlock(run, from, to);
    else writeSingly(run, from, to);
  }
  return run.outcome;
}

function holdsRefused({ outcome }: Run, from: number, to: number): boolean {
  if (outcome.refused.size === 0) return false;
  for (let row = from; row < to; row++) if (outcome.refused.has(row)) return true;
  return false;
}

function writeBlock(run: Run, from: number, to: number): void {
  if (run.plan.mode === 'upsert' || run.plan.mode === 'skip') {
    writeKnownBlock(run, from, to);
    return;
  }
  run.encoder.fill(run.parameters, from, to);
  try {
    insertMany(run, to - from).run(...run.parameters);
  } catch (error) {
    if (toRefusal(error) === undefined) throw error;
    if (!run.link.db.isTransaction) throw new RolledBackByBlock();
    writeSingly(run, from, to);
    return;
  }
  run.outcome.written += to - from;
  countAdded(run, from, to);
}

/** Why a row was refused, in words of the table that the caller named: the one built beside it for mode replace is nobody's business. */
function refusalOf(error: unknown, { table, writesTo }: TablePlan): Refusal {
  const refusal = toRefusal(error);
  if (refusal === undefined) throw error;
  return { ...refusal, message: refusal.message.replaceAll(writesTo, table) };
}

function insertMany(run: Run, rows: number): StatementSync {
  return prepareFor(run, { statements: run.inserts, rows, write: writeInsert });
}

interface Preparing {
  readonly statements: Map<number, StatementSync>;
  readonly rows: number;
  readonly write: (plan: TablePlan, rows: number) => string;
}

function prepareFor({ link, plan }: Run, { statements, rows, write }: Preparing): StatementSync {
  const known = statements.get(rows);
  if (known !== undefined) return known;
  const statement = prepareOnce(link, write(plan, rows));
  statements.set(rows, statement);
  return statement;
}

function countAdded(run: Run, from: number, to: number): void {
  run.outcome.added += to - from;
  if (run.settings.tracksKeys) addKeyRange(run.outcome.digest, run.keys, { from, to });
}

function keyText(run: Run, row: number): string {
  return run.keys.map((values) => `${typeof values[row]}:${String(values[row])}`).join('\u0000');
}

/** The rows whose key is in the table, by the table's own comparison. */
function findStored(run: Run, from: number, to: number): Set<number> {
  const parameters: Parameter[] = [];
  for (let row = from; row < to; row++) for (const values of run.keys) parameters.push(toParameter(values[row] ?? null));
  const rows = prepareFor(run, { statements: run.lookups, rows: to - from, write: writeLookup }).all(...parameters);
  return new Set(rows.map((found) => from + Number(found['at'])));
}

/** Adds the rows whose key comes earlier in the block; keys of which that can't be told by their text are never written by the block. */
function addRepeated(run: Run, known: Set<number>, range: { readonly from: number; readonly to: number }): void {
  const seen = new Set<string>();
  for (let row = range.from; row < range.to; row++) {
    const key = keyText(run, row);
    if (seen.has(key)) known.add(row);
    seen.add(key);
  }
}

function toParameter(value: Scalar): Parameter {
  return typeof value === 'boolean' ? (value ? 1 : 0) : value;
}

/** Upsert and skip: the keys already there are looked up first, so that every row is counted for what it became. */
function writeKnownBlock(run: Run, from: number, to: number): void {
  const known = findStored(run, from, to);
  addRepeated(run, known, { from, to });
  run.encoder.fill(run.parameters, from, to);
  let changes: number;
  try {
    changes = Number(insertMany(run, to - from).run(...run.parameters).changes);
  } catch (error) {
    if (toRefusal(error) === undefined) throw error;
    if (!run.link.db.isTransaction) throw new RolledBackByBlock();
    writeSingly(run, from, to);
    return;
  }
  run.outcome.written += changes;
  run.outcome.skipped += to - from - changes;
  for (let row = from; row < to; row++) if (!known.has(row)) countAdded(run, row, row + 1);
}

/** Some clauses refuse a row and leave it, or what its triggers did, in the table: the savepoint takes that back. */
function insertGuarded(run: Run, parameters: readonly Parameter[]): StatementResultingChanges {
  prepareOnce(run.link, 'SAVEPOINT sluice_row').run();
  try {
    return insertMany(run, 1).run(...parameters);
  } catch (error) {
    if (run.link.db.isTransaction) prepareOnce(run.link, 'ROLLBACK TO sluice_row').run();
    throw error;
  } finally {
    if (run.link.db.isTransaction) prepareOnce(run.link, 'RELEASE sluice_row').run();
  }
}

function writeSingly(run: Run, from: number, to: number): void {
  for (let row = from; row < to; row++) {
    if (!run.outcome.refused.has(row)) writeRow(run, row);
  }
}

function writeRow(run: Run, row: number): void {
  const isKnown = run.plan.mode === 'upsert' && findStored(run, row, row + 1).size > 0;
  const parameters: Parameter[] = [];
  run.encoder.fill(parameters, row, row + 1);
  try {
    const { changes, lastInsertRowid } = run.settings.guardsRows ? insertGuarded(run, parameters) : insertMany(run, 1).run(...parameters);
    if (Number(changes) === 0) {
      run.outcome.skipped++;
      return;
    }
    run.outcome.rowids.set(row, lastInsertRowid);
  } catch (error) {
    const refusal = refusalOf(error, run.plan);
    if (!run.link.db.isTransaction) throw new RolledBackByRow(row, refusal);
    run.outcome.refused.set(row, refusal);
    return;
  }
  run.outcome.written++;
  if (!isKnown) countAdded(run, row, row + 1);
}
