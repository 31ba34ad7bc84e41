/** A check finds what a load would reject, every key that comes twice, and what the columns hold; it writes nothing. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { check } from '../../src/check/check.ts';
import { preview } from '../../src/check/preview.ts';
import type { CheckOptions, CheckReport } from '../../src/check/options.ts';
import { load } from '../../src/load/load.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sluice-check-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

function write(text: string, ending = 'csv'): string {
  const file = path.join(folder, `input-${String(files++)}.${ending}`);
  writeFileSync(file, text);
  return file;
}

function checkFile(from: CheckOptions['from'], options: Partial<CheckOptions> = {}): Promise<CheckReport> {
  return check({ from, to: `sqlite:${path.join(folder, 'never.db')}`, table: 'rows', lanes: 2, ...options });
}

function sumOf(report: CheckReport): Readonly<Record<string, number>> {
  return Object.fromEntries(report.causes.map(({ code, count }) => [code, count]));
}

test('every bad row is counted under its cause, with its place in the file', async () => {
  const file = write('id,name,age\n1,a,3\n2,b,x\n3,c,7\n"4,d,9\n', 'csv');
  const report = await checkFile(file, { key: ['id'], types: { age: 'integer', id: 'integer' } });
  assert.deepEqual(report.counts, { read: 4, fit: 2, rejected: 2, duplicates: 0 });
  const unfit = report.causes.find(({ column }) => column === 'age');
  assert.deepEqual(unfit?.places, [{ file, row: 2, line: 3, byte: 18 }]);
  assert.ok(report.causes.some(({ class: kind }) => kind === 'unreadable'));
  assert.equal(existsSync(path.join(folder, 'never.db')), false, 'nothing was written');
});

test('a check counts the rejects that the load then makes, whatever is wrong with the rows', async () => {
  const value = fc.oneof(fc.integer(), fc.constant(null), fc.string(), fc.double({ noNaN: true }), fc.constant([1, 2]), fc.boolean());
  const line = fc.oneof(
    { weight: 8, arbitrary: fc.record({ id: fc.integer({ min: 0, max: 30 }), n: value, t: value }).map((row) => JSON.stringify(row)) },
    { weight: 1, arbitrary: fc.constantFrom('{', '[]', '{"id":1,', '"x"', '{"id":null}') },
  );
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(line, { minLength: 3, maxLength: 60 }), async (lines) => {
      const file = write(`{"id":100,"n":1,"t":"x"}\n${lines.join('\n')}\n`, 'jsonl');
      const options = {
        from: file,
        table: 'rows',
        key: ['id'],
        types: { id: 'integer', n: 'integer', t: 'text' },
        shardBytes: 300,
      } as const;
      const found = await check({ ...options, to: `sqlite:${path.join(folder, 'never.db')}` });
      const loaded = await load({ ...options, to: `sqlite:${path.join(folder, `loaded-${String(run++)}.db`)}` });
      assert.equal(found.counts.read, loaded.counts.read);
      assert.equal(found.counts.rejected + found.counts.duplicates, loaded.counts.rejected);
      const refused = loaded.rejectsByCause.filter(({ code }) => code === 'REFUSED_UNIQUE').reduce((sum, { count }) => sum + count, 0);
      assert.equal(found.counts.duplicates, refused);
      for (const { code, column, count } of found.causes) {
        const same = loaded.rejectsByCause.find((cause) => cause.code === code && cause.column === column);
        assert.equal(same?.count, count, `${code} ${column}`);
      }
    }),
    { numRuns: 12 },
  );
});

/** Keys in some order, split over two files. */
async function countDuplicates(keys: readonly string[], options: Partial<CheckOptions> = {}): Promise<CheckReport> {
  const half = Math.floor(keys.length / 2);
  const writeKeys = (part: readonly string[]): string => write(`k,v\n${part.map((key) => `${key},1\n`).join('')}`);
  const [first, second] = [writeKeys(keys.slice(0, half)), writeKeys(keys.slice(half))];
  return checkFile([first, second], { key: ['k'], shardBytes: 512, ...options });
}

