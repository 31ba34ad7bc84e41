/** The trials of sluice itself: the same inputs and the same work as the limits, by the public library, with ledger and checks on. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadOptions, LoadReport } from '../src/index.ts';
import { writeDefinitions } from '../scripts/wordnet.ts';
import { dataFolder, makeVectorRows, provideData } from './data.ts';
import type { RecipeName } from './data.ts';
import { cliFile, openLibrary } from './sluice.ts';
import { countRows, lanes, measure, readPeakRss } from './trials.ts';
import type { Sample, Trial } from './trials.ts';

const { load, resume, status } = await openLibrary();

/** WordNet's definitions, made once. */
export function provideWordnet(): string {
  const file = path.join(dataFolder, 'wordnet.jsonl');
  writeDefinitions(file);
  return file;
}

/** What the report says about the way taken, for the results file. */
function listSettings(report: LoadReport): Sample['settings'] {
  return Object.fromEntries([['lanes', report.lanes], ...report.decisions.map((decision) => [decision.what, decision.choice] as const)]);
}

/** One load, timed from the call to the report, then counted. */
async function loadOnce(
  rows: number,
  folder: string,
  options: Omit<LoadOptions, 'to' | 'table'>,
): Promise<{ sample: Sample; report: LoadReport }> {
  const database = path.join(folder, 'sluice.db');
  const reports: LoadReport[] = [];
  const times = await measure(async () => void reports.push(await load({ lanes, ...options, to: `sqlite:${database}`, table: 'rows' })));
  const report = reports[0];
  if (report?.state !== 'done') throw new Error(`the load ended as ${report?.state}: ${report?.failure?.message}`);
  const count = countRows(database, 'rows', rows);
  return { report, sample: { rows: count, ...times, peakRssBytes: readPeakRss(), settings: listSettings(report), figures: {} } };
}

/** A load of one of the files. */
function loadOf(recipe: RecipeName, options: Partial<LoadOptions>): Trial {
  return {
    provide: (rows) => void provideData(recipe, rows),
    run: async (rows, folder) => (await loadOnce(rows, folder, { ...options, from: provideData(recipe, rows), key: ['id'] })).sample,
  };
}

const plain: Partial<LoadOptions> = { index: { build: 'none' } };

const fromMemory: Trial = {
  provide: () => undefined,
  run: async (rows, folder) => {
    const from = [...makeVectorRows(rows)];
    return (await loadOnce(rows, folder, { ...plain, from, key: ['id'] })).sample;
  },
};

const embedText: Pick<LoadOptions, 'key' | 'embed' | 'index'> = {
  key: ['id'],
  embed: { column: 'text', with: 'hash' },
  index: { build: 'none' },
};

/** Texts embedded for the first time. */
const wordnet: Trial = {
  provide: () => void provideWordnet(),
  run: async (rows, folder) => {
    const cache = { path: path.join(folder, 'cache.db') };
    const { sample, report } = await loadOnce(rows, folder, { ...embedText, from: path.join(dataFolder, 'wordnet.jsonl'), cache });
    return { ...sample, figures: { embedded: report.embedding?.embedded ?? -1 } };
  },
};

/** The same texts into another table: the first load fills the cache, the second is timed. */
const warmCache: Trial = {
  provide: () => void provideWordnet(),
  run: async (rows, folder) => {
    const cache = { path: path.join(folder, 'cache.db') };
    const from = path.join(dataFolder, 'wordnet.jsonl');
    await load({ ...embedText, lanes, from, cache, to: `sqlite:${path.join(folder, 'first.db')}`, table: 'rows' });
    const { sample, report } = await loadOnce(rows, folder, { ...embedText, from, cache });
    const total = Object.values(report.stageMs).reduce((sum, ms) => sum + ms, 0);
    return { ...sample, figures: { embedded: report.embedding?.embedded ?? -1, stageShare: report.stageMs.embed / total } };
  },
};

/** Starts a load in a process of its own, kills it when about a third is committed, resumes it here, and says how much was read twice. */
const killed: Trial = {
  provide: (rows) => void provideData('csv', rows),
  run: async (rows, folder) => {
    const database = path.join(folder, 'sluice.db');
    const args = [
      'load',
      provideData('csv', rows),
      '--to',
      `sqlite:${database}`,
      '--table',
      'rows',
      '--key',
      'id',
      '--lanes',
      String(lanes),
    ];
    const child = spawn(process.execPath, [cliFile, ...args, '--progress', 'none'], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    const committed = await awaitCommitted(`sqlite:${database}`, rows / 3);
    child.kill('SIGKILL');
    await ended;
    const [before] = await status({ in: `sqlite:${database}` });
    const read = before?.counts.read ?? 0;
    const reports: LoadReport[] = [];
    const times = await measure(async () => void reports.push(await resume({ in: `sqlite:${database}`, lanes })));
    const session = reports[0]?.session.read ?? 0;
    const figures = { committedBefore: Math.max(read, committed), readAgain: read + session - rows };
    return { rows: countRows(database, 'rows', rows), ...times, peakRssBytes: readPeakRss(), settings: { lanes }, figures };
  },
};

/** Waits until the ledger counts that many rows; the load must have begun within the deadline. */
async function awaitCommitted(target: string, rows: number): Promise<number> {
  const deadlineMs = performance.now() + 60_000;
  for (;;) {
    const [found] = await status({ in: target }).catch(() => []);
    const read = found?.counts.read ?? 0;
    if (read >= rows) return read;
    if (performance.now() > deadlineMs) throw new Error(`only ${read} rows were committed in a minute`);
    await sleep(20);
  }
}

/** The command line in a process of its own, as a user runs it: its peak memory holds nothing of the benchmark. */
function runCli(recipe: RecipeName): Trial {
  return {
    provide: (rows) => void provideData(recipe, rows),
    run: async (rows, folder) => {
      const database = path.join(folder, 'sluice.db');
      const reportFile = path.join(folder, 'report.json');
      const where = ['--to', `sqlite:${database}`, '--table', 'rows', '--key', 'id', '--lanes', String(lanes), '--index', 'none'];
      const args = [cliFile, 'load', provideData(recipe, rows), ...where, '--progress', 'none', '--report', reportFile];
      const times = await measure(async () => void (await once(spawn(process.execPath, args, { stdio: 'ignore' }), 'exit')));
      const { peakRssBytes } = JSON.parse(readFileSync(reportFile, 'utf8')) as LoadReport;
      return { rows: countRows(database, 'rows', rows), ...times, peakRssBytes, settings: { lanes }, figures: {} };
    },
  };
}

/** The trials of sluice but those of the index. */
export const sluiceTrials: Readonly<Record<string, Trial>> = {
  'sluice-csv': loadOf('csv', plain),
  'sluice-jsonl': loadOf('jsonl', plain),
  'sluice-vectors': loadOf('vectors', plain),
  'cli-csv': runCli('csv'),
  'cli-vectors': runCli('vectors'),
  'sluice-memory': fromMemory,
  'sluice-wordnet': wordnet,
  'sluice-warm-cache': warmCache,
  'sluice-resume': killed,
};
