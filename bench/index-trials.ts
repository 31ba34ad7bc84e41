/** The trials of the vector index: its build beside usearch called directly, and searches in an open table. */
import path from 'node:path';
import process from 'node:process';
import { Index } from 'usearch';
import type { MetricKind, ScalarKind } from 'usearch';
import { load, openSearch } from '../src/index.ts';
import type { OpenSearch } from '../src/search/search.ts';
import { chooseSettings, prepareVector } from '../src/target/sqlite/vector-hnsw.ts';
import { readDefinitions } from '../scripts/wordnet.ts';
import { takeMedian } from './benchmarks.ts';
import { makeVectorRows, provideData } from './data.ts';
import { provideWordnet } from './sluice-trials.ts';
import { countRows, lanes, measure, readPeakRss } from './trials.ts';
import type { Trial } from './trials.ts';

const dimensions = 384;
const settings = chooseSettings('cosine', dimensions);

/** The build as a load does it; its time is that of the phase `index` alone. */
const buildBySluice: Trial = {
  provide: (rows) => void provideData('vectors', rows),
  run: async (rows, folder) => {
    const database = path.join(folder, 'sluice.db');
    const from = provideData('vectors', rows);
    const startedCpu = process.cpuUsage();
    const report = await load({
      from,
      to: `sqlite:${database}`,
      table: 'rows',
      key: ['id'],
      lanes,
      index: { build: 'always', metric: 'cosine' },
    });
    const cpu = process.cpuUsage(startedCpu);
    if (report.index?.kind !== 'hnsw' || report.index.rows !== rows)
      throw new Error(`no index of ${rows} rows was built: ${report.failure?.message}`);
    const rest = {
      cpuMs: (cpu.user + cpu.system) / 1000,
      peakRssBytes: readPeakRss(),
      settings: { threads: lanes, ...settings },
      figures: {},
    };
    return { rows: countRows(database, 'rows', rows), ms: report.index.buildMs, ...rest };
  },
};

/** usearch alone: the same vectors from memory, prepared, added in one call with the same settings and threads, and saved. */
const buildDirectly: Trial = {
  provide: () => undefined,
  run: async (rows, folder) => {
    const keys = BigUint64Array.from({ length: rows }, (_, index) => BigInt(index + 1));
    const vectors = new Float32Array(rows * dimensions);
    for (const { id, vector } of makeVectorRows(rows))
      prepareVector('cosine', vector, vectors.subarray((id - 1) * dimensions, id * dimensions));
    const { scalar, connectivity, expansionAdd, expansionSearch } = settings;
    const index = new Index({
      dimensions,
      metric: 'ip' as MetricKind,
      quantization: scalar as ScalarKind,
      connectivity,
      expansion_add: expansionAdd,
      expansion_search: expansionSearch,
      multi: false,
    });
    const times = await measure(() => {
      index.add(keys, vectors, lanes);
      index.save(path.join(folder, 'direct.usearch'));
    });
    if (index.size() !== rows) throw new Error(`the index has ${index.size()} vectors, not ${rows}`);
    return { rows, ...times, peakRssBytes: readPeakRss(), settings: { threads: lanes, ...settings }, figures: {} };
  },
};

/** Every how many definitions one gives a query: about 500 in all. */
const queryStep = 235;
const warmupQueries = 50;
const recallTexts = 200;

/** Recall@10 for texts, which lie further from the rows than stored vectors do: rows as near as the tenth true one count as found. */
async function measureTextRecall(opened: OpenSearch, texts: readonly string[]): Promise<number> {
  let found = 0;
  let expected = 0;
  for (const text of texts) {
    const exact = (await opened.search(text, { way: 'exact', columns: [] })).hits;
    const proposed = (await opened.search(text, { way: 'index', columns: [] })).hits;
    const least = (exact.at(-1)?.score ?? 0) - 1e-12;
    found += proposed.filter((hit) => hit.score >= least).length;
    expected += exact.length;
  }
  return found / expected;
}

/** Searches by the words of definitions, in a table that stays open; then recall over stored vectors and over texts, of which the lower one counts. */
const searchWordnet: Trial = {
  provide: () => void provideWordnet(),
  run: async (rows, folder) => {
    const target = `sqlite:${path.join(folder, 'sluice.db')}`;
    const from = provideWordnet();
    await load({
      from,
      to: target,
      table: 'rows',
      key: ['id'],
      lanes,
      embed: { column: 'text', with: 'hash' },
      cache: false,
      index: { build: 'always' },
    });
    const texts = readDefinitions()
      .filter((_, index) => index % queryStep === 0)
      .map((definition) => definition.text.split(':')[0] ?? '');
    const opened = await openSearch({ in: target, table: 'rows' });
    for (const text of texts.slice(0, warmupQueries)) await opened.search(text, { way: 'index' });
    const latencies: number[] = [];
    const times = await measure(async () => {
      for (const text of texts) {
        const startedMs = performance.now();
        const { hits } = await opened.search(text, { way: 'index' });
        latencies.push(performance.now() - startedMs);
        if (hits.length !== 10) throw new Error(`a search found ${hits.length} rows, not 10`);
      }
    });
    const storedRecall = (await opened.measureRecall({ k: 10, queries: 500 })).recall;
    const textRecall = await measureTextRecall(opened, texts.slice(0, recallTexts));
    await opened.close();
    const figures = {
      p50Ms: takeMedian(latencies),
      p99Ms: latencies.toSorted((a, b) => a - b)[Math.floor(latencies.length * 0.99)] ?? 0,
      recall: Math.min(storedRecall, textRecall),
      storedRecall,
      textRecall,
    };
    return {
      rows: countRows(path.join(folder, 'sluice.db'), 'rows', rows),
      ...times,
      peakRssBytes: readPeakRss(),
      settings: { ...settings },
      figures,
    };
  },
};

/** The trials of the index, by name. */
export const indexTrials: Readonly<Record<string, Trial>> = {
  'sluice-index': buildBySluice,
  'limit-index': buildDirectly,
  'sluice-search': searchWordnet,
};
