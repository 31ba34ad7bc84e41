/** docs/errors.md speaks of every code that a user can meet, and of no other. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { errorExitCodes } from '../../src/errors.ts';
import { rejectCodes } from '../../src/rows/batch.ts';

const text = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');

/** The codes that stand as headings of that level, with the text below each. */
function readSections(level: number): ReadonlyMap<string, string> {
  const heading = new RegExp(`^#{${level}} ([A-Z][A-Z0-9_]+)$\\n+([^#]*)`, 'gm');
  return new Map([...text.matchAll(heading)].map((match) => [match[1] ?? '', match[2]?.trim() ?? '']));
}

test('every error code has a heading in docs/errors.md with its exit status, and no other has', () => {
  const sections = readSections(3);
  assert.deepEqual([...sections.keys()].toSorted(), Object.keys(errorExitCodes).toSorted());
  for (const [code, exitStatus] of Object.entries(errorExitCodes)) {
    assert.ok(sections.get(code)?.startsWith(`Exit ${exitStatus}.`), `${code} ends with ${exitStatus}, docs/errors.md says otherwise`);
  }
});

test('every reject code has a heading in docs/errors.md and a text below it, and no other has', () => {
  const sections = readSections(4);
  assert.deepEqual([...sections.keys()].toSorted(), Object.keys(rejectCodes).toSorted());
  for (const [code, body] of sections) assert.ok(body.length > 20, `${code} needs a sentence`);
});
