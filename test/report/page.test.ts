/** A page of a report opens offline, runs nothing but its own script, stays bounded whatever is in it, and reads without colours and charts. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { renderBench, renderReport, toStoredReport } from '../../src/index.ts';
import type { BenchReport } from '../../src/index.ts';
import { makeLargest, makeReport } from './reports.ts';

const voidTags: ReadonlySet<string> = new Set(['meta', 'line', 'path', 'rect', '!doctype']);

/** The tags of a page in order, checked to be closed in turn; text between them is passed over. */
function readTags(page: string): readonly string[] {
  const open: string[] = [];
  const names: string[] = [];
  // What is inside of style and script is no markup; what ends them is.
  const bare = page.replaceAll(/(<(style|script)>)[\s\S]*?<\/\2>/gu, '$1</$2>');
  for (const [, slash, name = '', rest = ''] of bare.matchAll(/<(\/?)(!?[a-z][a-z0-9]*)((?:[^<>"]|"[^"]*")*)>/giu)) {
    if (slash === '/') assert.equal(name, open.pop(), `</${name}> closes another tag`);
    else {
      names.push(name);
      if (!voidTags.has(name.toLowerCase()) && !rest.endsWith('/')) open.push(name);
    }
  }
  assert.deepEqual(open, []);
  return names;
}

/** Everything that a page with this text has, checked. */
function checkPage(page: string): void {
  const names = readTags(page);
  for (const name of ['img', 'iframe', 'object', 'link', 'base', 'form', 'a']) assert.ok(!names.includes(name), name);
  assert.equal(names.filter((name) => name === 'script').length, 1);
  const script = /<script>([\s\S]*?)<\/script>/u.exec(page)?.[1] ?? '';
  assert.ok(page.includes(`sha256-${createHash('sha256').update(script).digest('base64')}`), 'the policy names the script that is there');
  const tags = page.replaceAll(/<(style|script)>[\s\S]*?<\/\1>/gu, '').match(/<[a-z][^>]*>/giu) ?? [];
  for (const tag of tags) assert.doesNotMatch(tag.replaceAll(/"[^"]*"/gu, '""'), /\s(?:on\w+|src|href|srcset)=/u);
  assert.doesNotMatch(page.replace(/<script>[\s\S]*?<\/script>/u, ''), /url\((?!#)|@import/u);
}

const hostile = '</script></style></title>"\'><img src=x onerror=alert(1)><!-- &amp; \u202Egnp.exe\u0000 ${x} \ud800';

test('whatever stands in names, messages and rows is text: no tag, no attribute, no script, no turned text', () => {
  const page = renderReport(makeLargest(hostile));
  checkPage(page);
  // oxlint-disable-next-line no-control-regex
  assert.doesNotMatch(page, /[\u0000\u202e\ud800-\udfff](?![\udc00-\udfff])/u);
  assert.ok(
    page.includes('&lt;/script&gt;&lt;/style&gt;&lt;/title&gt;&quot;&#39;&gt;&lt;img src=x onerror=alert(1)&gt;'),
    'nothing is left out',
  );
  assert.ok(page.includes('\\u202egnp.exe\\u0000'), 'marks of direction and controls are written out');
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
      checkPage(renderReport({ ...makeLargest(text), sessions: [{ session: 1, report: makeReport({}, 4, text) }] }));
    }),
    { numRuns: 25 },
  );
});

test('a page stays below 2 MB with as many sessions, causes, samples, columns and statements as there can be', () => {
  for (const text of ['"'.repeat(3_000), hostile.repeat(20), '𝒳'.repeat(3_000)]) {
    const size = Buffer.byteLength(renderReport(makeLargest(text)));
    assert.ok(size < 2_000_000, `${size} bytes`);
  }
});

test('the account is added up by the page itself, and said with a sign, not by colour alone', () => {
  const right = renderReport(toStoredReport(makeReport()));
  assert.match(right, /✓ Every row is accounted for/u);
  const counts = { read: 10, written: 5, skipped: 1, rejected: 3 };
  const wrong = renderReport(toStoredReport(makeReport({ counts, isBalanced: true })));
  assert.match(wrong, /✗ The sum does not hold/u);
  assert.doesNotMatch(wrong, /accounted for\. /u);
});

test('every chart has its values as a table, and no chart is drawn of a load that was too short for one', () => {
  const page = renderReport(toStoredReport(makeReport()));
  assert.equal(page.match(/<figure/gu)?.length, 4);
  assert.equal(page.match(/The same as a table/gu)?.length, 2);
  assert.match(page, /role="img" aria-label="Rows per second over /u);
  const short = renderReport(toStoredReport(makeReport({}, 2)));
  assert.match(short, /too short for a curve/u);
  assert.doesNotMatch(short, /Rate over time/u);
});

test('a load of no rows, and a load of which the ledger knows no session, have pages as well', () => {
  const none = { read: 0, written: 0, skipped: 0, rejected: 0 };
  const empty = makeReport({
    counts: none,
    session: { ...none, bytes: 0, elapsedMs: 5, loadMs: 2, rowsPerSecond: 0, bytesPerSecond: 0 },
    timeline: undefined,
    stageMs: { read: 0, check: 0, embed: 0, wait: 0, commit: 0 },
    commits: { count: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0, maxMs: 0, histogram: [] },
    rejectsByCause: [],
  });
  const page = renderReport(toStoredReport(empty));
  checkPage(page);
  assert.doesNotMatch(page, /NaN|Infinity|undefined/u);
  const killed = renderReport({ ...toStoredReport(empty), sessions: [], sessionCount: 2 });
  checkPage(killed);
  assert.match(killed, /No session of this load left a report/u);
});

test('passwords and tokens in addresses are in no page', () => {
  const source = 'https://me:hunter2@host/rows.csv?X-Amz-Signature=hunter2&a=1&api_key=hunter2';
  const page = renderReport(
    toStoredReport(makeReport({ source, target: 'postgres://u:hunter2@h/d?password=hunter2', next: `sluice x '${source}'` })),
  );
  assert.doesNotMatch(page, /hunter2/u);
  assert.match(page, /a=1/u);
});

test('the page of a bench has every way, those that were not run, and harmless text', () => {
  const result = { group: hostile, what: hostile, rows: 10, isSample: true, ms: 5, cpuMs: 4, fullMs: 50 };
  const rates = { rowsPerSecond: 2_000, bytesPerSecond: 1e6, logBytesPerRow: undefined, ratio: 1, clientShare: 1.2 };
  const report: BenchReport = {
    schema: 1,
    target: 'postgres://u:***@h/d',
    rows: 100,
    dims: 3,
    facts: { [hostile]: hostile },
    results: [
      { ...result, ...rates, name: hostile },
      { ...result, ...rates, name: 'second', group: 'sluice load', isSample: false },
    ],
    skipped: [{ name: 'boot', group: 'file', why: hostile }],
    notes: [hostile],
  };
  const page = renderBench(report);
  checkPage(page);
  for (const word of ['second', 'boot', 'sluice load', '~2,000']) assert.ok(page.includes(word), word);
  checkPage(renderBench({ ...report, results: [], skipped: [], notes: [], facts: {} }));
});
