/** Loads from other sources as trials, into SQLite; those into PostgreSQL stand with its trials. Inputs are made before the clock starts. */
import { createReadStream } from 'node:fs';
import path from 'node:path';
import { createGunzip } from 'node:zlib';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { LoadOptions, LoadReport } from '../src/index.ts';
import { provideData } from './data.ts';
import { provideArrow, provideCompressed, provideNpy, provideParquet, provideTextLines } from './source-data.ts';
import { openLibrary } from './sluice.ts';
import { countRows, lanes, measure, readPeakRss } from './trials.ts';
import type { Sample, Trial } from './trials.ts';

const { check, load } = await openLibrary();

const plain: Partial<LoadOptions> = { key: ['id'], index: { build: 'none' }, lanes };

type Way = Omit<LoadOptions, 'to' | 'table'>;

/** One load, timed from the call to the report, then counted. */
async function loadOnce(rows: number, folder: string, way: Way): Promise<Sample> {
  const database = path.join(folder, 'sluice.db');
  const reports: LoadReport[] = [];
  const times = await measure(async () => void reports.push(await load({ ...plain, ...way, to: `sqlite:${database}`, table: 'rows' })));
  const [report] = reports;
  if (report?.state !== 'done') throw new Error(`the load ended as ${report?.state}: ${report?.failure?.message}`);
  const figures = Object.fromEntries(Object.entries(report.stageMs).map(([name, ms]) => [`${name}Ms`, Math.round(ms)]));
  return { rows: countRows(database, 'rows', rows), ...times, peakRssBytes: readPeakRss(), settings: { lanes: report.lanes }, figures };
}

function trialOf(provide: (rows: number) => Promise<void>, wayOf: (rows: number) => Promise<Way>): Trial {
  return {
    provide,
    run: async (rows, folder) => loadOnce(rows, folder, await wayOf(rows)),
  };
}

const parquet = (codec: 'snappy' | 'zstd'): Trial =>
  trialOf(
    async (rows) => void (await provideParquet(rows, codec)),
    async (rows) => ({ from: await provideParquet(rows, codec) }),
  );

const arrow: Trial = trialOf(
  async (rows) => void (await provideArrow(rows)),
  async (rows) => ({ from: await provideArrow(rows) }),
);

/** Row group after row group as hyparquet's row objects. */
async function* readObjects(file: string): AsyncGenerator<object> {
  const buffer = await asyncBufferFromFile(file);
  const metadata = await parquetMetadataAsync(buffer);
  let start = 0;
  for (const group of metadata.row_groups) {
    const end = start + Number(group.num_rows);
    yield* await parquetReadObjects({ file: buffer, metadata, rowStart: start, rowEnd: end, compressors });
    start = end;
  }
}

const parquetObjects = (codec: 'snappy' | 'zstd'): Trial =>
  trialOf(
    async (rows) => void (await provideParquet(rows, codec)),
    async (rows) => ({ from: readObjects(await provideParquet(rows, codec)) }),
  );

const zip: Trial = trialOf(
  async (rows) => {
    await provideTextLines(rows);
    await provideNpy(rows);
  },
  async (rows) => ({ from: await provideTextLines(rows), zip: await provideNpy(rows) }),
);

const gzip: Trial = trialOf(
  async (rows) => void (await provideCompressed(rows, 'gz')),
  async (rows) => ({ from: await provideCompressed(rows, 'gz') }),
);

const zstd: Trial = trialOf(
  async (rows) => void (await provideCompressed(rows, 'zst')),
  async (rows) => ({ from: await provideCompressed(rows, 'zst') }),
);

/** The decompression alone, by Node's own stream. */
const gunzip: Trial = {
  provide: async (rows) => void (await provideCompressed(rows, 'gz')),
  run: async (rows) => {
    const file = await provideCompressed(rows, 'gz');
    let bytes = 0;
    const times = await measure(async () => {
      for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 }).pipe(createGunzip({ chunkSize: 1 << 18 })))
        bytes += (chunk as Uint8Array).length;
    });
    return { rows, ...times, peakRssBytes: readPeakRss(), settings: {}, figures: { bytes } };
  },
};