test('keys that come twice are found exactly, in order or not, over files, shards and lanes', async () => {
  const key = fc.integer({ min: 0, max: 2_000 });
  await fc.assert(
    fc.asyncProperty(fc.array(key, { minLength: 2, maxLength: 600 }), fc.boolean(), fc.boolean(), async (keys, isSorted, isText) => {
      const sorted = isSorted ? keys.toSorted((a, b) => a - b) : keys;
      const report = await countDuplicates(
        sorted.map((each) => (isText ? `k${String(each)}` : String(each))),
        { types: { k: isText ? 'text' : 'integer' } },
      );
      assert.equal(report.counts.duplicates, keys.length - new Set(keys).size);
    }),
    { numRuns: 60 },
  );
});

test('a sorted file that overlaps with another one is compared key by key', async () => {
  const report = await countDuplicates([
    ...Array.from({ length: 500 }, (_, n) => String(2 * n)),
    ...Array.from({ length: 500 }, (_, n) => String(2 * n + (n === 7 ? 0 : 1))),
  ]);
  assert.equal(report.counts.duplicates, 1);
  const [pair] = report.duplicates?.places ?? [];
  assert.deepEqual([pair?.first.row, pair?.again.row], [8, 8], 'row 8 of both files has the key 14');
  assert.notEqual(pair?.first.file, pair?.again.file);
});

test('more keys than the memory for them go to a temporary file, which is deleted', async () => {
  const temporaryFolder = mkdtempSync(path.join(folder, 'keys-'));
  // A permutation of 0 … 149,999 and some of it again: in no order, and more than 1 MiB of digests.
  const count = 150_000;
  const keys = Array.from({ length: count }, (_, n) => (n * 7_919) % count);
  keys.push(...keys.slice(100, 137));
  const file = write(`k,v\n${keys.map((key) => `${String(key)},1\n`).join('')}`);
  const missing = path.join(temporaryFolder, 'missing');
  await assert.rejects(checkFile(file, { key: ['k'], maxKeyBytes: 2 ** 20, temporaryFolder: missing }), {
    code: 'SLUICE_USAGE',
    message: /keys/u,
  });
  const report = await checkFile(file, { key: ['k'], maxKeyBytes: 2 ** 20, temporaryFolder });
  assert.equal(report.counts.duplicates, 37);
  assert.equal(report.duplicates?.places.length, 5);
  assert.deepEqual(
    report.duplicates?.places.map(({ first }) => first.row),
    [101, 102, 103, 104, 105],
  );
  assert.deepEqual(readdirSync(temporaryFolder), []);
});

test('a source that fails in the middle leaves no temporary file behind', async () => {
  const temporaryFolder = mkdtempSync(path.join(folder, 'keys-'));
  let hadFile = false;
  function* rows(): Generator<object> {
    for (let n = 0; n < 200_000; n++) yield { k: (n * 7_919) % 200_003 };
    hadFile = readdirSync(temporaryFolder).length > 0;
    throw new Error('the producer broke');
  }
  await assert.rejects(checkFile(rows(), { key: ['k'], maxKeyBytes: 2 ** 20, temporaryFolder }));
  assert.equal(hadFile, true, 'there was one');
  assert.deepEqual(readdirSync(temporaryFolder), []);
});

test('decimals and timestamps with zeros behind the point are one key; texts are what they are', async () => {
  const decimals = await checkFile(write('k,v\n1.0,1\n1.00,2\n1.01,3\n'), { key: ['k'], types: { k: 'decimal' } });
  assert.equal(decimals.counts.duplicates, 1);
  const texts = await checkFile(write('k,v\n1.0,1\n1.00,2\n'), { key: ['k'], types: { k: 'text' } });
  assert.equal(texts.counts.duplicates, 0);
  const pairs = await checkFile(write('a,b\nx,yz\nxy,z\nx,yz\n'), { key: ['a', 'b'] });
  assert.equal(pairs.counts.duplicates, 1);
});

