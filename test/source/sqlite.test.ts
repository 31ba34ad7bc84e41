/** SQLite as a source: tables and queries come out as they are, in shards that cover them once, and a resume goes on only where the rows before are the same. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { isSluiceError, type ErrorCode } from '../../src/errors.ts';
import { load, plan, rejects, resume, retry } from '../../src/index.ts';
import { openSource, reopenSource } from '../../src/source/open.ts';
import { makeFolder } from './folder.ts';
import { listShards, readShard, startOf, valuesOf, type Read } from './reading.ts';

const allTypes = `CREATE TABLE docs (id INTEGER PRIMARY KEY, whole BIGINT, t TEXT NOT NULL, r REAL, b BOOLEAN, x BLOB, j JSON_TEXT, ts TIMESTAMP_TEXT,
  d DATE_TEXT, u UUID_TEXT, n DECIMAL_TEXT, v F32_BLOB(3))`;

const rowCount = 2_000;

function vectorOf(row: number): Uint8Array {
  return new Uint8Array(new Float32Array([row, 1 / (row + 1), -0.1]).buffer);
}

/** A file with every type, row ids with gaps, and ends beyond 53 bits. */
function makeLibrary(file: string): void {
  const db = new DatabaseSync(file);
  db.exec(`PRAGMA journal_mode = WAL; ${allTypes}; BEGIN`);
  const insert = db.prepare('INSERT INTO docs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)', { readBigInts: true });
  for (let row = 0; row < rowCount; row++) {
    const id = row === 0 ? -(2n ** 63n) : row === rowCount - 1 ? 2n ** 63n - 1n : BigInt(row * row) - 9_000n;
    const isBare = row % 10 === 3;
    const values = [row / 7, row % 2, new Uint8Array([row & 255, 0]), `{"a":  ${row}.10}`, '2026-11-21T10:00:00.123456Z', '2026-11-21'];
    const more = ['00000000-0000-4000-8000-0000000000ff', '12345678901234567890.10', vectorOf(row)];
    insert.run(id, 2n ** 62n + BigInt(row), `text ${row}\n"é"`, ...(isBare ? [...values, ...more].map(() => null) : [...values, ...more]));
  }
  db.exec('COMMIT');
  db.close();
}

function makePlace(context: TestContext): { readonly from: string; readonly to: string; readonly file: string; readonly copy: string } {
  const folder = makeFolder(context);
  const [file, copy] = [`${folder.path}/library.db`, `${folder.path}/copy.db`];
  return { file, copy, from: `sqlite:${file}?table=docs`, to: `sqlite:${copy}` };
}

/** Rows that one of the two tables has and the other has not. */
function countDifferences(file: string, copy: string, table = 'docs'): number {
  const db = new DatabaseSync(copy);
  db.exec(`ATTACH '${file}' AS source`);
  const [left, right] = [`SELECT * FROM source.docs`, `SELECT * FROM main."${table}"`];
  const row = db
    .prepare(`SELECT (SELECT count(*) FROM (${left} EXCEPT ${right})) + (SELECT count(*) FROM (${right} EXCEPT ${left})) AS differences`)
    .get();
  db.close();
  return Number(row?.['differences']);
}

function countRows(file: string, table: string): number {
  const db = new DatabaseSync(file);
  const rows = Number(db.prepare(`SELECT count(*) AS rows FROM "${table}"`).get()?.['rows']);
  db.close();
  return rows;
}

async function refuses(work: Promise<unknown>, code: ErrorCode, pattern: RegExp): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(isSluiceError(error, code), String(error));
    assert.match(`${error.message} ${error.hint ?? ''} ${error.problems.join(' ')}`, pattern);
    return true;
  });
}

for (const lanes of [1, 2]) {
  test(`a table of every type is copied value by value, types included, by ${lanes} lanes`, async (context) => {
    const { copy, file, from, to } = makePlace(context);
    makeLibrary(file);
    const report = await load({ from, to, table: 'docs', key: ['id'], lanes, shardBytes: 20_000 });
    assert.deepEqual(report.counts, { read: rowCount, written: rowCount, skipped: 0, rejected: 0 });
    assert.equal(countDifferences(file, copy), 0);
    const types = new DatabaseSync(copy).prepare(`SELECT name, type FROM pragma_table_info('docs')`).all();
    assert.deepEqual(
      types.map((row) => row['type']),
      [
        'INTEGER',
        'INTEGER',
        'TEXT',
        'REAL',
        'BOOLEAN',
        'BLOB',
        'JSON_TEXT',
        'TIMESTAMP_TEXT',
        'DATE_TEXT',
        'UUID_TEXT',
        'DECIMAL_TEXT',
        'F32_BLOB(3)',
      ],
    );
  });
}

