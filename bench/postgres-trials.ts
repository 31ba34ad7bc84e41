/** sluice on PostgreSQL as trials: the inputs of the rivals, by the public library or the command line, ledger and checks on, counted the same way. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import type { LoadOptions, LoadReport } from '../src/index.ts';
import { makeVectorRows, provideData } from './data.ts';
import { readNumber, sampleOf, useDatabase } from './postgres-database.ts';
import type { Database } from './postgres-database.ts';
import { declareTable, provideBadCsv, provideCsv, provideSmallCsv, textInput, wideInput } from './postgres-data.ts';
import type { VectorInput } from './postgres-data.ts';
import { smallTable } from './postgres-rivals.ts';
import { provideNpy, provideParquet, provideTextLines } from './source-data.ts';
import { cliFile, openLibrary } from './sluice.ts';
import { lanes } from './trials.ts';
import type { Sample, Trial } from './trials.ts';

const { load } = await openLibrary();
const plain: Partial<LoadOptions> = { key: ['id'], index: { build: 'none' } };

type Way = Omit<LoadOptions, 'to' | 'table'>;

/** One load to its end; one that ended otherwise is no result. */
async function loadAll(database: Database, way: Way): Promise<LoadReport> {
  const report = await load({ ...plain, ...way, to: database.url, table: 'items' });
  if (report.state !== 'done') throw new Error(`the load ended as ${report.state}: ${report.failure?.message}`);
  return report;
}

function listSettings(report: LoadReport | undefined): Sample['settings'] {
  return Object.fromEntries((report?.decisions ?? []).map((decision) => [decision.what, decision.choice]));
}

/** Where the time went: until the last row was committed, and per stage summed over the lanes. */
function listStages({ session, stageMs }: LoadReport): Sample['figures'] {
  const stages = Object.entries(stageMs).map(([name, ms]) => [`${name}Ms`, Math.round(ms)] as const);
  return { loadMs: Math.round(session.loadMs), ...Object.fromEntries(stages) };
}

interface Recipe {
  readonly provide?: (rows: number) => Promise<void> | void;
  /** Before the clock starts. */
  readonly prepare?: (database: Database, rows: number) => Promise<void>;
  readonly way: (rows: number) => Promise<Way> | Way;
  /** Rows that the trial adds and that stood there before. */
  readonly added?: (rows: number) => number;
  readonly before?: (rows: number) => number;
  readonly figures?: (database: Database, report: LoadReport) => Promise<Sample['figures']>;
}

/** A load as a trial. */
function trialOf(recipe: Recipe): Trial {
  return {
    provide: recipe.provide ?? (() => undefined),
    run: (rows) =>
      useDatabase(async (database) => {
        await recipe.prepare?.(database, rows);
        const reports: LoadReport[] = [];
        const way = await recipe.way(rows);
        const expected = { rows, added: recipe.added?.(rows) ?? rows, before: recipe.before?.(rows) ?? 0 };
        const sample = await sampleOf(database, expected, async () => void reports.push(await loadAll(database, way)));
        const [report] = reports;
        const figures = report === undefined ? {} : { ...listStages(report), ...(await recipe.figures?.(database, report)) };
        return { ...sample, settings: { ...sample.settings, ...listSettings(report) }, figures: { ...sample.figures, ...figures } };
      }),
  };
}

const makeTable =
  (inputOf: (rows: number) => VectorInput, storage = '') =>
  (database: Database, rows: number): Promise<void> =>
    database.run(declareTable(inputOf(rows), storage));

/** Wide rows in memory, those of the file that the server reads. */
function listWide(rows: number): readonly object[] {
  return Array.from(makeVectorRows(rows, wideInput(rows).dimensions), ({ id, vector }) => ({ id, vector }));
}

/** Two loads at once, each with half of the rows and a session of its own. */
const wideTwice: Trial = {
  provide: () => undefined,
  run: (rows) =>
    useDatabase(async (database) => {
      await database.run(declareTable(wideInput(rows), ' WITH (toast_tuple_target = 8160)'));
      const input = listWide(rows);
      const halves = [input.slice(0, rows / 2), input.slice(rows / 2)];
      return sampleOf(database, { rows }, async () => {
        await Promise.all(halves.map((from, half) => loadAll(database, { from, lanes: 1, label: `half ${half}` })));
      });
    }),
};

const memory = (rows: number): readonly object[] => [...makeVectorRows(rows)];
const jsonl = (rows: number): string => provideData('vectors', rows);
const small = (rows: number): Way => ({ from: provideSmallCsv(rows), lanes });

/** An age below zero is what only the server can refuse. */
const checkedTable = 'CREATE TABLE items (id bigint PRIMARY KEY, name text NOT NULL, age integer NOT NULL CHECK (age >= 0))';

function badRows(bad: number): Trial {
  return trialOf({
    provide: (rows) => void provideBadCsv(rows, bad),
    prepare: (database) => database.run(checkedTable),
    way: (rows) => ({ from: provideBadCsv(rows, bad), lanes }),
    added: (rows) => rows - bad,
    figures: async (_, report) => ({ rejects: report.counts.rejected, wrongRejects: Math.abs(report.counts.rejected - bad) }),
  });
}