test('columns tell their nulls, least and greatest values, lengths and about how many values differ', async () => {
  const rows = Array.from(
    { length: 20_000 },
    (_, n) =>
      `{"id":${String(n)},"t":${n % 10 === 0 ? 'null' : `"text ${String(n % 5_000)}"`},"b":${String(n % 4 === 0)},"v":[${String(n % 3)},0]}\n`,
  );
  const report = await checkFile(write(rows.join(''), 'jsonl'), { types: { v: 'vector(2)' }, index: { metric: 'l2' } });
  const [id, text, flag, vector] = report.columns;
  assert.deepEqual([id?.min, id?.max, id?.nulls], ['0', '19999', 0]);
  assert.deepEqual([text?.nulls, text?.length?.min, text?.length?.max], [2_000, 6, 9]);
  assert.ok(Math.abs((text?.distinct ?? 0) - 4_500) < 450, `about 4,500 different texts, not ${String(text?.distinct)}`);
  assert.deepEqual(flag?.booleans, { trues: 5_000, falses: 15_000 });
  assert.deepEqual([vector?.vectors?.minNorm, vector?.vectors?.maxNorm, vector?.vectors?.zeros], [0, 2, 6_667]);
});

test('texts that could not be embedded are bad rows, and the others are counted', async () => {
  const file = write('{"id":1,"t":"one"}\n{"id":2,"t":"  "}\n{"id":3,"t":null}\n{"id":4,"t":"one"}\n', 'jsonl');
  const report = await checkFile(file, { embed: { column: 't', with: 'hash' }, cache: false, pricePerMillionTokens: 1 });
  assert.deepEqual(sumOf(report), { TEXT_EMPTY: 1, TEXT_NULL: 1 });
  assert.equal(report.embedding?.cachedShare, undefined);
  assert.ok((report.embedding?.cost ?? 0) > 0);
});

test('each of several columns of texts is looked at and forecast, and a row with two bad texts is one bad row', async () => {
  const file = write(
    '{"id":1,"t":"one","u":""}\n{"id":2,"t":"two","u":"x"}\n{"id":3,"t":"","u":null}\n{"id":4,"t":"two","u":"y"}\n',
    'jsonl',
  );
  const embed = [
    { column: 't', with: 'hash' },
    { column: 'u', with: 'hash' },
  ];
  const report = await checkFile(file, { embed, cache: false });
  assert.equal(report.counts.rejected, 2);
  assert.deepEqual(
    new Set(report.causes.map(({ code, column, count }) => `${String(count)} ${code} ${column ?? ''}`)),
    new Set(['1 TEXT_EMPTY t', '1 TEXT_EMPTY u']),
  );
  assert.deepEqual(
    [report.embedding, ...(report.moreEmbeddings ?? [])].map((forecast) => [forecast?.column, forecast?.distinct]),
    [
      ['t', 3],
      ['u', 3],
    ],
  );
  const loaded = await load({ from: file, to: `sqlite:${path.join(folder, 'several.db')}`, table: 'rows', embed, cache: false });
  assert.equal(loaded.counts.rejected, report.counts.rejected);
});

test('up to 1,024 different values are counted exactly, over lanes and shards too', async () => {
  const rows = Array.from(
    { length: 3_000 },
    (_, n) => `{"few":"text ${String(n % 1_024)}","many":${String(n % 1_025)},"all":${String(n)}}\n`,
  );
  const report = await checkFile(write(rows.join(''), 'jsonl'), { shardBytes: 20_000 });
  const [few, many, all] = report.columns.map(({ distinct }) => distinct ?? 0);
  assert.equal(few, 1_024);
  assert.ok((many ?? 0) > 1_024, 'one more is an estimate, and never said to be exact');
  assert.ok(Math.abs((all ?? 0) - 3_000) < 300);
});

