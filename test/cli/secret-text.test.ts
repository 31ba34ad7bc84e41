/** What is promised of addresses: no part of a password is shown, kept or pasted, however oddly it is written, and what is no secret stays as it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { plan } from '../../src/load/plan/plan.ts';
import { dropSecrets, hideSecrets, hideSecretsIn } from '../../src/secret-text.ts';

const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 1_000_000);
console.log(`secret text test seed ${seed} (SLUICE_TEST_SEED=${seed} repeats it)`);

const odd: readonly (readonly [address: string, hidden: string, dropped: string])[] = [
  ['postgres://me:s3@h/db', 'postgres://me:***@h/db', 'postgres://me@h/db'],
  ['postgres://me:s@3@h:5432/db', 'postgres://me:***@h:5432/db', 'postgres://me@h:5432/db'],
  ['postgres://me:s/3@h/db', 'postgres://me:***@h/db', 'postgres://me@h/db'],
  ['postgres://me:s@/3@h/db', 'postgres://me:***@h/db', 'postgres://me@h/db'],
  ['postgres://me:s%403%@h/db', 'postgres://me:***@h/db', 'postgres://me@h/db'],
  ['postgres://me:s?3@h/db', 'postgres://me:***@h/db', 'postgres://me@h/db'],
  ['postgres://me:s#3:4@h/db', 'postgres://me:***@h/db', 'postgres://me@h/db'],
  ['postgres://:s3@h/db', 'postgres://:***@h/db', 'postgres://@h/db'],
  ['postgres://me:12345@h/db', 'postgres://me:***@h/db', 'postgres://me@h/db'],
  [
    'postgres://me:s3@h/db?password=x@y&sslmode=require',
    'postgres://me:***@h/db?password=***&sslmode=require',
    'postgres://me@h/db?sslmode=require',
  ],
  ['postgres://h/db?PASSWORD=x&sslpassword=y', 'postgres://h/db?PASSWORD=***&sslpassword=***', 'postgres://h/db'],
  ['postgres://me:s3@[::1]:5432/db', 'postgres://me:***@[::1]:5432/db', 'postgres://me@[::1]:5432/db'],
  ['postgres://me:s3@a:1,b:2/db', 'postgres://me:***@a:1,b:2/db', 'postgres://me@a:1,b:2/db'],
  ['postgres://me@corp:s3@h/db', 'postgres://me@corp:***@h/db', 'postgres://me@corp@h/db'],
  ['postgres:me:s3@h/db', 'postgres:me:***@h/db', 'postgres:me@h/db'],
  ['me:s3@h/db', 'me:***@h/db', 'me@h/db'],
  ['//me:s3@h/db', '//me:***@h/db', '//me@h/db'],
  ['rqlite://me:s3', 'rqlite://me:***', 'rqlite://me'],
  [
    'rqlites://me:s3@a,b:4001/?connect_timeout=3',
    'rqlites://me:***@a,b:4001/?connect_timeout=3',
    'rqlites://me@a,b:4001/?connect_timeout=3',
  ],
  ['https://h/f.csv?X-Amz-Signature=abc&page=2', 'https://h/f.csv?X-Amz-Signature=***&page=2', 'https://h/f.csv?page=2'],
];

test('passwords are hidden, or left out, however they are written', () => {
  for (const [address, hidden, dropped] of odd) {
    assert.equal(hideSecrets(address), hidden);
    assert.equal(dropSecrets(address), dropped);
  }
});

test('what holds no secret stays as it is', () => {
  for (const address of [
    'postgres://h:5432/db',
    'postgres://me@h:5432/db?require_auth=scram-sha-256&sslkey=client.key&passfile=p',
    'postgres://[::1]:5432/db',
    'postgres://me@h:5432/d@b',
    'postgres://a:1,b:2,[::1]:3/db',
    'postgres:///db?host=/var/run',
    `postgres://h:5432/db?query=select '@' from t`,
    'rqlite://h:4001?table=a@b',
    'http://localhost:4001/',
    'sqlite:library.db',
    'sqlite:odd:name@home.db',
    'sqlite:///data/a:b@c.db?table=docs',
    'pglite:folder/a:b@c',
    'people.csv',
    'name:text',
    'a b: c@d and more',
  ]) {
    assert.equal(hideSecrets(address), address);
    assert.equal(dropSecrets(address), address);
  }
});

test('in a text every address is looked at, and what stands around it is left alone', () => {
  const text = 'sluice resume --in postgres://me:s/3@h/db x, see "https://h/a?token=abc" (http://localhost:4001).';
  assert.equal(hideSecretsIn(text), 'sluice resume --in postgres://me:***@h/db x, see "https://h/a?token=***" (http://localhost:4001).');
});

test('no password of any letters is seen in what is shown or kept of its URL', () => {
  // A mark in the middle that nothing else has; the rest may be whatever stands in URLs, escaped or not.
  const piece = fc.string({ unit: fc.constantFrom(...'ab1@/:%?#[]&=+.,~é'.split('')), maxLength: 6 });
  fc.assert(
    fc.property(
      piece,
      piece,
      fc.constantFrom('h', 'h:5432', '[::1]:1', 'a:1,b:2'),
      fc.constantFrom('', '?x=1', '?sslmode=require&y=a'),
      (...[before, after, host, rest]) => {
        fc.pre(!/\?[\w.~-]+=/u.test(`${before}XYZZY${after}`));
        const url = `postgres://me:${before}XYZZY${after}@${host}/db${rest}`;
        assert.equal(hideSecrets(url), `postgres://me:***@${host}/db${rest}`);
        assert.equal(dropSecrets(url), `postgres://me@${host}/db${rest}`);
      },
    ),
    { seed, numRuns: 2_000 },
  );
});

test('a target that is refused is told without its password', async () => {
  for (const to of ['sqlite://me:XYZZY@host/db', 'sqlite:a.db?password=XYZZY', 'me:XYZZY@host/db', 'rqlite://me:XYZZY']) {
    await assert.rejects(
      plan({ from: [{ a: 1 }], to, table: 't' }),
      (error: Error) => !JSON.stringify([error.message, error]).includes('XYZZY'),
      to,
    );
  }
});
