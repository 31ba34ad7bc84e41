/** Splitting a file piece by piece gives what splitting its whole text gives, wherever the pieces are cut. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSluiceError } from '../../src/errors.ts';
import type { Dialect } from '../../src/sql/dialect.ts';
import { createSplitter, splitStatements, type StreamedStatement } from '../../src/sql/split.ts';
import { readTokens } from '../../src/sql/tokens.ts';
import { chooseSeed } from '../rows/records.ts';
import { postgresShards, shardTexts, sqliteShards } from './shards.ts';

const unlimited = { maxStatementBytes: Number.MAX_SAFE_INTEGER };

/** Pushes the text in pieces of the given lengths, over and over. */
function stream(text: string, dialect: Dialect, lengths: readonly number[]): readonly StreamedStatement[] {
  const splitter = createSplitter(dialect, unlimited);
  const found: StreamedStatement[] = [];
  for (let at = 0, turn = 0; at < text.length; turn++) {
    const length = lengths[turn % lengths.length] ?? 1;
    found.push(...splitter.push(text.slice(at, at + length)));
    at += length;
  }
  return [...found, ...splitter.end()];
}

/** What has to come out, told from the whole text. */
function readWhole(text: string, dialect: Dialect): readonly StreamedStatement[] {
  return splitStatements(text, dialect).flatMap((part) => {
    if (part.isBlank) return [];
    const start = part.start + (readTokens(part.sql, dialect)[0]?.start ?? 0);
    const before = text.slice(0, start);
    return [{ sql: text.slice(start, part.start + part.sql.length), offset: Buffer.byteLength(before), line: before.split('\n').length }];
  });
}

for (const [dialect, shards] of [
  ['sqlite', sqliteShards],
  ['postgres', postgresShards],
] as const) {
  test(`${dialect}: pieces of any length give the statements of the whole, each with its place`, (t) => {
    fc.assert(
      fc.property(shardTexts(shards, 40), fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }), (text, lengths) => {
        // A comment of hints is part of the statement behind it, which has a test of its own.
        fc.pre(!text.includes('/*+') && !text.startsWith('\ufeff'));
        // Halves of a surrogate pair in two pieces are no text that a decoder gives.
        const pieces = /[\ud800-\udfff]/.test(text) ? [text.length] : lengths;
        assert.deepEqual(stream(text, dialect, pieces), readWhole(text, dialect));
      }),
      { numRuns: 20_000, seed: chooseSeed(t) },
    );
  });
}

test('a statement comes out with the piece that has its semicolon', () => {
  for (const dialect of ['sqlite', 'postgres'] as const) {
    const splitter = createSplitter(dialect, unlimited);
    const push = (text: string): readonly string[] => splitter.push(text).map(({ sql }) => sql);
    assert.deepEqual(push('INSERT INTO t VALUES (1'), []);
    assert.deepEqual(push(');'), ['INSERT INTO t VALUES (1)']);
    assert.deepEqual(push(`SELECT '${'a'.repeat(300_000)}`), []);
    assert.equal(push(`';`)[0]?.length, 300_009);
    assert.deepEqual(push('SELECT 2; SELECT'), ['SELECT 2']);
    assert.deepEqual(
      splitter.end().map(({ sql }) => sql),
      ['SELECT'],
    );
  }
});

test('a comment of hints stays with its statement, other comments before it are left out', () => {
  const text = '-- one\n/*+ SeqScan(t) */ SELECT 1; /* two */ /* three */\nSELECT /*+ x */ 2;';
  const expected = [
    { sql: '/*+ SeqScan(t) */ SELECT 1', offset: 7, line: 2 },
    { sql: 'SELECT /*+ x */ 2', offset: 57, line: 3 },
  ];
  for (const length of [1, 2, 3, 5, 1000]) assert.deepEqual(stream(text, 'postgres', [length]), expected);
});

