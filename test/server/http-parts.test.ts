/** The parts that read a request: query strings and durations as Go has them, addresses, users. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSluiceError } from '../../src/errors.ts';
import { formatDuration, parseDuration } from '../../src/server/http/duration.ts';
import { parseListen } from '../../src/server/http/listen.ts';
import { openLog } from '../../src/server/http/log.ts';
import { openMetrics } from '../../src/server/http/metrics.ts';
import { readParameters } from '../../src/server/http/parameters.ts';
import { decodePath, parseQueryString } from '../../src/server/http/query-string.ts';
import { selectKey } from '../../src/server/http/status.ts';
import { openUsers, type Permission } from '../../src/server/http/users.ts';

test('a query string is read as Go reads it', () => {
  const read = (text: string): unknown => {
    const { values, error } = parseQueryString(text);
    return error ?? Object.fromEntries(values);
  };
  assert.deepEqual(read('a=1&a=2&b'), { a: '1', b: '' });
  assert.deepEqual(read('a+b=c+d&e%20f=%2B'), { 'a b': 'c d', 'e f': '+' });
  assert.deepEqual(read('a=b=c&&=x&'), { a: 'b=c', '': 'x' });
  assert.deepEqual(read(Buffer.from('q=süß').toString('latin1')), { q: 'süß' });
  assert.deepEqual(read('q=%C3%BC%ff'), { q: 'ü\ufffd' });
  assert.equal(read('a=1;b=2'), 'invalid semicolon separator in query');
  assert.equal(read('a=%zz'), 'invalid URL escape "%zz"');
  assert.equal(read('a=%4'), 'invalid URL escape "%4"');
  assert.equal(read('%=1&a;b'), 'invalid semicolon separator in query');
});

test('what URLSearchParams writes is read back, name by name', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' })), { maxLength: 8 }), (pairs) => {
      const written = new URLSearchParams(pairs.map(([name, value]) => [name, value])).toString();
      const expected = new Map<string, string>();
      for (const [name, value] of new URLSearchParams(written)) if (!expected.has(name)) expected.set(name, value);
      assert.deepEqual(parseQueryString(written).values, expected);
    }),
    { numRuns: 500 },
  );
});

test('a path is matched without its escapes', () => {
  assert.equal(decodePath('/db%2Fexecute'), '/db/execute');
  assert.equal(decodePath('/a+b%20c'), '/a+b c');
  assert.equal(decodePath('/%zz'), undefined);
});

test('durations are those of Go', () => {
  const good: readonly (readonly [string, number])[] = [
    ['0', 0],
    ['5s', 5000],
    ['1h2m3.5s', 3_723_500],
    ['50ms', 50],
    ['1µs', 0.001],
    ['1μs', 0.001],
    ['1us', 0.001],
    ['-1.5h', -5_400_000],
    ['+.5s', 500],
    ['1.s', 1000],
    ['1ns', 0.000_001],
  ];
  for (const [text, durationMs] of good) assert.equal(parseDuration(text), durationMs, text);
  for (const text of ['', '1', '5', 's', '.s', '1 s', '1d', 'x', '-', '+', '1s2', '1e3s', '٣s', '300000000h', '1S']) {
    assert.equal(parseDuration(text), undefined, text);
  }
});

test('what Go prints for a duration is read as the same duration', () => {
  assert.deepEqual([0, 0.000_02, 0.0015, 1.5, 50, 61_000, 3_600_000, 7_265_500].map(formatDuration), [
    '0s',
    '20ns',
    '1.5µs',
    '1.5ms',
    '50ms',
    '1m1s',
    '1h0m0s',
    '2h1m5.5s',
  ]);
  fc.assert(
    fc.property(fc.integer({ min: -1_000_000_000, max: 1_000_000_000 }), (durationMs) => {
      assert.equal(parseDuration(formatDuration(durationMs)), durationMs);
    }),
  );
});

test('a flag is on when it is there, and mistakes are told in the words of rqlite', () => {
  const options = readParameters('pretty=false&level=STRONG&db_timeout=1m&noparse').parameters?.reading;
  assert.equal(options?.isPretty, true);
  assert.equal(options?.isStrong, true);
  assert.equal(options?.parses, false);
  assert.equal(options?.dbTimeoutMs, 60_000);
  assert.equal(readParameters('db_timeout=0s').parameters?.writing.dbTimeoutMs, undefined);
  assert.equal(readParameters('timeout').error, 'timeout is not a valid duration');
  assert.equal(readParameters('retries=1.5').error, 'retries is not a valid integer');
  assert.equal(readParameters('retries=9223372036854775808').error, 'retries is not a valid integer');
  assert.equal(readParameters('freshness_strict').error, 'freshness_strict requires freshness');
  assert.equal(readParameters('q=').error, 'query parameter not set');
});

test('an address to listen on is a host and a port', () => {
  assert.deepEqual(parseListen('127.0.0.1:4001'), { host: '127.0.0.1', port: 4001 });
  assert.deepEqual(parseListen('[::1]:0'), { host: '::1', port: 0 });
  assert.deepEqual(parseListen(':80'), { host: '0.0.0.0', port: 80 });
  assert.deepEqual(parseListen('4001'), { host: 'localhost', port: 4001 });
  for (const text of ['', 'host', 'host:', '1.2.3.4:70000', '::1:4001', 'a:b']) {
    assert.throws(() => parseListen(text), { code: 'SLUICE_USAGE' }, text);
  }
});

test('a key selects a part of the status, and nothing where there is none', () => {
  const document = { store: { ready: true, leader: { node_id: '1' } }, list: [1] };
  assert.equal(selectKey(document, 'store.ready'), true);
  assert.deepEqual(selectKey(document, 'store.leader'), { node_id: '1' });
  for (const key of ['nope', 'store.nope', 'store.ready.x', 'list.0', '__proto__', 'store..ready'])
    assert.deepEqual(selectKey(document, key), {});
});

test('users are allowed what their file says, in every form of it', (context) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-users-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'users.json');
  const open = (content: unknown): ReturnType<typeof openUsers> => {
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
    return openUsers(file);
  };
  const users = open([
    { username: 'ann', password: 'a:b', perms: ['all'] },
    { username: 'bob', password: 'secret', perms: ['query', 'excute'] },
    { username: 'eve', password: '', perms: ['load'] },
    { username: '*', perms: ['status'] },
  ]);
  const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;
  const cases: readonly (readonly [string | undefined, readonly Permission[], boolean])[] = [
    [undefined, ['status'], true],
    [undefined, ['query'], false],
    [basic('ann:a:b'), ['query', 'execute'], true],
    [basic('ann:a'), ['query'], false],
    [basic('bob:secret'), ['query'], true],
    [basic('bob:secret').replace('Basic', 'basic'), ['query'], true],
    [basic('bob:secret'), ['query', 'status'], true],
    [basic('bob:secret'), ['query', 'execute'], false],
    [basic('eve:'), ['load'], true],
    [basic('nobody:'), ['load'], false],
    [basic(':'), ['load'], false],
    [basic('eve'), ['load'], false],
    ['Bearer abc', ['query'], false],
    ['Basic', ['query'], false],
    ['', ['query'], false],
  ];
  for (const [header, wanted, isAllowed] of cases) assert.equal(users.allows(header, wanted), isAllowed, `${header} ${wanted.join()}`);
  assert.deepEqual(users.unknown, ['excute']);
  const wrong = ['', '{', '{}', '[{"password":"hidden"}]', '[{"username":"a","password":1}]', '[{"username":"a","perms":"all"}]', '[null]'];
  const doubled = [{ username: 'a', password: 'hidden' }, { username: 'a' }];
  for (const content of [...wrong, doubled, [{ username: 'a', password: '$2a$10$hiddenhidden' }]]) {
    assert.throws(
      () => open(content),
      (error) => isSluiceError(error, 'SLUICE_USAGE') && !error.message.includes('hidden'),
      JSON.stringify(content),
    );
  }
  assert.throws(() => openUsers(path.join(folder, 'missing.json')), { code: 'SLUICE_USAGE' });
});

test('no value can make a line of the log of its own', () => {
  const lines: string[] = [];
  for (const format of ['text', 'json'] as const) {
    const log = openLog({ format, level: 'info', write: (line) => lines.push(line) });
    log.write('debug', 'not wanted');
    log.write('info', 'event', { text: 'a\nb\u001b[31m', word: 'plain', count: 3 });
  }
  assert.equal(lines.length, 2);
  for (const line of lines) assert.match(line, /^[^\n\p{Cc}]+\n$/u);
  assert.equal(JSON.parse(lines[1] ?? '').text, 'a\nb\u001b[31m');
});

test('metrics add up: each bucket holds those below it', () => {
  const metrics = openMetrics();
  for (const durationMs of [0.05, 0.05, 3, 20_000]) metrics.count('/db/query', 200, durationMs);
  metrics.count('/db/query', 500, 1);
  const text = metrics.write([{ name: 'x', help: 'An x.', kind: 'gauge', value: 7 }]);
  assert.match(text, /sluice_http_requests_total\{route="\/db\/query",status="200"\} 4\n/);
  assert.match(text, /_bucket\{route="\/db\/query",le="0.0001"\} 2\n/);
  assert.match(text, /_bucket\{route="\/db\/query",le="10"\} 4\n/);
  assert.match(text, /_bucket\{route="\/db\/query",le="\+Inf"\} 5\n/);
  assert.match(text, /# TYPE x gauge\nx 7\n$/);
});
