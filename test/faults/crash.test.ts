/** Loads killed at seeded moments, then taken up by another process: the table is the one of a load that nothing happened to. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { load } from '../../src/load/load.ts';
import { chooseMoments, crashAndGoOn, prepareStage, runInPairs, type Scenario } from '../fixtures/load-crash.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { compressedTable, writeCompressed, writeCsv, writeJsonLines } from '../fixtures/load-rows.ts';
import { runSql } from '../fixtures/load-target.ts';
import { createRandom } from '../simulate/random.ts';

const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 1_000_000);
console.log(`crash test seed ${seed} (SLUICE_TEST_SEED=${seed} repeats it)`);

/** Most rows as the table has them; some changed, new, repeated, refused or left out. */
function writeMirror(file: string): void {
  const random = createRandom(seed);
  const lines: string[] = [];
  for (let row = 0; row < 1_300; row++) {
    if (random.chance(0.05)) continue;
    const body = random.chance(0.05) ? `changed ${row}` : `text ${row}`;
    const n = random.chance(0.01) ? 99 : random.chance(0.01) ? 'x' : row % 90;
    lines.push(JSON.stringify({ id: random.chance(0.01) ? random.between(0, row) : row, body, n }));
  }
  writeFileSync(file, `${lines.join('\n')}\n`);
}

/** A folder in the place of one file: files of a few rows, every second one compressed, some rows refused or repeated. */
function writeFolder(folder: string): void {
  mkdirSync(folder);
  for (let file = 0; file < 60; file++) {
    const rows = Array.from({ length: 20 }, (_, at) => {
      const id = 20 * file + at;
      return id % 37 === 5 ? '{"id":' : JSON.stringify({ id: id % 41 === 7 ? id - 7 : id, n: id });
    });
    const text = `${rows.join('\n\n')}\n`;
    const name = path.join(folder, `f${String(file).padStart(3, '0')}.jsonl`);
    writeFileSync(file % 2 === 0 ? name : `${name}.gz`, file % 2 === 0 ? text : gzipSync(text));
  }
}

