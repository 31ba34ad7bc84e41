/** Connecting: hosts in turn, TLS as asked for, and answers that do not depend on how the session is set. */
import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { isSluiceError } from '../../src/errors.ts';
import { openLink } from '../../src/target/postgres/connect/connect.ts';
import type { PgLink } from '../../src/target/postgres/link.ts';
import { assertUsable, fail, openBench, settle, type LinkBench } from './link-bench.ts';
import { addressOf } from './proxy.ts';
import { runSql, skipReason } from './server.ts';
import { hasOpenssl, startTlsFront } from './tls-front.ts';

describe('connecting', { skip: skipReason }, () => {
  let bench: LinkBench;
  before(async () => {
    bench = await openBench();
  });
  after(() => bench.close());

  /** The bench's URL with other hosts and options. */
  function write(hosts: string, query = ''): string {
    const { username, password, pathname } = new URL(bench.url);
    return `postgres://${username}${password === '' ? '' : `:${password}`}@${hosts}${pathname}?${query}`;
  }

  const server = (): string => {
    const { host, port } = addressOf(bench.url);
    return `${host}:${String(port)}`;
  };

  it('says who the server is, and which types its extensions have', async () => {
    const link = await bench.open();
    assert.ok(link.server.version >= 130_000);
    assert.match(link.server.versionText, /^PostgreSQL/u);
    assert.ok(link.server.vectorVersion !== undefined);
    assert.deepEqual([...link.server.extensionTypes.values()].toSorted(), ['halfvec', 'sparsevec', 'vector']);
    const { rows } = await link.query("SELECT current_setting('application_name') AS name");
    assert.deepEqual(rows, [{ name: 'sluice' }]);
  });

  it('hosts that refuse, do not exist or stay silent are passed over, and all of them are named when none is left', async () => {
    const silent = createServer((socket) => socket.on('error', () => socket.destroy()));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const bad = `127.0.0.1:1,127.0.0.1:${String((silent.address() as AddressInfo).port)}`;
    await assertUsable(await bench.open(write(`${bad},${server()}`, 'connect_timeout=1')));
    const error = await fail(openLink(write(bad, 'connect_timeout=1'), {}));
    assert.ok(isSluiceError(error, 'SLUICE_TARGET_UNREACHABLE'), String(error));
    assert.match(error.message, /127\.0\.0\.1:1\/.*refused.*no answer in time/u);
    silent.close();
  });

  it('connecting ends when the signal says so', async () => {
    bench.proxy.delay(2000);
    const error = await fail(openLink(bench.proxied, { signal: AbortSignal.timeout(50) }));
    bench.proxy.delay(0);
    assert.ok(isSluiceError(error, 'SLUICE_CANCELLED'), String(error));
  });

  it('a database that is not there, or a kind of server that is not there, is said as such', async () => {
    const missing = await fail(openLink(bench.url.replace(/\/[^/]*$/u, '/sluice_none'), {}));
    assert.ok(isSluiceError(missing, 'SLUICE_TARGET_MISSING'), String(missing));
    const standby = await fail(openLink(write(server(), 'target_session_attrs=standby'), {}));
    assert.ok(isSluiceError(standby, 'SLUICE_TARGET_UNREACHABLE') && standby.message.includes('is no standby'), String(standby));
    for (const kind of ['primary', 'read-write', 'prefer-standby'])
      await assertUsable(await bench.open(write(server(), `target_session_attrs=${kind}`)));
  });

  it('pooled=1 gives up what belongs to a session, and a schema is searched first', async () => {
    assert.equal((await bench.open()).ownsSession, true);
    assert.equal((await bench.open(write(server(), 'pooled=1'))).ownsSession, false);
    await runSql(bench.url, 'CREATE SCHEMA "odd ""one"', 'CREATE TABLE "odd ""one".things (id int4)');
    const link = await bench.open(write(server(), 'schema=odd%20%22one'));
    assert.equal((await link.query('SELECT * FROM things')).rowCount, 0);
  });

  it('values come back the same whatever the role is set to', async () => {
    const { pathname } = new URL(bench.url);
    const database = `ALTER DATABASE "${pathname.slice(1)}" SET`;
    const settings = [
      "DateStyle = 'German'",
      "IntervalStyle = 'sql_standard'",
      'bytea_output = escape',
      'extra_float_digits = -5',
      "TimeZone = 'Asia/Kolkata'",
    ];
    await runSql(bench.url, ...settings.map((setting) => `${database} ${setting}`));
    const link = await bench.open();
    const { rows } = await link.query(
      `SELECT 9007199254740993::int8 AS big, 7::int2 AS small, 1.10::numeric AS exact, 0.1::float8 + 0.2 AS real, 0.1::float4 AS single, true AS yes,
       '\\x00ff5c'::bytea AS bytes, timestamptz '2026-11-21 10:00:00.123456+00' AS at, timestamp '2026-11-21 10:00' AS wall, date '2026-11-21' AS day,
       timestamptz 'infinity' AS never, interval '1 day 2 hours' AS span, '[1,2.5]'::vector AS v, '[1,-2]'::halfvec AS h, NULL AS nothing, '{1,2}'::int4[] AS list`,
    );
    const floats = (...values: readonly number[]): Uint8Array => new Uint8Array(new Float32Array(values).buffer);
    assert.deepEqual(rows, [
      {
        big: 9007199254740993n,
        small: 7,
        exact: '1.10',
        real: 0.30000000000000004,
        single: 0.1,
        yes: true,
        bytes: new Uint8Array([0, 255, 92]),
        at: '2026-11-21T10:00:00.123456Z',
        wall: '2026-11-21T10:00:00',
        day: '2026-11-21',
        never: 'infinity',
        span: '1 day 02:00:00',
        v: floats(1, 2.5),
        h: floats(1, -2),
        nothing: null,
        list: '{1,2}',
      },
    ]);
  });

  it('values go out as bigint, text, bytes, boolean, double and null', async () => {
    const link = await bench.open();
    const { rows } = await link.query(
      'SELECT $1 + 1 AS i, $2 || $3 AS t, $4 AS b, $5 AS y, $6 AS d, $7::int4 AS n, pg_typeof($8)::text AS wide',
      [2 ** 40, 'ü\n', "'", new Uint8Array([0, 1]), false, 1.5, null, 2n ** 70n],
    );
    assert.deepEqual(rows, [{ i: 2 ** 40 + 1, t: "ü\n'", b: new Uint8Array([0, 1]), y: false, d: 1.5, n: null, wide: 'numeric' }]);
    const encoded = await link.queryEncoded('SELECT $1 + $2 AS sum', [
      { typeOid: 23, bytes: Buffer.from([0, 0, 0, 40]) },
      { typeOid: 23, bytes: Buffer.from([0, 0, 0, 2]) },
    ]);
    assert.deepEqual(encoded.rows, [{ sum: 42 }]);
  });

  it(
    'TLS is used where it is offered, verified where that is asked for, and required where it must be',
    { skip: hasOpenssl() ? false : 'no openssl here' },
    async () => {
      const front = await startTlsFront(addressOf(bench.url));
      const at = (name: string, query: string): string => write(`${name}:${String(front.port)}`, query);
      const tryWay = async (url: string): Promise<PgLink> => {
        const link = await bench.open(url);
        await assertUsable(link);
        const cancelled = await fail(link.query('SELECT pg_sleep(30)', [], { signal: AbortSignal.timeout(50) }));
        assert.ok(isSluiceError(cancelled, 'SLUICE_CANCELLED'), String(cancelled));
        const rows = [Buffer.from('1\ta\n'), Buffer.alloc(1_000_000, '2\tb\n')];
        assert.equal(await link.copyIn('COPY items FROM STDIN', rows), 250_001);
        await link.close();
        return link;
      };
      for (const query of ['sslmode=prefer', 'sslmode=require', `sslmode=verify-ca&sslrootcert=${front.certificateFile}`])
        await tryWay(at('127.0.0.1', query));
      await tryWay(at('localhost', `sslmode=verify-full&sslrootcert=${front.certificateFile}`));
      assert.equal(front.counts.plain, 0, 'something went unencrypted, a CancelRequest perhaps');
      for (const query of [`sslmode=verify-full&sslrootcert=${front.certificateFile}`, 'sslrootcert=system']) {
        const error = await fail(openLink(at('127.0.0.1', query), {}));
        assert.ok(isSluiceError(error, 'SLUICE_TARGET_DENIED'), String(error));
      }
      await front.close();
      const refused = await settle(openLink(write(server(), 'sslmode=require'), {}));
      if ('value' in refused) await refused.value.close();
      else assert.ok(isSluiceError(refused.error, 'SLUICE_TARGET_UNREACHABLE'), String(refused.error));
    },
  );

  it('bytes that are no answer of a server end the connecting, not the process', async () => {
    const strange = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.once('data', () => socket.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 99])));
    });
    await new Promise<void>((resolve) => strange.listen(0, '127.0.0.1', resolve));
    const error = await fail(
      openLink(write(`127.0.0.1:${String((strange.address() as AddressInfo).port)}`, 'sslmode=disable&connect_timeout=2'), {}),
    );
    assert.ok(isSluiceError(error, 'SLUICE_TARGET_UNREACHABLE'), String(error));
    strange.close();
  });
});
