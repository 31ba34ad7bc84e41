/** Every trial, as data: a piece of work that runs in a process of its own, counts in the database what it wrote, and answers with figures. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { DatabaseSync } from 'node:sqlite';
import { dataFolder, makeVectorRows, provideData } from './data.ts';
import { loadCsv } from './limit-csv.ts';
import { loadJsonl } from './limit-jsonl-small.ts';
import { loadVectors } from './limit-jsonl-vectors.ts';
import { insertFromMemory } from './limit-memory.ts';
import { durability } from './loop.ts';

/** Both sides run with as many threads as the machines have cores that the bars are written for. */
export const lanes = 2;

/** What one run of a trial answers. `figures` are what a single benchmark asks for besides. */
export interface Sample {
  readonly rows: number;
  readonly ms: number;
  readonly cpuMs: number;
  readonly peakRssBytes: number;
  readonly settings: Readonly<Record<string, string | number>>;
  readonly figures: Readonly<Record<string, number>>;
}

export interface Trial {
  /** Makes the inputs, in the caller's process, so that their making counts in no figure. */
  readonly provide: (rows: number) => Promise<void> | void;
  /** Does the work in `folder`, which is empty and is deleted afterwards. */
  readonly run: (rows: number, folder: string) => Promise<Sample>;
}

/** The most memory that the process ever held: of this program, not of the one that started it, as `maxRSS` may be on Linux. */
export function readPeakRss(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(match?.[1]) * 1024;
}

/** Reads back how many rows the table holds; a trial that wrote another number is no result. */
export function countRows(database: string, table: string, expected: number): number {
  const db = new DatabaseSync(database, { readOnly: true });
  const found = Number(db.prepare(`SELECT count(*) AS count FROM "${table}"`).get()?.['count']);
  db.close();
  if (found !== expected) throw new Error(`the table has ${found} rows, not ${expected}`);
  return found;
}

/** Time and processor time of some work. */
export async function measure(work: () => Promise<void> | void): Promise<{ ms: number; cpuMs: number }> {
  const startedMs = performance.now();
  const startedCpu = process.cpuUsage();
  await work();
  const ms = performance.now() - startedMs;
  const cpu = process.cpuUsage(startedCpu);
  return { ms, cpuMs: (cpu.user + cpu.system) / 1000 };
}

/** A hand-written loop over a file as a trial. */
function limitOf(recipe: 'csv' | 'jsonl' | 'vectors', load: (file: string, database: string, lanes: number) => Promise<void>): Trial {
  return {
    provide: (rows) => void provideData(recipe, rows),
    run: async (rows, folder) => {
      const file = provideData(recipe, rows);
      const database = path.join(folder, 'limit.db');
      const times = await measure(() => load(file, database, lanes));
      return {
        rows: countRows(database, 'rows', rows),
        ...times,
        peakRssBytes: readPeakRss(),
        settings: { ...durability, lanes },
        figures: {},
      };
    },
  };
}

const limitMemory: Trial = {
  provide: () => undefined,
  run: async (rows, folder) => {
    const database = path.join(folder, 'limit.db');
    const input = [...makeVectorRows(rows)];
    const times = await measure(() => insertFromMemory(input, database));
    return { rows: countRows(database, 'rows', rows), ...times, peakRssBytes: readPeakRss(), settings: { ...durability }, figures: {} };
  },
};

/** Whether the sqlite3 shell is there; the reason to skip its trial when not. */
export function explainShellAbsence(): string | undefined {
  const asked = spawnSync('sqlite3', ['-version']);
  return asked.status === 0 ? undefined : 'sqlite3 is not on PATH';
}

/** The sqlite3 shell's `.import` into the same table, whole process, with the settings of the limit. */
const shellImport: Trial = {
  provide: (rows) => void provideData('csv', rows),
  run: async (rows, folder) => {
    const database = path.join(folder, 'shell.db');
    const script = [
      `PRAGMA page_size = ${durability.pageSize};`,
      `PRAGMA journal_mode = ${durability.journalMode};`,
      `PRAGMA synchronous = ${durability.synchronous};`,
      'CREATE TABLE rows (id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER NOT NULL);',
      `.import --csv --skip 1 '${provideData('csv', rows)}' rows`,
    ];
    const times = await measure(() => {
      const done = spawnSync('sqlite3', ['-bail', database], { input: `${script.join('\n')}\n`, encoding: 'utf8' });
      if (done.status !== 0) throw new Error(`sqlite3 failed: ${done.stderr}`);
    });
    // The processor time and memory of another process are not known here.
    return { rows: countRows(database, 'rows', rows), ms: times.ms, cpuMs: 0, peakRssBytes: 0, settings: { ...durability }, figures: {} };
  },
};

/** The trials without sluice. */
export const limitTrials: Readonly<Record<string, Trial>> = {
  'limit-csv': limitOf('csv', loadCsv),
  'limit-jsonl': limitOf('jsonl', loadJsonl),
  'limit-vectors': limitOf('vectors', loadVectors),
  'limit-memory': limitMemory,
  'shell-import': shellImport,
};

/** An empty folder beside the inputs, on the same disk, for one run. */
export async function useFolder<Result>(work: (folder: string) => Promise<Result>): Promise<Result> {
  mkdirSync(dataFolder, { recursive: true });
  const folder = mkdtempSync(path.join(dataFolder, 'run-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
