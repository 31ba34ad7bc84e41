/** `sluice serve` as a process: how it starts, what it says, how it ends, and what keeps it from starting. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { mainPath, runSluice } from '../cli/process.ts';

const cert = fileURLToPath(new URL('../fixtures/tls/cert.pem', import.meta.url));
const key = fileURLToPath(new URL('../fixtures/tls/key.pem', import.meta.url));

function makeFolder(context: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-process-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

interface Started {
  readonly child: ChildProcess;
  readonly url: string;
  readonly stderr: () => string;
}

async function start(context: TestContext, folder: string, ...args: readonly string[]): Promise<Started> {
  const child = spawn(process.execPath, [mainPath, 'serve', 'sqlite:a.db', ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  context.after(() => child.kill('SIGKILL'));
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  for (;;) {
    const url = /serving sqlite:a\.db on (\S+)/.exec(stderr)?.[1];
    if (url !== undefined && stderr.includes('the routes:')) return { child, url, stderr: () => stderr };
    await Promise.race([once(child.stderr, 'data'), once(child, 'exit').then(() => assert.fail(stderr))]);
  }
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  child.kill(signal);
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
}

test('the server says where it listens, answers at both addresses of localhost, and ends with 0 at a signal', async (context) => {
  const { child, url, stderr } = await start(context, makeFolder(context), '--listen', 'localhost:0', '--foreign-keys');
  assert.match(stderr(), /\(no users; no TLS; foreign keys checked; queue on\)/);
  assert.match(stderr(), /try: curl .*\/db\/query/);
  const port = new URL(url).port;
  for (const host of ['127.0.0.1', '[::1]', 'localhost']) {
    const response = await fetch(`http://${host}:${port}/readyz`).catch((error: unknown) => error as Error);
    if (response instanceof Error && host === '[::1]') context.diagnostic('this machine has no IPv6');
    else assert.equal((response as Response).status, 200, host);
  }
  const queued = await fetch(`${url}/db/execute?queue`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '["CREATE TABLE kept (a)"]',
  });
  assert.equal(queued.status, 200);
  assert.equal(await stop(child, 'SIGTERM'), 0);
});

test('what was queued before the end is there after it', async (context) => {
  const folder = makeFolder(context);
  const first = await start(context, folder, '--listen', '127.0.0.1:0', '--queue-timeout', '5s');
  const queued = await fetch(`${first.url}/db/execute?queue`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '["CREATE TABLE kept (a)", "INSERT INTO kept VALUES(7)"]',
  });
  assert.equal(queued.status, 200);
  assert.equal(await stop(first.child, 'SIGINT'), 0);
  const second = await start(context, folder, '--listen', '127.0.0.1:0');
  const found = await (await fetch(`${second.url}/db/query?q=SELECT%20a%20FROM%20kept`)).text();
  assert.match(found, /\[\[7\]\]/);
  await stop(second.child, 'SIGTERM');
});

test('a server for a network warns where everybody may do everything, and serves TLS with users', async (context) => {
  const folder = makeFolder(context);
  const open = await start(context, folder, '--listen', '0.0.0.0:0');
  assert.match(open.stderr(), /warning: everybody who can reach this address/);
  await stop(open.child, 'SIGTERM');
  writeFileSync(path.join(folder, 'users.json'), '[{"username":"ann","password":"secret","perms":["all"]}]');
  const guarded = await start(
    context,
    folder,
    '--listen',
    '0.0.0.0:0',
    '--auth',
    'users.json',
    '--cert',
    cert,
    '--key',
    key,
    '--log-level',
    'debug',
  );
  assert.doesNotMatch(guarded.stderr(), /warning/);
  const { port } = new URL(guarded.url);
  const get = async (auth: string | undefined): Promise<number | undefined> => {
    const options = {
      host: '127.0.0.1',
      servername: 'localhost',
      port,
      path: '/readyz',
      ca: readFileSync(cert),
      ...(auth === undefined ? {} : { auth }),
    };
    const sent = request(options).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    response.resume();
    return response.statusCode;
  };
  assert.deepEqual([await get('ann:secret'), await get('ann:wrong'), await get(undefined)], [200, 401, 401]);
  assert.equal(await stop(guarded.child, 'SIGTERM'), 0);
  assert.match(guarded.stderr(), /debug request .*route=\/readyz status=200/);
  assert.doesNotMatch(guarded.stderr(), /secret/);
});

test('what keeps the server from starting is told, with its exit code', async (context) => {
  const folder = makeFolder(context);
  const { child, url } = await start(context, folder, '--listen', '127.0.0.1:0');
  const port = new URL(url).port;
  writeFileSync(path.join(folder, 'users.json'), '{"hidden": 1}');
  writeFileSync(path.join(folder, 'text.db'), 'this is no database, but long enough to be looked at '.repeat(20));
  const run = async (database: string, ...args: readonly string[]): Promise<readonly [number | null, string]> => {
    const { exitCode, stderr } = await runSluice(['serve', database, ...args], { cwd: folder });
    return [exitCode, stderr];
  };
  const cases: readonly (readonly [readonly [string, ...string[]], number, RegExp])[] = [
    [['sqlite:b.db', '--listen', `127.0.0.1:${port}`], 5, /in use/],
    [['sqlite:b.db', '--listen', 'nowhere'], 2, /not an address/],
    [['sqlite:b.db', '--listen', '127.0.0.1:0', '--auth', 'missing.json'], 2, /can't be read/],
    [['sqlite:b.db', '--listen', '127.0.0.1:0', '--auth', 'users.json'], 2, /holds no array/],
    [['sqlite:b.db', '--listen', '127.0.0.1:0', '--cert', cert], 2, /needs a certificate and its key/],
    [['sqlite:b.db', '--listen', '127.0.0.1:0', '--cert', key, '--key', cert], 2, /holds no CERTIFICATE/],
    [['postgres://x/y'], 2, /can not be served/],
    [['sqlite:text.db', '--listen', '127.0.0.1:0'], 6, /./],
    [['sqlite:b.db', '--max-body', 'much', '--queue-capacity', '0'], 2, /--queue-capacity[^]*--max-body/],
  ];
  const answers = await Promise.all(cases.map(async ([args]) => run(...args)));
  for (const [place, [args, code, message]] of cases.entries()) {
    const [exitCode, stderr] = answers[place]!;
    assert.equal(exitCode, code, `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, message, args.join(' '));
  }
  await stop(child, 'SIGTERM');
});
