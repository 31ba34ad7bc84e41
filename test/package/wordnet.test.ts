/** The demonstration's input: WordNet as its authors count it, as JSON lines. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { readDefinitions, writeDefinitions } from '../../scripts/wordnet.ts';

test('WordNet has 117,791 definitions, each with an id of its own, its words and a meaning', () => {
  const definitions = readDefinitions();
  assert.equal(definitions.length, 117_791);
  assert.equal(new Set(definitions.map(({ id }) => id)).size, definitions.length);
  for (const { id, pos, text } of definitions) assert.ok(/^[nvar]\d{8}$/.test(id) && id.startsWith(pos) && /^[^:]+.*: ./.test(text), id);
  const found = definitions.find(({ id }) => id === 'n14136337');
  assert.equal(found?.text, 'heart attack: a sudden severe instance of abnormal heart function');
});

test('the file of definitions has one JSON object a line and leaves no unfinished file beside it', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-wordnet-'));
  try {
    const file = path.join(folder, 'a/wordnet.jsonl');
    const count = writeDefinitions(file);
    const lines = readFileSync(file, 'utf8').split('\n');
    assert.equal(lines.pop(), '');
    assert.equal(lines.length, count);
    assert.deepEqual(
      lines.slice(0, 100).map((line) => JSON.parse(line) as unknown),
      readDefinitions().slice(0, 100),
    );
    assert.deepEqual(readdirSync(path.dirname(file)), ['wordnet.jsonl']);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