test('of a column that is the key different values are counted, not estimated', async () => {
  const rows = Array.from({ length: 5_000 }, (_, n) => `{"id":${String(n % 4_321)},"name":"n ${String(n)}"}\n`);
  const report = await checkFile(write(rows.join(''), 'jsonl'), { key: ['id'], shardBytes: 20_000 });
  assert.equal(report.counts.duplicates, 5_000 - 4_321);
  assert.equal(report.columns[0]?.distinct, 4_321);
  const pair = await checkFile(write(rows.join(''), 'jsonl'), { key: ['id', 'name'], shardBytes: 20_000 });
  assert.ok(Math.abs((pair.columns[0]?.distinct ?? 0) - 4_321) < 400, 'half a key has values that repeat: they are estimated');
});

test('a doubled key is told by its row, and no place is made up for what is not known of it', async () => {
  const file = write('{"id":1}\n{"id":2}\n{"id":1}\n', 'jsonl');
  const report = await checkFile(file, { key: ['id'] });
  assert.deepEqual(report.duplicates?.places, [
    { first: { file, row: 1, line: undefined, byte: undefined }, again: { file, row: 3, line: undefined, byte: undefined } },
  ]);
});

test('what has no lines is told by its rows, in a check and in a preview', async () => {
  const rows = [
    { id: 1, n: 1 },
    { id: 2, n: 'x' },
  ];
  const options = { from: rows, to: `sqlite:${path.join(folder, 'never.db')}`, table: 'rows', types: { n: 'integer' } } as const;
  const report = await check(options);
  assert.deepEqual(
    report.causes[0]?.places.map(({ line, row }) => [line, row]),
    [[undefined, 2]],
  );
  const shown = await preview(options);
  assert.deepEqual(
    shown.rows.map(({ line, row }) => [line, row]),
    [
      [undefined, 1],
      [undefined, 2],
    ],
  );
});

test('a check with a limit says that the load would stop before the end of what was read', async () => {
  const report = await checkFile(write('id\n1\n2\n3\n'), { limit: 2 });
  assert.match(report.notes.join(' '), /the first 2 rows/u);
});

test('a stream is checked to its end', async () => {
  const report = await checkFile([{ id: 1 }, { id: 2 }, { id: 1 }], { key: ['id'] });
  assert.deepEqual(report.counts, { read: 3, fit: 3, rejected: 0, duplicates: 1 });
});

test('a check that is cancelled tells what it found so far', async () => {
  const stop = new AbortController();
  let given = 0;
  function* rows(): Generator<object> {
    for (let id = 0; id < 1e9; id++) {
      if (++given === 50_000) stop.abort();
      yield { id };
    }
  }
  const report = await checkFile(rows(), { key: ['id'], signal: stop.signal });
  assert.equal(report.isPartial, true);
  assert.ok(report.counts.read > 0 && report.counts.read < 200_000);
  assert.match(report.notes.join(' '), /stopped/u);
});

test('what can not be meant is refused before anything is read', async () => {
  await assert.rejects(checkFile('none.csv', { positions: 0 }), { code: 'SLUICE_USAGE' });
});

test('without a table a check and a preview find what they find for a new one, and name no target', async () => {
  const from = write('id,name,age\n1,a,3\n2,b,x\n1,c,7\n');
  const options = { from, key: ['id'], types: { age: 'integer' } } as const;
  const [alone, placed] = [await check(options), await checkFile(from, options)];
  assert.deepEqual([alone.counts, alone.causes, alone.columns], [placed.counts, placed.causes, placed.columns]);
  assert.deepEqual([alone.plan.target, alone.plan.table.table, alone.plan.table.ddl], ['', '', []]);
  assert.ok(alone.plan.warnings.some((warning) => warning.startsWith('No table was named')));
  const shown = await preview({ from, rows: 1 });
  assert.deepEqual(shown.columns, (await preview({ from, rows: 1, to: `sqlite:${path.join(folder, 'never.db')}`, table: 'rows' })).columns);
  await assert.rejects(preview({ from, table: 'rows' }), { code: 'SLUICE_USAGE', message: /table is given without to/u });
  await assert.rejects(check({ from, to: 'sqlite:never.db' }), { code: 'SLUICE_USAGE', message: /to is given without table/u });
});
