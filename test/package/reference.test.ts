/** The pages of docs/reference that are made from the code say what the code says. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { writePages } from '../../scripts/docs.ts';

const root = path.join(import.meta.dirname, '../..');

test('the reference pages are those that npm run docs writes', async () => {
  for (const [page, text] of Object.entries(await writePages())) {
    assert.equal(await readFile(path.join(root, page), 'utf8'), text, `${page} is out of date: run npm run docs`);
  }
});
