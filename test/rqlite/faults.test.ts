/** Whatever breaks between the driver and the server, each row is in the table once, the account holds, and nothing waits for ever. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isSluiceError } from '../../src/errors.ts';
import { load } from '../../src/load/load.ts';
import { connect } from '../../src/target/registry.ts';
import { verify } from '../../src/verify/verify.ts';
import { pass, startRelay, type Fault } from './relay.ts';
import { shareServer, startServer } from './server.ts';

const shared = shareServer();
after(() => shared.close());

type Row = Readonly<Record<string, unknown>>;

const rowCount = 600;
const rows: readonly Row[] = Array.from({ length: rowCount }, (_, id) => ({ id, name: `row ${String(id % 97)}` }));

async function readTable(url: string): Promise<readonly unknown[]> {
  const connection = await connect(url);
  const found = await connection.query({ sql: 'SELECT id, name FROM items ORDER BY id', parameters: [] });
  await connection.close();
  return found.map((row) => ({ ...row }));
}

/** The request that commits rows. */
const isCommit = (body: string): boolean => body.includes('INSERT INTO \\"items\\"') && body.includes('UPDATE sluice_shards');

const faults: readonly { readonly name: string; readonly fault: Fault }[] = [
  { name: 'cut before the server saw all of it', fault: { kind: 'cut_before' } },
  { name: 'cut after the server did it', fault: { kind: 'cut_after' } },
  { name: 'never answered', fault: { kind: 'hold' } },
  { name: 'answered with half of the JSON', fault: { kind: 'truncate' } },
  { name: 'answered for fewer statements than were sent', fault: { kind: 'fewer' } },
  { name: 'answered 502 by something between', fault: { kind: 'answer', status: 502, text: 'bad gateway' } },
  { name: 'answered 503 leader not found', fault: { kind: 'answer', status: 503, text: 'leader not found\n' } },
  { name: 'answered by something that never asked the server', fault: { kind: 'answer', status: 200, text: '{"results":[]}' } },
  { name: 'done by the server just before it is sent again', fault: { kind: 'late' } },
  { name: 'answered 413', fault: { kind: 'answer', status: 413, text: 'too large' } },
  {
    name: 'answered that leadership was lost',
    fault: { kind: 'answer', status: 200, text: '{"results":[],"error":"leadership lost while committing log"}' },
  },
];

describe('a commit that is', () => {
  for (const mode of ['insert', 'upsert', 'skip'] as const) {
    for (const { name, fault } of faults.filter(({ fault: { kind } }) => mode === 'insert' || kind === 'cut_after' || kind === 'late')) {
      it(`${name} leaves each row once (mode ${mode})`, async () => {
        const server = await shared.take();
        let commits = 0;
        const relay = await startRelay(
          () => server.port,
          ({ body }) => {
            if (!isCommit(body)) return pass;
            const turn = commits++ % 3;
            if (turn === 1) return fault;
            return turn === 2 && fault.kind === 'late' ? { kind: 'after_late' } : pass;
          },
        );
        const to = `${relay.url}?answer_timeout=0.4`;
        const report = await load({ from: rows, to, table: 'items', key: ['id'], mode, maxBatchRows: 150, cache: false });
        assert.deepEqual(report.counts, { read: rowCount, written: rowCount, skipped: 0, rejected: 0 });
        assert.equal(report.isBalanced, true);
        assert.deepEqual(await readTable(server.url), rows);
        assert.equal((await verify({ in: server.url, table: 'items' })).isOk, true);
        await relay.close();
        await server.dispose();
      });
    }
  }
});

