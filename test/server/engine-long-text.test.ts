/** Long texts of many statements, and probes beside a writer that is busy: what is long costs time in proportion, and holds up nobody who only asks how things are. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { withEngine } from './engine-database.ts';

/** A text in which every kind of end comes to lie at, before and behind each place where a window could end. */
function makeText(count: number): string {
  const parts = Array.from({ length: count }, (_, index) => {
    const kinds = [
      `INSERT INTO t(a) VALUES('${';'.repeat(index % 40)}it''s')`,
      `INSERT INTO t(a) SELECT 1 -- not the end; \n UNION ALL SELECT ${String(index)}`,
      `/* ; */ UPDATE t SET a = a || ';' WHERE id = ${String(index % 50)}`,
      `INSERT INTO t(a) VALUES("${'x'.repeat(index % 300)};")`,
      `CREATE TRIGGER g${String(index)} AFTER INSERT ON t WHEN NEW.a = 'never' BEGIN UPDATE t SET a = 1; DELETE FROM t; END`,
      `DROP TRIGGER IF EXISTS g${String(index - 1)}`,
    ];
    return kinds[index % kinds.length] ?? '';
  });
  return parts.join(';\n');
}

const dump = "SELECT group_concat(id || ':' || a, '|') FROM t";

test('a text of thousands of statements does what SQLite does when it reads the text itself', async () => {
  const text = makeText(6_000);
  const plain = new DatabaseSync(':memory:', { enableDoubleQuotedStringLiterals: true });
  plain.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, a)');
  plain.exec(text);
  const expected = Object.values(plain.prepare(dump).get() ?? {})[0];
  plain.close();
  await withEngine(async ({ results }) => {
    await results('execute', ['CREATE TABLE t (id INTEGER PRIMARY KEY, a)']);
    const [entry] = await results('execute', [text], { isTransaction: true });
    assert.equal(entry?.['error'], undefined);
    const [answer] = await results('query', [dump]);
    assert.equal((answer?.['values'] as unknown[][] | undefined)?.[0]?.[0], expected);
  });
});

test('a statement that is longer than any window is run whole, and one that ends in a comment is not taken for two', async () => {
  await withEngine(async ({ results }) => {
    const comment = ` -- ${'c'.repeat(16_384 - ' -- SELECT 1'.length - 1)};`;
    const [long] = await results('query', [`SELECT 1${comment}${'d'.repeat(40_000)}\n, length('${'y'.repeat(50_000)}') AS n`]);
    assert.deepEqual(long?.['values'], [[1, 50_000]]);
    const values = Array.from({ length: 9_000 }, (_, index) => index);
    const [bound] = await results('query', [[`SELECT 7;${'SELECT ?;'.repeat(8_999)}SELECT ?`, ...values]]);
    assert.deepEqual(bound?.['values'], [[8_999]]);
  });
});

test('a probe is answered while the writer waits for a lock that another process holds', async () => {
  await withEngine(async ({ engine, file, results }) => {
    await results('execute', ['CREATE TABLE t (a)']);
    const other = new DatabaseSync(file);
    other.exec('BEGIN IMMEDIATE');
    let isWritten = false;
    const write = results('execute', ['INSERT INTO t VALUES(1)']).then(() => (isWritten = true));
    const facts = await engine.readFacts();
    assert.equal(facts.path, file);
    assert.equal(isWritten, false, 'the writer was still busy');
    other.exec('COMMIT');
    other.close();
    await write;
  });
});