test('shards cover a table exactly once, whatever their size, and are read by readers of their own', async (context) => {
  const { file, from } = makePlace(context);
  makeLibrary(file);
  const source = await openSource(from);
  const whole = (await readShard(source, (await listShards(source))[0]!)).list;
  assert.equal(whole.length, rowCount);
  for (const targetBytes of [1_000, 50_000]) {
    const shards = await listShards(source, targetBytes);
    assert.ok(shards.length > 5, `${shards.length} shards`);
    const lane = await reopenSource(source.descriptor!);
    const list: Read[] = [];
    for (const shard of shards) list.push(...(await readShard(lane, shard)).list);
    assert.deepEqual(valuesOf(list), valuesOf(whole));
    await lane.close();
  }
  await source.close();
});

test('a shard goes on from the end of every stretch, and is refused once the rows before are others', async (context) => {
  const { file, from } = makePlace(context);
  makeLibrary(file);
  const db = new DatabaseSync(file);
  db.exec(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000) INSERT INTO docs (id, t) SELECT 100000000 + i, 'more ' || i FROM n`,
  );
  const source = await openSource(from);
  const [shard] = await listShards(source);
  const { ends, list } = await readShard(source, shard!);
  assert.ok(ends.length > 2);
  for (const end of ends) assert.deepEqual(valuesOf((await readShard(source, shard!, end)).list), valuesOf(list).slice(end.row));
  assert.deepEqual(await source.changed([shard!]), []);
  await source.close();
  db.exec(`DELETE FROM docs WHERE id = (SELECT min(id) FROM docs WHERE id > 0)`);
  const later = await openSource(from);
  await refuses(readShard(later, shard!, ends[0]), 'SLUICE_SOURCE_CHANGED', /no longer those/);
  await refuses(readShard(later, shard!, ends.at(-1)), 'SLUICE_SOURCE_CHANGED', /no longer those/);
  assert.equal((await readShard(later, shard!)).list.length, list.length - 1);
  await later.close();
  db.close();
});

test('a load that was stopped half-way is resumed to the same table', async (context) => {
  const { copy, file, from, to } = makePlace(context);
  makeLibrary(file);
  const stop = new AbortController();
  const stopped = load({
    from,
    to,
    table: 'docs',
    shardBytes: 5_000,
    maxBatchRows: 50,
    signal: stop.signal,
    onProgress: ({ counts }) => {
      if (counts.read > 0) stop.abort();
    },
  });
  await stopped;
  const before = countRows(copy, 'docs');
  const report = await resume({ in: to });
  assert.equal(report.counts.written, rowCount, `${before} rows were there before`);
  assert.equal(countDifferences(file, copy), 0);
  // The same load once more has nothing to do; after a change it has.
  assert.equal((await load({ from, to, table: 'docs' })).session.written, 0);
});

test('the same table is the same load, and a changed one is another', async (context) => {
  const { copy, file, from, to } = makePlace(context);
  makeLibrary(file);
  await load({ from, to, table: 'docs' });
  assert.equal((await plan({ from, to, table: 'docs' })).earlier?.what, 'nothing_to_do');
  const db = new DatabaseSync(file);
  db.exec(`UPDATE docs SET t = 'other' WHERE id = -8600`);
  db.close();
  assert.equal((await plan({ from, to, table: 'docs' })).earlier, undefined);
  assert.equal(countRows(copy, 'docs'), rowCount);
});

test('a query gives its own columns; types of handed-through columns are kept, others come from the values', async (context) => {
  const { copy, file, to } = makePlace(context);
  makeLibrary(file);
  const from = `sqlite:${file}?query=SELECT id, v AS vector, upper(t) AS loud, id * 0 + 1.5 AS part, j FROM docs WHERE id >= 0 ORDER BY id`;
  const report = await load({ from, to, table: 'q' });
  assert.equal(report.counts.rejected, 0);
  const db = new DatabaseSync(copy);
  const types = db.prepare(`SELECT name, type FROM pragma_table_info('q')`).all();
  assert.deepEqual(
    types.map((row) => [row['name'], row['type']]),
    [
      ['id', 'INTEGER'],
      ['vector', 'F32_BLOB(3)'],
      ['loud', 'TEXT'],
      ['part', 'REAL'],
      ['j', 'JSON_TEXT'],
    ],
  );
  db.close();
});

test('columns that do not keep to their declared type get the type of their values', async (context) => {
  const { copy, file, to } = makePlace(context);
  const db = new DatabaseSync(file);
  db.exec(`CREATE TABLE odd (stamp DATETIME, whole INT, flag BOOLEAN, doc JSON, bin JSONB);
    INSERT INTO odd VALUES (1700000000, 1.5, 'maybe', 'no json', jsonb('{"a":1}')), (1700000001, 2, 'no', '{}', jsonb('[1]'))`);
  db.close();
  const report = await load({ from: `sqlite:${file}?table=odd`, to, table: 'odd' });
  assert.deepEqual(report.counts, { read: 2, written: 2, skipped: 0, rejected: 0 });
  const rows = new DatabaseSync(copy).prepare('SELECT * FROM odd').all();
  assert.deepEqual(Object.values(rows[0]!), [1_700_000_000, 1.5, 'maybe', 'no json', '{"a":1}']);
});

test('an empty table is loaded with no rows and its own types; a view and a table without row ids are one shard', async (context) => {
  const { copy, file, to } = makePlace(context);
  const db = new DatabaseSync(file);
  db.exec(`CREATE TABLE none (id INTEGER PRIMARY KEY, v F32_BLOB(7)); CREATE TABLE keyed (k TEXT PRIMARY KEY, n INT) WITHOUT ROWID;
    INSERT INTO keyed VALUES ('b', 2), ('a', 1); CREATE VIEW seen AS SELECT k, n * 2 AS twice FROM keyed ORDER BY k`);
  db.close();
  for (const [table, rows] of [
    ['none', 0],
    ['keyed', 2],
    ['seen', 2],
  ] as const) {
    const report = await load({ from: `sqlite:${file}?table=${table}`, to, table });
    assert.deepEqual(report.counts, { read: rows, written: rows, skipped: 0, rejected: 0 });
  }
  const vector = new DatabaseSync(copy).prepare(`SELECT type FROM pragma_table_info('none') WHERE name = 'v'`).get();
  assert.equal(vector?.['type'], 'F32_BLOB(7)');
});

test('a refused row is kept as JSON, and retried from it once the table takes it', async (context) => {
  const { copy, file, from, to } = makePlace(context);
  makeLibrary(file);
  const db = new DatabaseSync(copy);
  db.exec(`${allTypes}; CREATE TABLE guard (id INTEGER); INSERT INTO guard VALUES (40);
    CREATE TRIGGER no_forty BEFORE INSERT ON docs WHEN new.id = -8600 AND (SELECT count(*) FROM guard) > 0 BEGIN SELECT RAISE(ABORT, 'not yet'); END`);
  const report = await load({ from, to, table: 'docs' });
  assert.equal(report.counts.rejected, 1);
  const [reject] = await Array.fromAsync(rejects({ in: to }));
  assert.deepEqual((JSON.parse(reject!.raw!) as { j: unknown }).j, { a: 20.1 });
  db.exec('DELETE FROM guard');
  assert.equal((await retry({ in: to })).counts.written, 1);
  assert.equal(countDifferences(file, copy), 0);
  db.close();
});

test('a table goes beside itself in the same file, but not into itself, nor where its journal keeps writers out', async (context) => {
  const { file, from } = makePlace(context);
  makeLibrary(file);
  const to = `sqlite:${file}`;
  await load({ from, to, table: 'twin', lanes: 2, shardBytes: 20_000 });
  assert.equal(countDifferences(file, file, 'twin'), 0);
  await refuses(load({ from, to, table: 'DOCS' }), 'SLUICE_USAGE', /into itself/);
  const db = new DatabaseSync(file);
  db.exec('PRAGMA journal_mode = DELETE');
  db.close();
  await refuses(load({ from, to, table: 'third' }), 'SLUICE_USAGE', /WAL/);
});

test('what is missing or no database or no query is said, with what to do', async (context) => {
  const { file, from } = makePlace(context);
  const folder = makeFolder(context);
  await refuses(openSource(from), 'SLUICE_SOURCE_MISSING', /Check the path/);
  makeLibrary(file);
  await refuses(openSource(`sqlite:${file}?table=nothing`), 'SLUICE_SOURCE_MISSING', /Its tables are: docs/);
  await refuses(openSource(`sqlite:${file}?query=SELECT absent FROM docs`), 'SLUICE_USAGE', /no such column/);
  await refuses(openSource(`sqlite:${file}?query=SELECT id, t AS ID FROM docs`), 'SLUICE_USAGE', /AS name/);
  await refuses(openSource(`sqlite:${file}?query=DELETE FROM docs`), 'SLUICE_USAGE', /Only a SELECT/);
  await refuses(
    openSource(`sqlite:${folder.write('a.db', 'x'.repeat(4096))}?table=docs`),
    'SLUICE_SOURCE_NOT_A_FILE',
    /not an SQLite database/,
  );
  await refuses(openSource([from, from]), 'SLUICE_USAGE', /alone/);
  assert.equal(countRows(file, 'docs'), rowCount);
  assert.equal(startOf({ ordinal: 0, file: 0, start: 0, head: '', tail: '' }).row, 0);
});
