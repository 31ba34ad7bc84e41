/** URLs, service files, PG* variables and ~/.pgpass mean what they mean to psql; no server is needed to see it. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { isSluiceError } from '../../src/errors.ts';
import { readConnectionSettings, type ConnectionSettings } from '../../src/target/postgres/connect/settings.ts';
import { readFaultyLine, toRefusal, toSluiceError } from '../../src/target/postgres/errors.ts';
import { PgError } from '../../src/target/postgres/link.ts';
import { findPassword, readPassword } from '../../src/target/postgres/connect/password-file.ts';

const home = mkdtempSync(join(tmpdir(), 'sluice-link-'));
after(() => rmSync(home, { recursive: true }));

function read(url: string, environment: Readonly<Record<string, string>> = {}): ConnectionSettings {
  return readConnectionSettings(url, { environment: { PGSYSCONFDIR: home, ...environment }, home, systemUser: 'ann' });
}

const addresses = (settings: ConnectionSettings): readonly string[] => settings.hosts.map(({ name, port }) => `${name}:${String(port)}`);

describe('settings of a connection', () => {
  it('a URL is read with percent codes, several hosts, IPv6 and options', () => {
    const settings = read(
      'postgresql://a%40b:p%3Aq%2F@h1:5433,[::1],h3:7/my%20db?connect_timeout=3&application_name=app&target_session_attrs=primary',
    );
    assert.deepEqual(addresses(settings), ['h1:5433', '::1:5432', 'h3:7']);
    assert.equal(settings.user, 'a@b');
    assert.equal(settings.password, 'p:q/');
    assert.equal(settings.database, 'my db');
    assert.equal(settings.connectTimeoutMs, 3000);
    assert.equal(settings.sessionKind, 'primary');
    assert.equal(settings.startup['application_name'], 'app');
  });

  it('without anything it is psql: the user of the system, a database of that name', () => {
    const settings = read('postgres://');
    assert.equal(settings.user, 'ann');
    assert.equal(settings.database, 'ann');
    assert.equal(settings.hosts.length, 1);
    assert.equal(settings.tls.mode, 'prefer');
    assert.equal(settings.startup['application_name'], 'sluice');
  });

  it('a folder as host is a Unix socket, in the list and as an option', () => {
    for (const url of ['postgres:///db?host=/run/pg&port=6000', 'postgres://%2Frun%2Fpg:6000/db']) {
      const [host] = read(url).hosts;
      assert.deepEqual(host, { name: '/run/pg', address: '/run/pg', port: 6000, isSocket: true });
    }
  });

  it('the URL goes before the service, the service before variables, variables before defaults', () => {
    writeFileSync(
      join(home, '.pg_service.conf'),
      '# mine\n[other]\nhost=wrong\n\n[mine]\nhost=service-host\nport=1111\nuser=service-user\n\n[mine]\nhost=late\n',
    );
    const environment = { PGHOST: 'env-host', PGUSER: 'env-user', PGDATABASE: 'env-db', PGPORT: '2222', PGSERVICE: 'mine' };
    const settings = read('postgres://url-user@/', environment);
    assert.deepEqual(addresses(settings), ['service-host:1111']);
    assert.equal(settings.user, 'url-user');
    assert.equal(settings.database, 'env-db');
    assert.deepEqual(addresses(read('postgres://h?service=mine')), ['h:1111']);
    assert.throws(
      () => read('postgres://?service=none'),
      (error) => isSluiceError(error, 'SLUICE_USAGE'),
    );
  });

  it("sluice's own options are no business of the server, and unknown ones are told", () => {
    const settings = read('postgres://h/db?table=items&query=select%201&pooled=1&schema=my%22s');
    assert.equal(settings.isPooled, true);
    assert.equal(settings.startup['search_path'], '"my""s", public');
    assert.throws(
      () => read('postgres://h/db?tabel=items'),
      (error) => isSluiceError(error, 'SLUICE_USAGE') && error.message.includes('tabel'),
    );
  });

  it('no message shows a password', () => {
    for (const url of [
      'postgres://u:secret%zz@h/db',
      'postgres://u:secret@h:1:2/db',
      'postgres:u:secret@h',
      'postgres://u:secret@h/db?nope=1',
    ]) {
      assert.throws(
        () => read(url),
        (error) => isSluiceError(error, 'SLUICE_USAGE') && !error.message.includes('secret'),
        url,
      );
    }
  });

  it('as many ports as hosts, or one for all', () => {
    assert.deepEqual(addresses(read('postgres:///db?host=a,b&port=7')), ['a:7', 'b:7']);
    assert.throws(() => read('postgres:///db?host=a,b,c&port=7,8'));
    assert.throws(() => read('postgres://h:0/db'));
    assert.throws(() => read('postgres://h:http/db'));
  });

  it('tcp_user_timeout is in milliseconds, and has bounds; 0 is the default, as for libpq', () => {
    const silence = (text: string): number => read(`postgres://h/db?tcp_user_timeout=${text}`).silenceMs;
    assert.deepEqual([silence('2000'), silence('0'), silence('1'), silence('99999999')], [2000, 60_000, 500, 600_000]);
    assert.equal(read('postgres://h/db').silenceMs, 60_000);
    assert.throws(() => silence('soon'));
  });

  it('sslmode and its files are kept to, and a mode that verifies needs something to verify with', async () => {
    const { listTlsWays } = await import('../../src/target/postgres/connect/tls.ts');
    const ways = (url: string): readonly unknown[] => {
      const settings = read(url);
      const [host] = settings.hosts;
      assert.ok(host);
      return listTlsWays(settings.tls, host).map((way) =>
        way === false ? 'plain' : way.rejectUnauthorized === true ? 'verified' : 'encrypted',
      );
    };
    assert.deepEqual(ways('postgres://h/db'), ['encrypted', 'plain']);
    assert.deepEqual(ways('postgres://h/db?sslmode=allow'), ['plain', 'encrypted']);
    assert.deepEqual(ways('postgres://h/db?sslmode=disable'), ['plain']);
    assert.deepEqual(ways('postgres://h/db?sslmode=require'), ['encrypted']);
    assert.deepEqual(ways('postgres://h/db?sslrootcert=system'), ['verified']);
    assert.deepEqual(ways('postgres:///db?host=/var/run/postgresql&sslmode=require'), ['plain']);
    assert.throws(() => ways('postgres://h/db?sslmode=verify-full'));
    assert.throws(() => ways('postgres://h/db?sslmode=maybe'));
  });
});

describe('~/.pgpass', () => {
  const key = { host: 'db.example', port: 5432, database: 'shop', user: 'ann' };

  it('the first line that fits decides; stars and escapes count', () => {
    const text = '# comment\nother:5432:shop:ann:no\ndb.example:*:sh\\:op:ann:no\ndb.example:*:shop:*:se\\:cr\\\\et\n*:*:*:*:late\n';
    assert.equal(findPassword(text, key), 'se:cr\\et');
    assert.equal(findPassword(text, { ...key, database: 'sh:op' }), 'no');
    assert.equal(findPassword(text, { ...key, host: 'x' }), 'late');
    assert.equal(findPassword('broken line\n', key), undefined);
  });

  it('a file that others may read is left alone, and that is said', () => {
    const file = join(home, '.pgpass');
    writeFileSync(file, '*:*:*:*:secret\n');
    chmodSync(file, 0o644);
    assert.match(readPassword(file, key).complaint ?? '', /chmod 600/u);
    assert.equal(readPassword(file, key).password, undefined);
    chmodSync(file, 0o600);
    assert.deepEqual(readPassword(file, key), { password: 'secret', complaint: undefined });
    assert.deepEqual(readPassword(join(home, 'none'), key), { password: undefined, complaint: undefined });
  });
});

describe('errors of the server', () => {
  const error = (sqlState: string, fields: Partial<PgError['fields']> = {}, message = 'value "hidden" is bad'): PgError =>
    new PgError(message, { sqlState, severity: 'ERROR', ...fields });

  it('only what is about a row becomes a refusal', () => {
    for (const sqlState of ['22001', '22P02', '22000', '23505', '23502', '23514', '23503', '23P01', '44000', 'P0001', '54000']) {
      assert.ok(toRefusal(error(sqlState)) !== undefined, sqlState);
    }
    for (const sqlState of ['57014', '57P01', '53100', '53300', '40P01', '40001', '42P01', '25006', '22P04', 'XX000', '55P03']) {
      assert.equal(toRefusal(error(sqlState)), undefined, sqlState);
    }
  });

  it('no text of ours holds values of a row', () => {
    const fields = { detail: 'Key (id)=(hidden)', where: 'COPY t, line 3, column v: "hidden"', constraint: 't_pkey' };
    for (const sqlState of ['22P02', '23505', 'P0001', '54000', '44000']) {
      assert.doesNotMatch(JSON.stringify(toRefusal(error(sqlState, fields))), /hidden/u);
      assert.doesNotMatch(toSluiceError(error(sqlState, fields), 'h:1/db').message, /hidden/u);
    }
    assert.match(toRefusal(error('23505', fields))?.message ?? '', /23505.*t_pkey/u);
    assert.equal(toRefusal(error('22P02', fields))?.column, 'v');
  });

  it('the line of a COPY is told only where it is certain', () => {
    const line = (where: string | undefined): number | undefined => readFaultyLine(error('22P02', { where }));
    assert.equal(line('COPY items, line 17, column v: "x"'), 17);
    assert.equal(line('COPY items, line 17'), 17);
    assert.equal(line('PL/pgSQL function f() line 3 at RAISE\nCOPY items, line 9: "1,2"'), 9);
    assert.equal(line('COPY items, Zeile 5, Spalte v: »x«'), 5);
    assert.equal(line(undefined), undefined);
    assert.equal(line('COPY items, line 4, column v: "a, line 8"'), undefined);
    assert.equal(line('COPY items, line 4, column v: "\nCOPY items, line 2"'), undefined);
  });

  it('each kind of failure has its code, and a hint', () => {
    const codes = {
      '42501': 'SLUICE_TARGET_DENIED',
      '25006': 'SLUICE_TARGET_READ_ONLY',
      '53100': 'SLUICE_TARGET_FULL',
      '53300': 'SLUICE_TARGET_BUSY',
    };
    const more = {
      '55P03': 'SLUICE_TARGET_LOCKED',
      '57014': 'SLUICE_TARGET_TIMEOUT',
      '42P01': 'SLUICE_TABLE_UNKNOWN',
      '42703': 'SLUICE_COLUMN_UNKNOWN',
    };
    for (const [sqlState, code] of Object.entries({
      ...codes,
      ...more,
      '28P01': 'SLUICE_TARGET_DENIED',
      '0A000': 'SLUICE_TARGET_FAILED',
    })) {
      const explained = toSluiceError(error(sqlState, {}, 'text'), 'h:1/db');
      assert.ok(isSluiceError(explained) && explained.code === code, `${sqlState} is ${String(explained)}`);
      assert.ok(explained.message.includes(sqlState) && explained.hint !== undefined);
    }
  });
});
