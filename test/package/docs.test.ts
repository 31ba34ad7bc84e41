/** The pages of docs/ do what they say: their commands run and print what stands below them, their links lead somewhere, and the index knows them all. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { readBlocks } from './guide-blocks.ts';
import { createDatabase, skipReason } from '../postgres/server.ts';
import { followPage } from './guide-run.ts';

const root = path.join(import.meta.dirname, '../..');

/** Its blocks are run by a test of their own, against two servers. */
const ranElsewhere: readonly string[] = ['docs/guides/bulk-statements.md'];
/** Its blocks need a server, and find it in the variable that the page names. */
const serverPage = 'docs/guides/postgres.md';

function readPage(page: string): string {
  return readFileSync(path.join(root, page), 'utf8');
}

function findPages(pattern: string): readonly string[] {
  return globSync(pattern, { cwd: root }).toSorted();
}

const pages = findPages('docs/**/*.md').filter((page) => !page.startsWith('docs/reference/'));
const runnable = pages.filter((page) => page !== serverPage && !ranElsewhere.includes(page) && readBlocks(readPage(page)).length > 0);

test('the tutorial and the guides are among the pages that are run', () => {
  for (const page of ['docs/tutorial.md', 'docs/guides/sources.md', 'docs/guides/resume.md', 'docs/explanation/guarantee.md'])
    assert.ok(runnable.includes(page), page);
});

// Several at a time, for pages wait now and then; the tutorial first, since it takes longest.
test('every command of a page runs and prints what the page shows', { concurrency: 3 }, async (suite) => {
  await Promise.all(runnable.toReversed().map(async (page) => suite.test(page, async () => assert.ok((await followPage(page)) > 0))));
});

test('every command of the page on PostgreSQL runs against a server and prints what the page shows', { skip: skipReason }, async () => {
  const database = await createDatabase();
  try {
    assert.ok((await followPage(serverPage, { URL: database.url })) > 0);
  } finally {
    await database.dispose();
  }
});

/** What GitHub makes of a heading to link to it. */
function toAnchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{Letter}\p{Number}\s_-]/gu, '')
    .trim()
    .replaceAll(/\s/gu, '-');
}

function findAnchors(text: string): ReadonlySet<string> {
  return new Set([...text.matchAll(/^#+ (.+)$/gmu)].map(([, heading]) => toAnchor(heading ?? '')));
}

test('every link between pages leads to a file that is there, and to a heading of it', () => {
  const lost: string[] = [];
  for (const page of [...findPages('*.md'), ...findPages('docs/**/*.md')]) {
    for (const [, target = ''] of readPage(page).matchAll(/\]\(([^()\s]+)\)/gu)) {
      if (/^[a-z]+:/iu.test(target)) continue;
      const [file = '', anchor] = target.split('#');
      const to = file === '' ? page : path.join(path.dirname(page), file);
      const isFound = existsSync(path.join(root, to)) && (anchor === undefined || findAnchors(readPage(to)).has(anchor));
      if (!isFound) lost.push(`${page}: ${target}`);
    }
  }
  assert.deepEqual(lost, []);
});

test('the index of the documentation leads to every page', () => {
  const index = readPage('docs/README.md');
  const missing = findPages('docs/**/*.{md,json}').filter(
    (page) => page !== 'docs/README.md' && !index.includes(`(${path.relative('docs', page)})`),
  );
  assert.deepEqual(missing, []);
});

test('the recording of the progress display stands in the README, small enough for a page', () => {
  const image = 'docs/images/progress.svg';
  assert.ok(readPage('README.md').includes(`](${image})`));
  assert.ok(readPage(image).length < 100_000);
});