const scenarios: readonly Scenario[] = [
  {
    name: 'a load of one compressed file that a thread of its own reads',
    table: 't',
    moments: 8,
    delays: 4,
    extension: 'jsonl.gz',
    writeInput: (file) => writeCompressed(file, { rows: 15_000, seed }),
    options: { key: ['id'], lanes: 2, maxBatchRows: 1_000, maxRejects: '5%' },
    before: [compressedTable],
  },
  {
    name: 'a load of many small files over two lanes',
    table: 'rows',
    moments: 7,
    delays: 1,
    extension: 'jsonl',
    writeInput: writeFolder,
    options: { key: ['id'], types: { id: 'integer', n: 'integer' }, lanes: 2, shardBytes: 4_096, maxBatchRows: 33, maxRejects: '50%' },
    before: [],
  },
  {
    name: 'a load that embeds and builds a vector index',
    table: 'docs',
    moments: 20,
    delays: 2,
    extension: 'jsonl',
    writeInput: (file) => writeJsonLines(file, { rows: 900, texts: 150, seed }),
    options: {
      key: ['id'],
      embed: { column: 'body', with: 'hash', dimensions: 32 },
      index: { build: 'always' },
      maxBatchRows: 90,
      lanes: 1,
    },
    before: [],
    query: 'green harbour tide',
  },
  {
    name: 'an upsert over two lanes into a table with a trigger',
    table: 'people',
    moments: 12,
    delays: 2,
    extension: 'csv',
    writeInput: (file) => writeCsv(file, { rows: 2_500, texts: 400, seed }),
    options: { key: ['id'], mode: 'upsert', lanes: 2, shardBytes: 8_192, maxBatchRows: 150 },
    before: [
      `CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER CHECK (age < 95))`,
      `CREATE TABLE audit (id INTEGER)`,
      `CREATE TRIGGER note AFTER INSERT ON people BEGIN INSERT INTO audit VALUES (new.id); END`,
      `INSERT INTO people VALUES (5, 'old', 1), (100000, 'stays', 2)`,
    ],
  },
  {
    name: 'a load that puts two indexes off',
    table: 'people',
    moments: 10,
    delays: 2,
    extension: 'csv',
    writeInput: (file) => writeCsv(file, { rows: 52_000, texts: 4, seed }),
    options: { key: ['id'], types: { age: 'integer' }, lanes: 2, maxBatchRows: 9_000 },
    before: [
      `CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, age INTEGER)`,
      `CREATE INDEX people_by_name ON people (name)`,
      `CREATE INDEX "people by age" ON people (age DESC)`,
    ],
  },
  {
    name: 'a load that replaces a table with index, trigger and view',
    table: 'people',
    moments: 16,
    delays: 1,
    extension: 'csv',
    writeInput: (file) => writeCsv(file, { rows: 1_200, texts: 100, seed }),
    options: { key: ['id'], mode: 'replace', types: { age: 'integer' }, maxBatchRows: 200 },
    before: [
      `CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, age INTEGER)`,
      `CREATE INDEX people_by_name ON people (name)`,
      `CREATE TABLE audit (id INTEGER)`,
      `CREATE TRIGGER note AFTER UPDATE ON people BEGIN INSERT INTO audit VALUES (new.id); END`,
      `CREATE VIEW names AS SELECT name FROM people`,
      `INSERT INTO people VALUES (1, 'old', 1), (900000, 'old too', 2)`,
    ],
  },
  {
    name: 'a sync that embeds, refuses and deletes over two lanes',
    table: 'docs',
    moments: 12,
    delays: 1,
    extension: 'jsonl',
    writeInput: writeMirror,
    options: {
      key: ['id'],
      mode: 'sync',
      maxDeletes: '50%',
      embed: { column: 'body', with: 'hash', dimensions: 32, into: 'place' },
      lanes: 2,
      shardBytes: 8_192,
      maxBatchRows: 150,
    },
    before: [
      `CREATE TABLE docs (id INTEGER PRIMARY KEY, body TEXT, n INTEGER CHECK (n < 95), place F32_BLOB(32))`,
      `CREATE TABLE audit (id INTEGER)`,
      `CREATE TRIGGER note AFTER DELETE ON docs BEGIN INSERT INTO audit VALUES (old.id); END`,
      `WITH RECURSIVE s(id) AS (SELECT 0 UNION ALL SELECT id + 1 FROM s WHERE id < 1199) INSERT INTO docs SELECT id, 'text ' || id, id % 90, zeroblob(128) FROM s`,
    ],
  },
  {
    name: 'a retry of refused rows',
    table: 'people',
    moments: 8,
    delays: 1,
    extension: 'csv',
    writeInput: (file) => writeCsv(file, { rows: 3_000, texts: 20, seed }),
    options: { key: ['id'], types: { age: 'integer' }, maxBatchRows: 40 },
    before: [`CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, age INTEGER CHECK (age < 70))`],
    prepareRetry: async (options) => {
      assert.equal((await load(options)).state, 'done');
      runSql(
        options.to.slice('sqlite:'.length),
        'ALTER TABLE people RENAME TO old',
        'CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, age INTEGER)',
        'INSERT INTO people SELECT * FROM old',
        'DROP TABLE old',
      );
    },
  },
];

for (const scenario of scenarios) {
  test(`${scenario.name}, killed at ${scenario.moments + scenario.delays} moments, ends as if nothing had happened`, async (context) => {
    const stage = await prepareStage(scenario, makeFolder(context));
    const random = createRandom(seed);
    const moments = chooseMoments(stage.calls, random, scenario.moments);
    const delays = Array.from({ length: scenario.delays }, () => Math.round(stage.elapsedMs * random.fraction()));
    await runInPairs([
      ...moments.map(
        (moment) => () => crashAndGoOn(stage, { moment }, `killed ${moment.when} call ${moment.at} of «${moment.call}», seed ${seed}`),
      ),
      ...delays.map((afterMs, index) => () => crashAndGoOn(stage, { afterMs }, `killed after ${afterMs} ms (${index}), seed ${seed}`)),
    ]);
  });
}
