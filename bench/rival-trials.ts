/** What people would use instead, as trials: embedded stores with the rows in memory, and exact searches. Each counts what it wrote. */
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { load as loadSqliteVec } from 'sqlite-vec';
import { takeMedian } from './benchmarks.ts';
import { makeVectorRows } from './data.ts';
import type { VectorRow } from './data.ts';
import { openLibrary } from './sluice.ts';
import { provideFloats, provideTexts, textInput } from './postgres-data.ts';
import { provideClients } from './rivals/node-clients.ts';
import { openBetterSqlite, openLance } from './rivals/node-stores.ts';
import { runPython } from './rivals/python.ts';
import { countRows, measure, readPeakRss } from './trials.ts';
import type { Sample, Trial } from './trials.ts';

const dimensions = 384;
const queries = 20;
const hits = 10;

const betterSqlite: Trial = {
  provide: provideClients,
  run: async (rows, folder) => {
    const database = path.join(folder, 'rival.db');
    const insert = await openBetterSqlite(database);
    const input = [...makeVectorRows(rows)];
    const times = await measure(() => insert(input));
    const settings = { journalMode: 'WAL', synchronous: 'FULL' };
    return { rows: countRows(database, 'rows', rows), ...times, peakRssBytes: readPeakRss(), settings, figures: {} };
  },
};

const lanceAdd: Trial = {
  provide: provideClients,
  run: async (rows, folder) => {
    const add = await openLance(folder);
    const input = [...makeVectorRows(rows)];
    let found = 0;
    const times = await measure(async () => {
      found = await (await add(input)).countRows();
    });
    if (found !== rows) throw new Error(`the table has ${found} rows, not ${rows}`);
    return { rows, ...times, peakRssBytes: readPeakRss(), settings: { rowsPerAdd: 5000 }, figures: {} };
  },
};

const sqliteUtils: Trial = {
  provide: (rows) => {
    provideFloats(textInput(rows));
    provideTexts(textInput(rows));
  },
  run: async (rows, folder) => {
    const database = path.join(folder, 'rival.db');
    const timing = runPython('sqlite-utils-load.py', [
      database,
      String(rows),
      provideFloats(textInput(rows)),
      provideTexts(textInput(rows)),
    ]);
    return { rows: countRows(database, 'rows', rows), peakRssBytes: 0, ...timing, settings: { synchronous: 'FULL' }, figures: {} };
  },
};

/** Searches one after another; the first is a warm-up. */
async function measureSearches(search: (query: Float32Array) => Promise<number> | number): Promise<Sample['figures']> {
  const asked = [...makeVectorRows(queries + 1)].map(({ vector }) => vector);
  const times: number[] = [];
  for (const [place, query] of asked.entries()) {
    const startedMs = performance.now();
    const found = await search(query);
    if (found !== hits) throw new Error(`a search found ${found} rows, not ${hits}`);
    if (place > 0) times.push(performance.now() - startedMs);
  }
  return { p50Ms: takeMedian(times) };
}

/** Rows of a table for searches, written before the clock starts. */
async function fillTable(database: string, rows: number): Promise<void> {
  const { load } = await openLibrary();
  const report = await load({
    from: mapRows(makeVectorRows(rows)),
    to: `sqlite:${database}`,
    table: 'rows',
    key: ['id'],
    index: { build: 'none' },
  });
  if (report.counts.written !== rows) throw new Error(`${report.counts.written} rows were written, not ${rows}`);
}

function* mapRows(rows: Iterable<VectorRow>): Generator<object> {
  for (const { id, vector } of rows) yield { id, vector };
}

function searchTrial(open: (database: string) => Promise<(query: Float32Array) => Promise<number> | number>): Trial {
  return {
    provide: () => undefined,
    run: async (rows, folder) => {
      const database = path.join(folder, 'search.db');
      await fillTable(database, rows);
      const search = await open(database);
      let figures: Sample['figures'] = {};
      const times = await measure(async () => {
        figures = await measureSearches(search);
      });
      return { rows: countRows(database, 'rows', rows), ...times, peakRssBytes: readPeakRss(), settings: { queries, dimensions }, figures };
    },
  };
}

const searchBySluice = searchTrial(async (database) => {
  const { openSearch } = await openLibrary();
  const opened = await openSearch({ in: `sqlite:${database}`, table: 'rows' });
  return async (query) => (await opened.search(query, { k: hits, way: 'exact' })).hits.length;
});

/** sqlite-vec's function over the same table, sorted by SQLite. */
const searchBySqliteVec = searchTrial(async (database) => {
  const db = new DatabaseSync(database, { allowExtension: true, readOnly: true });
  loadSqliteVec(db);
  const statement = db.prepare('SELECT id, vec_distance_cosine(vector, ?) AS distance FROM rows ORDER BY distance LIMIT ?');
  return (query) => statement.all(new Uint8Array(query.buffer, query.byteOffset, query.byteLength), hits).length;
});

const searchByLance: Trial = {
  provide: provideClients,
  run: async (rows, folder) => {
    const add = await openLance(folder);
    const table = await add([...makeVectorRows(rows)]);
    let figures: Sample['figures'] = {};
    const times = await measure(async () => {
      figures = await measureSearches(
        async (query) => (await table.vectorSearch(Array.from(query)).distanceType('cosine').limit(hits).toArray()).length,
      );
    });
    return { rows, ...times, peakRssBytes: readPeakRss(), settings: { queries, dimensions }, figures };
  },
};

export const rivalTrials: Readonly<Record<string, Trial>> = {
  'rival-better-sqlite3': betterSqlite,
  'rival-lancedb-add': lanceAdd,
  'rival-sqlite-utils': sqliteUtils,
  'rival-search-sluice': searchBySluice,
  'rival-search-sqlite-vec': searchBySqliteVec,
  'rival-search-lancedb': searchByLance,
};
