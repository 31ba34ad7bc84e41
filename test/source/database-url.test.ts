/** URLs of databases as sources: what is read is told from where it is, and passwords stay out of names. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError } from '../../src/errors.ts';
import { addSelection, isDatabaseUrl, parseDatabaseUrl } from '../../src/source/database/database-url.ts';

test('a table or a query is taken off the URL, other parameters stay', () => {
  const cases: readonly (readonly [string, string, object])[] = [
    ['sqlite:a.db?table=docs', 'sqlite:a.db', { kind: 'table', table: 'docs' }],
    ['sqlite:a.db?table=my%20docs', 'sqlite:a.db', { kind: 'table', table: 'my docs' }],
    ['postgres://h/d?sslmode=require&table=s.t', 'postgres://h/d?sslmode=require', { kind: 'table', table: 's.t' }],
    ['postgres:///d?host=/run&query=select 1 as a;', 'postgres:///d?host=/run', { kind: 'query', query: 'select 1 as a' }],
    [
      "pglite:dir?query=select '50%' as a, b & 1 from t where c = 'x&table=y'",
      'pglite:dir',
      { kind: 'query', query: "select '50%' as a, b & 1 from t where c = 'x&table=y'" },
    ],
    [
      'postgresql://h/d?query=select%201+%2B1%20as%20a&sslmode=disable',
      'postgresql://h/d?sslmode=disable',
      { kind: 'query', query: 'select 1 +1 as a' },
    ],
    ['sqlite:a.db?query=select+1+as+a', 'sqlite:a.db', { kind: 'query', query: 'select 1 as a' }],
  ];
  for (const [text, url, selection] of cases) {
    const address = parseDatabaseUrl(text);
    assert.deepEqual([address.url, address.selection], [url, selection]);
    const again = parseDatabaseUrl(addSelection(address.url, address.selection));
    assert.deepEqual([again.url, again.selection], [url, selection]);
  }
});

test('no password gets into the name of a source', () => {
  for (const text of [
    'postgres://me:s3cret@h:5/d?table=t',
    'postgres://me:s3@cret/@h/d?table=t',
    'postgres://h/d?user=me&password=s3cret&table=t',
    'postgres://me@h/d?sslpassword=s3cret&query=select 1 as a',
  ]) {
    const { name, publicUrl, url } = parseDatabaseUrl(text);
    assert.ok(url.includes('s3'), 'the URL to connect with keeps it');
    assert.ok(!name.includes('s3') && !publicUrl.includes('s3'), name);
    assert.ok(name.includes('h/d') || name.includes('h:5/d'));
  }
});

test('a URL without a table or query, or with two, is refused with what to write', () => {
  for (const text of [
    'sqlite:a.db',
    'postgres://me:s3cret@h/d?sslmode=require',
    'sqlite:a.db?table=a&table=b',
    'sqlite:a.db?table=a&query=select 1',
  ]) {
    assert.throws(
      () => parseDatabaseUrl(text),
      (error) => isSluiceError(error, 'SLUICE_USAGE') && error.hint !== undefined && !`${error.message}${error.hint}`.includes('s3cret'),
    );
  }
});

test('paths are no databases', () => {
  for (const path of ['a.db', './sqlite.db', '/data/postgres:x', 'C:\\data\\a.csv', 'file:///a.csv', 'https://x/y'])
    assert.equal(isDatabaseUrl(path), false, path);
});
