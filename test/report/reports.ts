/** Reports made up for tests of pages: as large and as hostile as they come. */
import { toStoredReport } from '../../src/index.ts';
import type { LoadReport, StoredReport } from '../../src/index.ts';

const fill = (count: number, value: (index: number) => number): number[] => Array.from({ length: count }, (_, index) => value(index));

/** A report of a load that took `bins` stretches; `text` stands wherever text of users, files and servers can. */
export function makeReport(over: Partial<LoadReport> = {}, bins = 240, text = 'text'): LoadReport {
  const binMs = 15_000;
  const rows = fill(bins, (index) => binMs * (100 + (index % 50)));
  const read = rows.reduce((sum, count) => sum + count, 0);
  const counts = { read, written: read - 1_100, skipped: 100, rejected: 1_000 };
  return {
    schema: 1,
    load: '20261121-204447-d3d19e',
    label: text,
    state: 'done',
    source: text,
    target: text,
    table: text,
    mode: 'upsert',
    counts,
    isBalanced: true,
    session: {
      ...counts,
      bytes: read * 380,
      elapsedMs: bins * binMs + 60_000,
      loadMs: bins * binMs - 3_000,
      rowsPerSecond: 120,
      bytesPerSecond: 45_600,
    },
    embedding: { texts: read, distinct: 90, cached: 50, embedded: 40, embedder: text },
    sync: { inserted: 4, updated: 3, unchanged: 2, deleted: 1 },
    rejectsByClass: { unreadable: 0, unfit: 1_000, refused: 0, unembeddable: 0 },
    rejectsByCause: fill(100, (index) => index).map((index) => ({
      class: 'unfit' as const,
      code: 'VALUE_TYPE',
      column: `${text}${index}`,
      message: text,
      count: 10,
    })),
    stageMs: { read: 4, check: 3, embed: 2, wait: 1, commit: 5 },
    commits: {
      count: 13,
      p50Ms: 4,
      p95Ms: 40,
      p99Ms: 40,
      maxMs: 120_000,
      histogram: [
        { upToMs: 5, count: 12 },
        { upToMs: undefined, count: 1 },
      ],
    },
    timeline: {
      binMs,
      rows,
      bytes: rows.map((count) => count * 380),
      rejected: fill(bins, (index) => index % 3),
      stageMs: {
        read: fill(bins, () => 5),
        check: fill(bins, () => 4),
        embed: fill(bins, () => 3),
        wait: fill(bins, () => 2),
        commit: fill(bins, () => 1),
      },
    },
    environment: { sluice: text, node: text, platform: text, cpu: text, cores: 2, memoryBytes: 1e9, target: text, targetVersion: text },
    index: { kind: 'hnsw', rows: read, buildMs: 54_000, why: text },
    lanes: 4,
    shards: 412,
    peakRssBytes: 3e8,
    cpuMs: 1e6,
    rowsPerCpuSecond: 8e4,
    decisions: fill(500, (index) => index).map((index) => ({
      what: index % 2 === 0 ? 'warning' : text,
      choice: `${text}${index}`,
      why: text,
    })),
    guarantee: text,
    verification: { isOk: true, checks: fill(80, (index) => index).map(() => ({ name: text, isOk: true, expected: text, found: text })) },
    next: text,
    failure: { code: 'SLUICE_TARGET_FULL', message: text, hint: text },
    startedAt: '2026-11-21T19:04:47.000Z',
    endedAt: '2026-11-21T20:05:47.000Z',
    ...over,
  };
}

/** A load with as many sessions, samples, columns and statements as a ledger may hold. */
export function makeLargest(text: string): StoredReport {
  const report = makeReport({}, 240, text);
  return {
    ...toStoredReport(report),
    failure: text,
    samples: fill(200, (index) => index).map((index) => ({
      code: 'VALUE_TYPE',
      column: `${text}${index % 100}`,
      message: text,
      file: text,
      offset: index,
      line: index,
      row: undefined,
      raw: text.slice(0, 300),
    })),
    plan: {
      format: text,
      columns: fill(2_000, (index) => index).map((index) => ({
        name: `${text}${index}`,
        type: text,
        field: text,
        isKey: true,
        isEmbedded: false,
      })),
      ddl: fill(200, (index) => index).map(() => text),
      deferredIndexes: fill(200, (index) => index).map(() => text),
      decisions: report.decisions,
      guarantee: text,
      lanes: 2,
      shardBytes: 1e6,
      maxBatchBytes: 1e6,
      maxBatchRows: 20_000,
      maxRejects: '1%',
    },
    sessionCount: 120,
    sessions: fill(100, (index) => index).map((index) => ({ session: index + 1, report })),
  };
}
