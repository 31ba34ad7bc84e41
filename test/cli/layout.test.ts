/** What a person reads at the end: summary, plan, checks, loads and failures, as plain text. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import picocolors from 'picocolors';
import { findExitCode } from '../../src/cli/exit-code.ts';
import { layoutFailure, toSluiceError } from '../../src/cli/failure.ts';
import { toJsonLine } from '../../src/cli/json-line.ts';
import { layoutSummary } from '../../src/cli/load-summary.ts';
import { layoutPlan } from '../../src/cli/plan-layout.ts';
import { writeResumeCommand } from '../../src/load/control/command-text.ts';
import { layoutHits } from '../../src/cli/search.ts';
import { layoutLoads } from '../../src/cli/status.ts';
import { hasColors } from '../../src/cli/terminal.ts';
import { layoutChecks } from '../../src/cli/verify.ts';
import { SluiceError } from '../../src/errors.ts';
import type { LoadPlan, LoadReport, LoadStatus } from '../../src/load/options.ts';

const colors = picocolors.createColors(false);
const counts = { read: 117_791, written: 117_780, skipped: 0, rejected: 11 };

const report: LoadReport = {
  schema: 1,
  load: '4f2k9',
  label: undefined,
  state: 'done',
  source: 'docs.jsonl',
  target: 'sqlite:library.db',
  table: 'docs',
  mode: 'insert',
  counts,
  isBalanced: true,
  session: { ...counts, bytes: 12_100_000, elapsedMs: 4_400, loadMs: 4_200, rowsPerSecond: 28_045.5, bytesPerSecond: 2_881_000 },
  embedding: { texts: 117_780, distinct: 117_000, cached: 17_000, embedded: 100_000, embedder: 'sluice/hash, 384 dimensions' },
  rejectsByClass: { unreadable: 1, unfit: 10, refused: 0, unembeddable: 0 },
  rejectsByCause: [
    { class: 'unfit', code: 'VALUE_TYPE', column: 'age', message: 'text where an integer belongs', count: 10 },
    { class: 'unreadable', code: 'ROW_JSON_INVALID', column: undefined, message: 'not JSON', count: 1 },
  ],
  stageMs: { read: 1_100, check: 1_500, embed: 300, wait: 2_000, commit: 5_100 },
  commits: { count: 45, p50Ms: 12.2, p95Ms: 30, p99Ms: 44, maxMs: 60 },
  index: { kind: 'hnsw', rows: 117_780, buildMs: 14_200, why: 'more than 50,000 rows' },
  lanes: 2,
  shards: 24,
  peakRssBytes: 212_000_000,
  cpuMs: 5_600,
  rowsPerCpuSecond: 21_034,
  decisions: [{ what: 'journal', choice: 'TRUNCATE', why: 'the file is new' }],
  guarantee: 'exactly once',
  verification: { isOk: true, checks: [{ name: 'rows', isOk: true, expected: '1', found: '1' }] },
  next: 'sluice rejects --in sqlite:library.db 4f2k9 --summary',
  failure: undefined,
  startedAt: '2026-01-01T00:00:00Z',
  endedAt: '2026-01-01T00:00:04Z',
};

test('the summary accounts for every row, says where the time went and why, and ends with the next command', () => {
  assert.deepEqual(layoutSummary(report, colors), [
    'done: docs.jsonl → sqlite:library.db, table docs (load 4f2k9)',
    '  read       117,791',
    '  written    117,780',
    '  skipped          0',
    '  rejected        11',
    '             ✓ 117,791 = 117,780 + 0 + 11: every row is accounted for',
    '  took       4.4 s: 28,046 rows/s, 2.9 MB/s',
    '  processor  5.6 s of processor time, 21,034 rows per CPU-second',
    '  memory     212 MB at the peak',
    '  lanes      2 lanes over 24 shards',
    '  stages     read 1.1 s (11 %), check 1.5 s (15 %), embed 300 ms (3 %), wait 2 s (20 %), commit 5.1 s (51 %)',
    '  commits    45: p50 12.2 ms, p95 30 ms, p99 44 ms, longest 60 ms',
    '  embedding  117,780 texts, 117,000 different: 17,000 from the cache, 100,000 embedded by sluice/hash, 384 dimensions',
    '  index      hnsw over 117,780 rows in 14.2 s: more than 50,000 rows',
    '  journal    TRUNCATE (the file is new)',
    '  guarantee  exactly once',
    '  verified   ✓ 1 check passed',
    'rejected rows by cause',
    '  10 × VALUE_TYPE in age: text where an integer belongs',
    '   1 × ROW_JSON_INVALID: not JSON',
    '→ sluice rejects --in sqlite:library.db 4f2k9 --summary',
  ]);
});

test('counts that do not add up are never called accounted for', () => {
  const text = layoutSummary({ ...report, counts: { ...counts, read: 117_792 } }, colors).join('\n');
  assert.match(text, /✗ 117,792 = 117,780 \+ 0 \+ 11 does not hold/);
  assert.doesNotMatch(text, /is accounted for/);
});

test('a resumed load tells its own part beside the whole', () => {
  const lines = layoutSummary({ ...report, session: { ...report.session, read: 1_000, written: 1_000, rejected: 0 } }, colors);
  assert.ok(lines.includes('  this run   1,000 read, 1,000 written, 0 skipped, 0 rejected'));
});

test('a failure stands after the account, with its next step', () => {
  const failure = { code: 'SLUICE_TARGET_FULL', message: 'the disk is full', hint: 'make room, then resume' };
  const lines = layoutSummary({ ...report, state: 'failed', failure, next: 'sluice resume' }, colors);
  assert.deepEqual(lines.slice(-3), ['sluice: the disk is full [SLUICE_TARGET_FULL]', '  → make room, then resume', '→ sluice resume']);
});

test('the exit code follows from the report', () => {
  const cases: readonly (readonly [Partial<LoadReport>, number])[] = [
    [{}, 3],
    [{ counts: { ...counts, rejected: 0 } }, 0],
    [{ state: 'nothing_to_do' }, 0],
    [{ state: 'reject_limit' }, 4],
    [{ state: 'cancelled' }, 130],
    [{ state: 'failed', failure: { code: 'SLUICE_TARGET_FULL', message: '', hint: undefined } }, 5],
    [{ state: 'failed', failure: { code: 'toString', message: '', hint: undefined } }, 1],
    [{ isBalanced: false }, 7],
    [{ verification: { isOk: false, checks: [] } }, 7],
  ];
  for (const [changes, exitCode] of cases) assert.equal(findExitCode({ ...report, ...changes }), exitCode, JSON.stringify(changes));
});

const plan: LoadPlan = {
  schema: 1,
  source: { name: 'docs.jsonl', format: 'jsonl', bytes: 79_000_000, estimatedRows: 117_791.2, shards: 2 },
  target: 'sqlite:library.db',
  table: {
    table: 'docs',
    writesTo: 'docs',
    columns: [],
    key: ['id'],
    mode: 'insert',
    isNew: true,
    ddl: ['CREATE TABLE "docs" (\n  "id" INTEGER PRIMARY KEY\n)'],
    deferredIndexes: [{ name: 'docs_age', ddl: 'CREATE INDEX "docs_age" ON "docs" ("age")' }],
    decisions: [{ what: 'journal', choice: 'TRUNCATE', why: 'the file is new' }],
    problems: [],
    settings: {},
  },
  columns: [{ name: 'id', field: 'id', type: 'integer', isNullable: false, samples: ['1', '2'], why: 'integers only' }],
  ignoredFields: ['junk'],
  embed: undefined,
  index: undefined,
  lanes: 2,
  shardBytes: 64_000_000,
  maxBatchBytes: 8_388_608,
  maxBatchRows: 100_000,
  isOrdered: true,
  decisions: [
    { what: 'lanes', choice: '2', why: 'one per core' },
    { what: 'journal', choice: 'TRUNCATE', why: 'the file is new' },
  ],
  warnings: ['the last line has no line feed'],
  problems: [],
  earlier: undefined,
  guarantee: 'exactly once',
};

test('a plan shows source, columns, statements, ways with their reasons, each once, and warnings', () => {
  assert.deepEqual(layoutPlan(plan, { width: undefined, colors }), [
    '  source  docs.jsonl (jsonl, 79 MB, about 117,791 rows, 2 shards)',
    '  target  sqlite:library.db, table docs (new), mode insert, key id',
    'columns',
    '  column  type              from  samples  why',
    '  id      integer not null  id    1 · 2    integers only',
    'left out',
    '  junk',
    'statements',
    '  CREATE TABLE "docs" (',
    '    "id" INTEGER PRIMARY KEY',
    '  );',
    'made after the rows',
    '  docs_age  CREATE INDEX "docs_age" ON "docs" ("age")',
    'how',
    '  shards     of about 64 MB',
    '  batch      at most 8.4 MB or 100,000 rows',
    '  journal    TRUNCATE (the file is new)',
    '  lanes      2 (one per core)',
    '  guarantee  exactly once',
    'warnings',
    '  the last line has no line feed',
    '✓ nothing stands in the way; nothing was written',
  ]);
});

test('a plan says of a table that is there that its indexes are dropped', () => {
  const lines = layoutPlan({ ...plan, table: { ...plan.table, isNew: false } }, { width: undefined, colors });
  assert.ok(lines.includes('indexes dropped for the load, and made again after it'));
});

test('a plan ends with all its problems', () => {
  const lines = layoutPlan({ ...plan, problems: ['column "nmae" is unknown', 'there is no key'] }, { width: undefined, colors });
  assert.deepEqual(lines.slice(-3), [
    '2 problems; this load would be refused, nothing was written',
    '  ✗ column "nmae" is unknown',
    '  ✗ there is no key',
  ]);
});

test('checks say what was expected and what was found', () => {
  const checks = [
    { name: 'rows', isOk: true, expected: '5', found: '5' },
    { name: 'key digest', isOk: false, expected: 'ab', found: 'cd' },
  ];
  assert.deepEqual(
    layoutChecks({ schema: 1, isOk: false, table: 'docs', loads: ['a'], checks, differences: ['key 7 is missing'] }, colors),
    [
      '✓ rows: 5',
      '✗ key digest: expected ab, found cd',
      '    key 7 is missing',
      '✗ table docs does not hold what the ledger says: 1 of 2 checks failed',
    ],
  );
});

test('loads that are not done come with their next command', () => {
  const load: LoadStatus = {
    load: '4f2k9',
    label: 'nightly',
    state: 'interrupted',
    table: 'docs',
    mode: 'insert',
    source: 'docs.jsonl',
    counts: { read: 1_000, written: 990, skipped: 0, rejected: 10 },
    shards: { total: 12, done: 3 },
    bytes: 5_000_000,
    totalBytes: 20_000_000,
    openRejects: 10,
    startedAt: '',
    updatedAt: '2026-01-01T00:01:00Z',
    next: 'sluice resume --in sqlite:a.db 4f2k9',
  };
  const lines = layoutLoads([load], undefined, String);
  assert.equal(
    lines[1],
    '4f2k9 nightly  interrupted  docs   insert  docs.jsonl  1,000      990        0        10    10    3/12  5 MB (25 %)  2026-01-01T00:01:00Z',
  );
  assert.equal(lines[2], '→ sluice resume --in sqlite:a.db 4f2k9');
  assert.deepEqual(layoutLoads([], 80, String), ['no loads yet']);
});

test('hits show key, score and columns, with 64-bit keys exact and bytes by their size', () => {
  const hits = [
    { key: { id: 9_223_372_036_854_775_807n }, score: 0.91234, columns: { id: 1n, text: 'one\ntwo', raw: new Uint8Array(3), note: null } },
  ];
  assert.deepEqual(layoutHits(hits, undefined, String), [
    'id                    score  text     raw      note',
    '9223372036854775807  0.9123  one two  3 bytes',
  ]);
  assert.deepEqual(layoutHits([], 80, String), ['no rows found']);
});

test('JSON keeps every digit, bytes and vectors', () => {
  const value = {
    id: 9_223_372_036_854_775_807n,
    bytes: Buffer.from('hi'),
    plain: new Uint8Array([255]),
    vector: new Float32Array([1, 0.5]),
  };
  assert.equal(toJsonLine(value), '{"id":9223372036854775807,"bytes":"aGk=","plain":"/w==","vector":[1,0.5]}\n');
});

test('an error is one message with its problems and its next step; what nobody foresaw says how to learn more', () => {
  const error = new SluiceError('SLUICE_PLAN_REFUSED', 'The load is refused.', { problems: ['one', 'two'], hint: 'Mend both.' });
  assert.deepEqual(layoutFailure(error, colors), [
    'sluice: The load is refused. [SLUICE_PLAN_REFUSED]',
    '  ✗ one',
    '  ✗ two',
    '  → Mend both.',
  ]);
  const only = new SluiceError('SLUICE_PLAN_REFUSED', 'There is no key.', { problems: ['There is no key.'] });
  assert.deepEqual(layoutFailure(only, colors), ['sluice: There is no key. [SLUICE_PLAN_REFUSED]'], 'one problem is not told twice');
  const unforeseen = toSluiceError(new TypeError('x is not a function'));
  assert.deepEqual([unforeseen.code, unforeseen.exitCode], ['SLUICE_INTERNAL', 1]);
  assert.match(unforeseen.hint ?? '', /SLUICE_DEBUG=1/);
  assert.equal(toSluiceError('thrown text').message, "unexpected: 'thrown text'");
});

test('the command to resume can be pasted into a shell and holds no password', () => {
  assert.equal(writeResumeCommand('sqlite:library.db', '4f2k9'), 'sluice resume --in sqlite:library.db 4f2k9');
  assert.equal(
    writeResumeCommand('postgres://me:s3cr:et@host/db?sslpassword=x&pooled=1', 'a'),
    "sluice resume --in 'postgres://me@host/db?pooled=1' a",
  );
  assert.equal(writeResumeCommand(`sqlite:my file's.db`, 'a'), `sluice resume --in 'sqlite:my file'\\''s.db' a`);
});

test('colours follow the stream, NO_COLOR and FORCE_COLOR', () => {
  assert.deepEqual(
    [
      hasColors(true, {}),
      hasColors(false, {}),
      hasColors(true, { NO_COLOR: '1' }),
      hasColors(false, { FORCE_COLOR: '1' }),
      hasColors(true, { FORCE_COLOR: '0' }),
      hasColors(false, { NO_COLOR: '1', FORCE_COLOR: '1' }),
    ],
    [true, false, false, true, false, false],
  );
});