/** The same load with all rows shown at once; into a new table, or into one that has as many rows already. */
function atomicTrial(isAtomic: boolean, hasRows: boolean): Trial {
  return {
    provide: (rows) => void provideData('csv', 2 * rows),
    run: async (rows, folder) => {
      const database = path.join(folder, 'sluice.db');
      const to = { to: `sqlite:${database}`, table: 'rows' };
      if (hasRows) await load({ ...plain, ...to, from: listRows(rows, rows) });
      const from = provideData('csv', rows);
      const times = await measure(async () => {
        const report = await load({ ...plain, ...to, from, target: { isAtomic } });
        if (report.state !== 'done') throw new Error(`the load ended as ${report.state}: ${report.failure?.message}`);
      });
      return {
        rows: countRows(database, 'rows', hasRows ? 2 * rows : rows) - (hasRows ? rows : 0),
        ...times,
        peakRssBytes: readPeakRss(),
        settings: { lanes },
        figures: {},
      };
    },
  };
}

function* listRows(count: number, after: number): Generator<object> {
  for (let id = after + 1; id <= after + count; id++) yield { id, name: `row ${id}`, age: id % 100 };
}

/** Rows with a text, of which one in a hundred is another text the second time. */
function* listTexts(count: number, round: number): Generator<object> {
  for (let id = 1; id <= count; id++)
    yield { id, text: `text ${id % 100 === 0 ? `${id} of round ${round}` : id} about one thing or another, and ${id * 7919} more` };
}

/** `first`: the load into an empty table. Otherwise: the sync after it, timed alone. */
function syncTrial(isFirst: boolean, isEmbedded: boolean): Trial {
  const embed = isEmbedded ? { embed: { column: 'text', with: 'hash' } } : {};
  return {
    provide: () => undefined,
    run: async (rows, folder) => {
      const database = path.join(folder, 'sluice.db');
      const where = { to: `sqlite:${database}`, table: 'rows', cache: false, mode: 'sync' } as const;
      const run = (round: number): Promise<LoadReport> => load({ ...plain, ...embed, ...where, from: listTexts(rows, round) });
      if (!isFirst) await run(1);
      let report: LoadReport | undefined;
      const times = await measure(async () => {
        report = await run(isFirst ? 1 : 2);
      });
      const changed = isFirst ? rows : Math.floor(rows / 100);
      if (report?.counts.written !== changed) throw new Error(`${report?.counts.written} rows were written, not ${changed}`);
      const figures = {
        embedded: report.embedding?.embedded ?? 0,
        wrongEmbedded: Math.abs((report.embedding?.embedded ?? changed) - changed),
      };
      return { rows: countRows(database, 'rows', rows), ...times, peakRssBytes: readPeakRss(), settings: { lanes }, figures };
    },
  };
}

/** Reading and checking without a word about what was found: the same readers, every value converted. */
const parseAlone: Trial = {
  provide: (rows) => void provideData('csv', rows),
  run: async (rows, folder) => checkOnce(rows, folder, false),
};

const checkAll: Trial = {
  provide: (rows) => void provideData('csv', rows),
  run: async (rows, folder) => checkOnce(rows, folder, true),
};

async function checkOnce(rows: number, folder: string, isWhole: boolean): Promise<Sample> {
  let found = 0;
  const times = await measure(async () => {
    const from = provideData('csv', rows);
    const report = await check({
      from,
      to: `sqlite:${path.join(folder, 'none.db')}`,
      table: 'rows',
      key: ['id'],
      lanes,
      ...(isWhole ? {} : { statistics: false, duplicates: false }),
    });
    found = report.counts.read;
  });
  if (found !== rows) throw new Error(`${found} rows were read, not ${rows}`);
  return { rows, ...times, peakRssBytes: readPeakRss(), settings: { lanes }, figures: {} };
}

export const sourceTrials: Readonly<Record<string, Trial>> = {
  'source-parquet-snappy': parquet('snappy'),
  'source-parquet-zstd': parquet('zstd'),
  'source-objects-snappy': parquetObjects('snappy'),
  'source-objects-zstd': parquetObjects('zstd'),
  'source-arrow': arrow,
  'source-zip': zip,
  'source-gzip': gzip,
  'source-zstd': zstd,
  'source-gunzip': gunzip,
  'source-atomic-new': atomicTrial(true, false),
  'source-rows-new': atomicTrial(false, false),
  'source-atomic-old': atomicTrial(true, true),
  'source-rows-old': atomicTrial(false, true),
  'source-sync-first': syncTrial(true, true),
  'source-sync-again': syncTrial(false, true),
  'source-sync-plain-first': syncTrial(true, false),
  'source-sync-plain-again': syncTrial(false, false),
  'source-parse': parseAlone,
  'source-check': checkAll,
};
