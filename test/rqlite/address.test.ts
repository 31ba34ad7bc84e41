/** A URL of rqlite says where to go and with what, and is told apart from one that is wrong; its password is never printed. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { isSluiceError } from '../../src/errors.ts';
import { formatHost, parseRqliteUrl } from '../../src/target/rqlite/address.ts';
import { isBlobLike, readJson, writeValue } from '../../src/target/rqlite/json.ts';

it('hosts come in their order, with the port of rqlite where none is given', () => {
  const address = parseRqliteUrl('rqlite://bob:p%40ss@a,b:4002,[::1]:4003');
  assert.deepEqual(address.hosts, [
    { name: 'a', port: 4001 },
    { name: 'b', port: 4002 },
    { name: '::1', port: 4003 },
  ]);
  assert.equal(address.authorization, `Basic ${Buffer.from('bob:p@ss').toString('base64')}`);
  assert.ok(!address.label.includes('p%40ss') && !address.label.includes('p@ss'));
});

it('addresses of IPv6, escapes in passwords and TLS are read as they are meant', () => {
  const address = parseRqliteUrl('rqlites://b%3Ab:%25p%3A%40%2F%25@[fe80::1%25eth0],[2001:db8::7]:443,h:5?connect_timeout=2');
  assert.deepEqual(address.hosts.map(formatHost), ['[fe80::1%eth0]:4001', '[2001:db8::7]:443', 'h:5']);
  assert.equal(address.authorization, `Basic ${Buffer.from('b:b:%p:@/%').toString('base64')}`);
  assert.equal(address.isSecure, true);
  assert.equal(address.label, 'rqlites://[fe80::1%25eth0],[2001:db8::7]:443,h:5');
});

for (const url of [
  'rqlite://bob:geheim',
  'rqlite://bob@corp:geheim@a:99999',
  'rqlite://bob:x@geheim@a,,b',
  'rqlite://bob:geheim#1@a:b:c',
  'rqlite://',
  'rqlite://?x=1',
  'rqlite://bob:geheim@a:99999',
  'rqlite://bob:geheim/@?a@b:0',
  'rqlite://bob:geheim@a/db',
  'rqlite://bob:geheim@a?level=none',
  'rqlite://bob:geh%eim@a',
  'rqlite://bob:geheim@a?connect_timeout=-1',
  'rqlite://bob:geheim@a?sslrootcert=x.pem',
  'rqlites://bob:geheim@a?sslrootcert=missing.pem',
]) {
  it(`${url} is refused without its password`, () => {
    assert.throws(
      () => parseRqliteUrl(url),
      (error) => isSluiceError(error, 'SLUICE_USAGE') && !error.message.includes('geheim') && error.hint !== undefined,
    );
  });
}

it('integers, doubles and texts survive the way through JSON', () => {
  const value = fc.oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string({ unit: 'grapheme' }),
  );
  fc.assert(
    fc.property(value, (sent) => {
      if (typeof sent === 'string' && isBlobLike(sent)) return;
      const found = readJson(`{"results":[[${writeValue(sent)}]]}`) as { results: unknown[][] };
      const got = found.results[0]?.[0];
      if (typeof sent === 'bigint') assert.equal(BigInt(got as number | bigint), sent);
      else assert.ok(Object.is(got, sent), `${String(got)} for ${String(sent)}`);
    }),
  );
});

it('what JSON or SQLite can not hold is refused', () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 2n ** 63n, -(2n ** 63n) - 1n, 'a\ud800']) {
    assert.throws(() => writeValue(value), { code: 'SLUICE_USAGE' });
  }
});
