/**
 * What the hand-written limit loops share: byte ranges that end at line ends, a database with the quickest safe settings, transactions in turn.
 * Nothing is checked, nothing is recorded: this is what a load costs when every row is right and nothing ever breaks.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { SQLInputValue, StatementSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';

/** Measured: 50 to 1,000 rows a statement are equally quick. */
export const rowsPerStatement = 100;

/** The settings of every limit, written into the results. */
export const durability = { journalMode: 'TRUNCATE', synchronous: 'FULL', pageSize: 8192 } as const;

interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export interface LoopInput {
  readonly file: string;
  readonly database: string;
  readonly ranges: readonly ByteRange[];
  readonly lane: number;
  readonly lanes: number;
  /** One number in shared memory: the range whose turn it is to be inserted. */
  readonly turn: Int32Array;
}

/** An empty table in a new file. */
export function createTable(database: string, ddl: string): void {
  const db = new DatabaseSync(database);
  db.exec(`PRAGMA page_size = ${durability.pageSize}; PRAGMA journal_mode = ${durability.journalMode};`);
  db.exec(ddl);
  db.close();
}

/** A connection that commits durably. */
export function openWriter(database: string): DatabaseSync {
  const db = new DatabaseSync(database, { timeout: 10_000 });
  db.exec(`PRAGMA journal_mode = ${durability.journalMode}; PRAGMA synchronous = ${durability.synchronous};`);
  return db;
}

/** `INSERT` of {@link rowsPerStatement} rows, or of one. */
export function prepareInsert(db: DatabaseSync, columns: number, rows: number): StatementSync {
  const row = `(${Array.from({ length: columns }, () => '?').join(',')})`;
  return db.prepare(`INSERT INTO rows VALUES ${Array.from({ length: rows }, () => row).join(',')}`);
}

/** One transaction with all the values, row after row; each of `groups` but the last holds {@link rowsPerStatement} rows. */
export function insertAll(db: DatabaseSync, groups: readonly SQLInputValue[][], columns: number): void {
  const many = prepareInsert(db, columns, rowsPerStatement);
  const single = prepareInsert(db, columns, 1);
  db.exec('BEGIN IMMEDIATE');
  for (const group of groups) {
    if (group.length === columns * rowsPerStatement) many.run(...group);
    else for (let at = 0; at < group.length; at += columns) single.run(...group.slice(at, at + columns));
  }
  db.exec('COMMIT');
}

/** Ranges of about `bytes` that end behind a newline, from `from` on. */
export function splitFile(file: string, from: number, bytes: number): readonly ByteRange[] {
  const handle = openSync(file, 'r');
  const size = fstatSync(handle).size;
  const window = Buffer.alloc(64 * 1024);
  const ranges: ByteRange[] = [];
  for (let start = from; start < size;) {
    const near = Math.min(start + bytes, size);
    const count = near < size ? readSync(handle, window, 0, window.length, near) : 0;
    const end = near < size ? near + window.subarray(0, count).indexOf(10) + 1 : size;
    ranges.push({ start, end });
    start = end;
  }
  closeSync(handle);
  return ranges;
}

/** The text of a range; `space` is overwritten by the next call. */
function readRange(handle: number, range: ByteRange, space: Buffer): string {
  const length = range.end - range.start;
  readSync(handle, space, 0, length, range.start);
  return space.toString('utf8', 0, length);
}

/** Blocks the thread until it is the turn of range `index`: appending in the order of the key is quickest, and one writer is all that SQLite takes. */
function awaitTurn(turn: Int32Array, index: number): void {
  for (let now = Atomics.load(turn, 0); now !== index; now = Atomics.load(turn, 0)) Atomics.wait(turn, 0, now);
}

/** Gives the turn to the next range. */
function passTurn(turn: Int32Array): void {
  Atomics.add(turn, 0, 1);
  Atomics.notify(turn, 0);
}

/** One lane: every `lanes`-th range is read, split into rows, and inserted in one transaction when its turn comes. */
export function runLane(input: LoopInput, columns: number, split: (text: string) => SQLInputValue[][]): void {
  const { file, database, ranges, lane, lanes, turn } = input;
  const handle = openSync(file, 'r');
  const db = openWriter(database);
  const space = Buffer.alloc(Math.max(0, ...ranges.map((range) => range.end - range.start)));
  for (let index = lane; index < ranges.length; index += lanes) {
    const groups = split(readRange(handle, ranges[index] as ByteRange, space));
    awaitTurn(turn, index);
    insertAll(db, groups, columns);
    passTurn(turn);
  }
  db.close();
  closeSync(handle);
}

/** Runs `module` in `lanes` worker threads and waits for all of them. */
export async function runLanes(module: string, input: Omit<LoopInput, 'lane' | 'turn'>): Promise<void> {
  const turn = new Int32Array(new SharedArrayBuffer(4));
  const workers = Array.from(
    { length: input.lanes },
    (_, lane) => new Worker(new URL(module), { workerData: { ...input, lane, turn } satisfies LoopInput }),
  );
  await Promise.all(
    workers.map(
      (worker) =>
        new Promise<void>((resolve, reject) => {
          worker.once('error', reject);
          worker.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${module} ended with ${code}`))));
        }),
    ),
  );
}