test('what is told only by the next piece waits for it', () => {
  for (const [dialect, text] of [
    ['postgres', "SELECT E'a' -- x\n '\\';b'; SELECT 1"],
    ['postgres', "SELECT E'a'';\\'b'; SELECT 1"],
    ['postgres', "SELECT U&'\\';'; SELECT e'\\';'"],
    ['sqlite', 'SELECT 1;\n\v;\v;SELECT $a::(b;c)'],
    ['sqlite', "SELECT x'3b', '''', - -1;--;"],
  ] as const) {
    for (let length = 1; length < text.length; length++) assert.deepEqual(stream(text, dialect, [length]), readWhole(text, dialect), text);
  }
});

test('a byte order mark in front of a file is left out, and counted', () => {
  for (const dialect of ['sqlite', 'postgres'] as const) {
    for (const length of [1, 2, 100])
      assert.deepEqual(stream('\ufeff\nSELECT 1', dialect, [length]), [{ sql: 'SELECT 1', offset: 4, line: 2 }]);
  }
});

test('places count bytes of UTF-8 and lines from 1', () => {
  const [first, second] = stream("\n é; SELECT\n'𝄞ü\n';x", 'sqlite', [7]);
  assert.deepEqual([first?.offset, first?.line], [2, 2]);
  assert.deepEqual([second?.offset, second?.line], [6, 2]);
});

test('a statement beyond the limit is refused with the line on which it begins, blanks and comments before it do not count', () => {
  const splitter = createSplitter('sqlite', { maxStatementBytes: 100 });
  splitter.push(`${' '.repeat(500)}-- ${'x'.repeat(500)}\n\n`);
  assert.equal(splitter.push(`SELECT '${'é'.repeat(45)}';`).length, 1);
  splitter.push("\nSELECT '");
  assert.throws(
    () => {
      for (let turn = 0; turn < 10; turn++) splitter.push('é'.repeat(10));
    },
    (error) => isSluiceError(error, 'SLUICE_USAGE') && error.message === 'The statement on line 4 is larger than 100 bytes.',
  );
  const whole = createSplitter('sqlite', { maxStatementBytes: 100 });
  assert.throws(() => whole.push(`SELECT '${'x'.repeat(100)}';`), /line 1 is larger than 100 bytes/);
});

/** Each would take minutes if a piece were read again for every piece that follows it. */
test('strings, comments, names, numbers and blanks of 16 MB are read in one go', () => {
  const piece = 4096;
  const pieceCount = 4096;
  for (const [dialect, head, fill, tail] of [
    ['sqlite', "SELECT '", 'x', "'"],
    ['sqlite', 'SELECT "', 'x;', '"'],
    ['sqlite', 'SELECT [', 'x;', ']'],
    ['sqlite', 'SELECT 1 /*', '*x', '*/'],
    ['sqlite', 'SELECT 1 --', ';', '\n'],
    ['sqlite', 'SELECT ', 'name', ' '],
    ['sqlite', 'SELECT $a(', 'x', ')'],
    ['sqlite', '', '\n', 'SELECT 1'],
    ['postgres', "SELECT E'", "\\'", "'"],
    ['postgres', "SELECT E'x'", ' \n', "';'"],
    ['postgres', 'SELECT $t$', '$;', '$t$'],
    ['postgres', 'SELECT 1 /*', '/**/', '*/'],
    ['postgres', 'SELECT ', '1', ' '],
  ] as const) {
    const body = fill.repeat(piece / fill.length);
    const splitter = createSplitter(dialect, unlimited);
    const found = [...splitter.push(head)];
    for (let turn = 0; turn < pieceCount; turn++) found.push(...splitter.push(body));
    found.push(...splitter.push(`${tail};`), ...splitter.end());
    assert.equal(found.length, 1, head);
    if (head !== '') assert.equal(found[0]?.sql.length, head.length + pieceCount * piece + tail.length);
  }
});
