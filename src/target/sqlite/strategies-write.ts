/** How one way of `sluice bench` writes its rows into a new SQLite file: settings, transactions, rows a statement, and an index that is kept or made again. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { setImmediate as breathe } from 'node:timers/promises';
import { SluiceError } from '../../errors.ts';
import type { BenchRows, StrategyContext, StrategyResult } from '../strategy.ts';
import { createEncoder, type Encoder, type Parameter } from './encode.ts';

/** How one way writes. */
export interface Writing {
  readonly journal: 'DELETE' | 'TRUNCATE' | 'WAL' | 'OFF';
  readonly synchronous: 'FULL' | 'NORMAL' | 'OFF';
  /** 0: each statement is a transaction of its own. */
  readonly rowsPerCommit: number;
  readonly rowsPerStatement: number;
  readonly index?: 'kept' | 'rebuilt' | undefined;
}

/** The file and what SQLite puts beside it. */
export function removeDatabase(file: string): void {
  for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true });
}

/** An open file of one way. */
export interface Opened {
  readonly db: DatabaseSync;
  readonly rows: BenchRows;
  readonly signal: AbortSignal | undefined;
  readonly isSpent: () => boolean;
}

const createIndex = 'CREATE INDEX by_title ON rows (title)';

/** Runs a way in `folder` and counts what it wrote. @throws SLUICE_CANCELLED between two batches, and what SQLite throws */
export async function runWay(
  folder: string,
  writing: Writing,
  { rows, rowCount, measure, signal, isSpent }: StrategyContext,
): Promise<StrategyResult> {
  const file = join(folder, 'way.db');
  const db = new DatabaseSync(file);
  const opened = { db, rows, signal, isSpent };
  let sent = 0;
  try {
    db.exec(
      `PRAGMA page_size = 8192; PRAGMA journal_mode = ${writing.journal}; PRAGMA synchronous = ${writing.synchronous}; PRAGMA cache_size = -16384`,
    );
    const vector = rows.dimensions > 0 ? ', embedding BLOB NOT NULL' : '';
    db.exec(`CREATE TABLE rows (id INTEGER PRIMARY KEY, title TEXT NOT NULL${vector})`);
    const before = writing.index === undefined ? 0 : rowCount;
    if (before > 0) {
      await insertRows(opened, writing, { from: 0, to: before });
      db.exec(createIndex);
    }
    const times = await measure(async () => {
      if (writing.index === 'rebuilt') db.exec('DROP INDEX by_title');
      sent = await insertRows(opened, writing, { from: before, to: before + rowCount });
      if (writing.index === 'rebuilt') db.exec(createIndex);
    });
    const found = Number(db.prepare('SELECT count(*) AS count FROM rows').get()?.['count']);
    return { ...times, sent, rows: found - before };
  } finally {
    db.close();
    removeDatabase(file);
  }
}

export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Rows of the range, a batch of the stock at a time: the signal is looked at and the event loop gets its turn between them. */
export async function insertRows({ db, rows, signal, isSpent }: Opened, writing: Writing, { from, to }: Range): Promise<number> {
  const { rowsPerStatement, rowsPerCommit } = writing;
  const width = rows.columns.length;
  const tuple = `(${Array.from({ length: width }, () => '?').join(',')})`;
  const prepare = (count: number): StatementSync =>
    db.prepare(`INSERT INTO rows VALUES ${Array.from({ length: count }, () => tuple).join(',')}`);
  const [full, single] = [prepare(rowsPerStatement), prepare(1)];
  const step = Math.max(1, Math.min(rows.batchRows, rowsPerCommit === 0 ? 10 : rowsPerCommit));
  let uncommitted = 0;
  let start = from;
  for (; start < to && !isSpent(); start += step) {
    if (signal?.aborted === true)
      throw new SluiceError('SLUICE_CANCELLED', 'The bench was stopped.', { hint: 'What it had made was deleted.' });
    const count = Math.min(step, to - start);
    const encoder = createEncoder(rows.batch(start, count), ['INTEGER', 'TEXT', 'BLOB']);
    if (rowsPerCommit > 0 && uncommitted === 0) db.exec('BEGIN IMMEDIATE');
    let row = 0;
    for (; row + rowsPerStatement <= count; row += rowsPerStatement) full.run(...fill(encoder, { row, count: rowsPerStatement, width }));
    for (; row < count; row++) single.run(...fill(encoder, { row, count: 1, width }));
    uncommitted += count;
    if (rowsPerCommit > 0 && (uncommitted >= rowsPerCommit || start + count >= to)) {
      db.exec('COMMIT');
      uncommitted = 0;
    }
    await breathe();
  }
  // A sample ends between two batches, and then inside a transaction.
  if (db.isTransaction) db.exec('COMMIT');
  return Math.min(start, to) - from;
}

interface Stretch {
  readonly row: number;
  readonly count: number;
  readonly width: number;
}

function fill(encoder: Encoder, { row, count, width }: Stretch): Parameter[] {
  const parameters: Parameter[] = Array.from({ length: count * width }, () => null);
  encoder.fill(parameters, row, row + count);
  return parameters;
}
