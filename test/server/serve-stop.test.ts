/** The end of `sluice serve` while a statement runs that does not end: SQLite in Node can't be interrupted, and the process ends all the same. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { mainPath } from '../cli/process.ts';

const endless = 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n';

interface Stuck {
  readonly child: ChildProcess;
  readonly file: string;
  readonly stderr: () => string;
  readonly ended: Promise<readonly unknown[]>;
}

/** A server in which a write has begun that does not end. */
async function startStuck(context: TestContext): Promise<Stuck> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-stop-'));
  const args = [mainPath, 'serve', 'sqlite:a.db', '--listen', '127.0.0.1:0', '--stop-timeout', '300ms'];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'exit');
  context.after(() => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  while (!stderr.includes('the routes:')) await Promise.race([once(child.stderr, 'data'), ended.then(() => assert.fail(stderr))]);
  const url = /on (http:\S+)/u.exec(stderr)?.[1] ?? '';
  const send = (body: readonly string[]): Promise<Response> =>
    fetch(`${url}/db/execute`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  await send(['CREATE TABLE t (a)', 'INSERT INTO t VALUES(1)']);
  send([`INSERT INTO t ${endless}`]).catch(() => undefined);
  await sleep(300);
  return { child, file: path.join(folder, 'a.db'), stderr: () => stderr, ended };
}

test('a stop ends the process by its deadline, says why, and only the statement is undone', async (context) => {
  const { child, file, stderr, ended } = await startStuck(context);
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [5, null], stderr());
  assert.match(stderr(), /SLUICE_TARGET_TIMEOUT/u);
  const db = new DatabaseSync(file);
  assert.equal(db.prepare('SELECT group_concat(a) AS a FROM t').get()?.['a'], '1');
  db.close();
});

test('a second Ctrl-C ends the process at once, also while a statement runs', async (context) => {
  const { child, stderr, ended } = await startStuck(context);
  child.kill('SIGINT');
  await sleep(200);
  child.kill('SIGINT');
  assert.deepEqual(await ended, [130, null], stderr());
});