/** As many rows and an HNSW index over them stand there before. */
function hnsw(indexes: 'keep' | 'auto'): Trial {
  return trialOf({
    prepare: async (database, rows) => {
      await database.run(declareTable(textInput(rows)));
      await loadAll(database, { from: memory(rows) });
      await database.run('CREATE INDEX items_hnsw ON items USING hnsw (vector vector_cosine_ops)');
    },
    // The ids begin where those before end.
    way: (rows) => ({ from: [...makeVectorRows(rows)].map((row) => ({ ...row, id: row.id + rows })), target: { indexes } }),
    before: (rows) => rows,
    figures: async (database) => ({
      indexes: await readNumber(database.url, `SELECT count(*) FROM pg_index WHERE indisvalid AND indexrelid = 'items_hnsw'::regclass`),
    }),
  });
}

/** The command line in a process of its own: its peak memory holds nothing of the benchmark. */
const commandLine: Trial = {
  provide: (rows) => void provideSmallCsv(rows),
  run: (rows, folder) =>
    useDatabase(async (database) => {
      const reportFile = path.join(folder, 'report.json');
      const where = ['--to', database.url, '--table', 'items', '--key', 'id', '--lanes', String(lanes), '--index', 'none'];
      const args = [cliFile, 'load', provideSmallCsv(rows), ...where, '--progress', 'none', '--report', reportFile];
      const sample = await sampleOf(database, { rows }, async () => {
        const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
        const told: string[] = [];
        child.stderr.setEncoding('utf8').on('data', (text: string) => told.push(text));
        const [code] = (await once(child, 'close')) as [number];
        if (code !== 0) throw new Error(`sluice load ended with ${code}: ${told.join('')}`);
      });
      const { peakRssBytes, cpuMs } = JSON.parse(readFileSync(reportFile, 'utf8')) as LoadReport;
      return { ...sample, peakRssBytes, cpuMs };
    }),
};

/** The trials of sluice on PostgreSQL, by name. */
export const postgresTrials: Readonly<Record<string, Trial>> = {
  'pg-wide-sluice': trialOf({ prepare: makeTable(wideInput), way: (rows) => ({ from: listWide(rows), lanes: 1 }) }),
  'pg-wide-sluice-two': wideTwice,
  'pg-384-sluice-memory': trialOf({ prepare: makeTable(textInput), way: (rows) => ({ from: memory(rows) }) }),
  'pg-384-sluice-parquet': trialOf({
    provide: async (rows) => void (await provideParquet(rows, 'snappy')),
    prepare: makeTable(textInput),
    way: async (rows) => ({ from: await provideParquet(rows, 'snappy'), lanes }),
  }),
  'pg-384-sluice-zip': trialOf({
    provide: async (rows) => {
      await provideTextLines(rows);
      await provideNpy(rows);
    },
    prepare: makeTable(textInput),
    way: async (rows) => ({ from: await provideTextLines(rows), zip: await provideNpy(rows), lanes }),
  }),
  'pg-384-sluice-jsonl': trialOf({
    provide: (rows) => void jsonl(rows),
    prepare: makeTable(textInput),
    way: (rows) => ({ from: jsonl(rows), lanes }),
  }),
  'pg-384-sluice-csv': trialOf({
    provide: (rows) => void provideCsv(textInput(rows)),
    prepare: makeTable(textInput),
    way: (rows) => ({ from: provideCsv(textInput(rows)), lanes }),
  }),
  'pg-384-sluice-atomic': trialOf({
    provide: (rows) => void jsonl(rows),
    way: (rows) => ({ from: jsonl(rows), lanes, target: { isAtomic: true } }),
  }),
  'pg-384-sluice-new': trialOf({ provide: (rows) => void jsonl(rows), way: (rows) => ({ from: jsonl(rows), lanes }) }),
  'pg-384-sluice-insert': trialOf({
    prepare: makeTable(textInput),
    way: (rows) => ({ from: memory(rows), lanes: 1, target: { usesCopy: false } }),
  }),
  'pg-384-sluice-upsert': trialOf({
    prepare: async (database, rows) => {
      await database.run(declareTable(textInput(rows)));
      await loadAll(database, { from: memory(rows) });
    },
    way: (rows) => ({ from: memory(rows), mode: 'upsert', again: true }),
    added: () => 0,
    before: (rows) => rows,
  }),
  'pg-small-sluice-in-place': trialOf({
    provide: (rows) => void provideSmallCsv(rows),
    prepare: (database) => database.run(smallTable),
    way: (rows) => ({ ...small(rows), target: { indexes: 'keep' } }),
  }),
  'pg-small-sluice-deferred': trialOf({ provide: (rows) => void provideSmallCsv(rows), way: small }),
  'pg-small-cli': commandLine,
  'pg-hnsw-kept': hnsw('keep'),
  'pg-hnsw-auto': hnsw('auto'),
  'pg-bad-0': badRows(0),
  'pg-bad-1': badRows(1),
  'pg-bad-10': badRows(10),
  'pg-bad-1000': badRows(1_000),
};
