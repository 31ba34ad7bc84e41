/** The ways of writing rows into SQLite that `sluice bench` compares: each in a file of its own beside the target's, on the same disk, deleted afterwards. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SluiceError } from '../../errors.ts';
import type { LoadPlace, Strategy, StrategyRequest, StrategySet } from '../strategy.ts';
import { parseSqliteUrl } from './connect.ts';
import { removeDatabase, runWay, type Writing } from './strategies-write.ts';

/** What a careful program does without thinking of speed. */
const plain: Writing = { journal: 'DELETE', synchronous: 'FULL', rowsPerCommit: 20_000, rowsPerStatement: 1 };
const many: Writing = { ...plain, journal: 'TRUNCATE', rowsPerStatement: 100 };
/** A commit is two waits for the disk, some milliseconds each: a thousand of them are enough to know. */
const autocommitRows = 1_000;
const smallCommitRows = 20_000;

const ways: readonly (Omit<Strategy, 'run'> & { readonly writing: Writing })[] = [
  {
    name: 'one commit per row',
    group: 'commits',
    what: 'an INSERT per row, each a transaction',
    sampleRows: autocommitRows,
    writing: { ...plain, rowsPerCommit: 0 },
  },
  {
    name: 'commits every 1,000 rows',
    group: 'commits',
    what: 'one prepared INSERT',
    sampleRows: smallCommitRows,
    writing: { ...plain, rowsPerCommit: 1_000 },
  },
  { name: 'commits every 20,000 rows', group: 'commits', what: 'one prepared INSERT in large transactions', writing: plain },
  {
    name: '100 rows a statement',
    group: 'statements',
    what: 'many rows a statement, in large transactions',
    writing: { ...many, journal: 'DELETE' },
  },
  { name: 'journal TRUNCATE', group: 'journal', what: '100 rows a statement; the journal is kept, not deleted', writing: many },
  { name: 'journal WAL, synchronous FULL', group: 'journal', what: 'as durable as TRUNCATE', writing: { ...many, journal: 'WAL' } },
  {
    name: 'journal WAL, synchronous NORMAL',
    group: 'journal',
    what: 'the last commits may be lost with the power',
    writing: { ...many, journal: 'WAL', synchronous: 'NORMAL' },
  },
  {
    name: 'no journal, no sync',
    group: 'journal',
    what: 'a crash leaves a broken file: only to see what safety costs',
    writing: { ...many, journal: 'OFF', synchronous: 'OFF' },
  },
  {
    name: 'index kept',
    group: 'secondary index',
    what: 'on title, into a table that holds as many rows',
    writing: { ...many, index: 'kept' },
  },
  {
    name: 'index dropped and rebuilt',
    group: 'secondary index',
    what: 'the same table, the index made again at the end',
    writing: { ...many, index: 'rebuilt' },
  },
];

/** Opens a folder for the bench beside the target's file. @throws SLUICE_TARGET_DENIED where none can be made, SLUICE_TARGET_FULL without room */
export async function openSqliteStrategies({ url, rows, rowCount }: StrategyRequest): Promise<StrategySet> {
  const parent = dirname(parseSqliteUrl(url));
  const folder = makeFolder(parent);
  const close = async (): Promise<void> => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  try {
    checkRoom(folder, rows.rowBytes * rowCount);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    strategies: ways.map(({ writing, ...way }) => ({ ...way, run: (context) => runWay(folder, writing, context) })),
    facts: { SQLite: process.versions['sqlite'] ?? 'unknown', folder: parent, 'page size': '8192' },
    notes: [],
    openLoadPlace: async () => openPlace(folder),
    close,
  };
}

function makeFolder(parent: string): string {
  try {
    return mkdtempSync(join(parent, 'sluice_bench_'));
  } catch (cause) {
    throw new SluiceError('SLUICE_TARGET_DENIED', `No folder can be made in ${parent}.`, {
      cause,
      hint: 'Name a database in a folder that can be written to.',
    });
  }
}

/** Two tables with an index and a journal are the most that stands there at once. */
function checkRoom(folder: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(folder);
  const needed = bytes * 4;
  if (bavail * bsize >= needed) return;
  throw new SluiceError(
    'SLUICE_TARGET_FULL',
    `The bench needs up to ${needed} bytes beside the database, and ${bavail * bsize} are free.`,
    { hint: 'Ask for fewer rows with --rows.' },
  );
}

function openPlace(folder: string): LoadPlace {
  const file = join(folder, `load-${randomBytes(4).toString('hex')}.db`);
  return {
    url: `sqlite:${file.replaceAll('%', '%25').replaceAll('?', '%3F')}`,
    table: 'rows',
    count: async () => countRows(file),
    readLogBytes: async () => undefined,
    dispose: async () => removeDatabase(file),
  };
}

function countRows(file: string): number {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    return Number(db.prepare('SELECT count(*) AS count FROM rows').get()?.['count']);
  } finally {
    db.close();
  }
}