describe('hosts', () => {
  it('that are dead are passed over, in the order of the list', async () => {
    const server = await shared.take();
    const url = `rqlite://127.0.0.1:1,127.0.0.1:2,127.0.0.1:${String(server.port)}`;
    const report = await load({ from: rows, to: url, table: 'items', key: ['id'], cache: false });
    assert.equal(report.counts.written, rowCount);
    await server.dispose();
  });

  it('that redirect in a circle are given up after the deadline, not followed for ever', async () => {
    const relay = await startRelay(
      () => 1,
      ({ path: asked }) => ({
        kind: 'answer',
        status: 301,
        text: '',
        headers: { Location: `http://127.0.0.1:${String(relay.port)}${asked}` },
      }),
    );
    await assert.rejects(connect(relay.url, { lockTimeoutMs: 500 }), { code: 'SLUICE_TARGET_UNREACHABLE' });
    await relay.close();
  });

  it('that redirect to an address without TLS do not get the password', async () => {
    const relay = await startRelay(
      () => 1,
      () => ({ kind: 'answer', status: 301, text: '', headers: { Location: 'ftp://elsewhere.example/' } }),
    );
    await assert.rejects(connect(relay.url), { code: 'SLUICE_TARGET_FAILED' });
    await relay.close();
  });

  it('that redirect to a leader that can not be reached from here are asked to pass requests on', async () => {
    const server = await shared.take();
    const relay = await startRelay(
      () => server.port,
      ({ path: asked }) =>
        asked.includes('redirect') ? { kind: 'answer', status: 301, text: '', headers: { Location: `http://127.0.0.1:1${asked}` } } : pass,
    );
    const report = await load({ from: rows, to: relay.url, table: 'items', key: ['id'], cache: false });
    assert.equal(report.counts.written, rowCount);
    await relay.close();
    await server.dispose();
  });

  it('that want another password are told apart from dead ones, and the password is not in the error', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'sluice-users-'));
    const auth = path.join(folder, 'users.json');
    await writeFile(auth, JSON.stringify([{ username: 'bob', password: 'right', perms: ['all'] }]));
    const server = await startServer({ auth });
    const at = `127.0.0.1:${String(server.port)}`;
    await assert.rejects(connect(`rqlite://bob:wr0ng@${at}`), (error) => {
      assert.ok(isSluiceError(error, 'SLUICE_TARGET_DENIED'));
      assert.ok(!`${error.message}${error.hint ?? ''}${String(error.stack)}`.includes('wr0ng'));
      return true;
    });
    const report = await load({ from: rows, to: `rqlite://bob:right@${at}`, table: 'items', key: ['id'], cache: false });
    assert.equal(report.counts.written, rowCount);
    await server.dispose();
    await rm(folder, { recursive: true });
  });
});

const cli = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

function startChild(file: string, port: number): ChildProcess {
  return spawn(process.execPath, [cli, 'serve', `sqlite:${file}`, '--listen', `127.0.0.1:${String(port)}`], { stdio: 'ignore' });
}

async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function waitForServer(port: number): Promise<void> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const isReady = await fetch(`http://127.0.0.1:${String(port)}/readyz`).then(
      (response) => response.ok,
      () => false,
    );
    if (isReady) return;
    assert.ok(performance.now() < deadline, 'the server came up');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const certificate = fileURLToPath(new URL('../fixtures/tls/cert.pem', import.meta.url));
const key = fileURLToPath(new URL('../fixtures/tls/key.pem', import.meta.url));

describe('TLS', () => {
  it('is spoken with rqlites:, and a certificate of nobody’s is trusted only when it is named', async () => {
    const server = await startServer({ cert: certificate, key });
    const at = `rqlites://localhost:${String(server.port)}`;
    await assert.rejects(connect(at), { code: 'SLUICE_TARGET_DENIED' });
    const report = await load({ from: rows, to: `${at}?sslrootcert=${certificate}`, table: 'items', key: ['id'], cache: false });
    assert.equal(report.counts.written, rowCount);
    await server.dispose();
  });
});

describe('a server', () => {
  it('that is killed in the middle of a load and comes back has each row once', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'sluice-killed-'));
    const file = path.join(folder, 'served.db');
    const port = await findFreePort();
    let child = startChild(file, port);
    await waitForServer(port);
    let commits = 0;
    const relay = await startRelay(
      () => port,
      ({ body }) => {
        if (isCommit(body) && ++commits === 3) {
          child.once('exit', () => {
            child = startChild(file, port);
          });
          child.kill('SIGKILL');
        }
        return pass;
      },
    );
    const report = await load({ from: rows, to: relay.url, table: 'items', key: ['id'], maxBatchRows: 100, cache: false });
    assert.deepEqual(report.counts, { read: rowCount, written: rowCount, skipped: 0, rejected: 0 });
    assert.deepEqual(await readTable(relay.url), rows);
    await relay.close();
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true });
  });
});
