/** A statement that never ends, on a database that can't interrupt it: the deadline, SIGTERM and Ctrl-C end `sluice batch` all the same, and nothing is lost or done twice. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { runSluice, type Ended, type RunOptions } from './process.ts';

const endless = 'WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c WHERE n < 0;';

interface Place {
  readonly run: (args: readonly string[], options?: RunOptions) => Promise<Ended>;
  /** Takes the endless statement out, as a person would. */
  readonly mend: () => void;
  readonly ids: () => readonly unknown[];
  readonly statusLines: () => readonly string[];
}

/** Two units: the first one ends, the second one never does. */
function makePlace(context: TestContext): Place {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-stuck-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const first = 'CREATE TABLE t (id INTEGER);\nINSERT INTO t VALUES (1);\n';
  const last = 'INSERT INTO t VALUES (3);\n';
  writeFileSync(join(folder, 'a.sql'), `${first}INSERT INTO t VALUES (2);\n${endless}\n${last}`);
  return {
    run: (args, options) =>
      runSluice(['batch', 'a.sql', '--to', 'sqlite:a.db', '--unit', '2', '--status-file', 's.jsonl', ...args], { cwd: folder, ...options }),
    mend: () => writeFileSync(join(folder, 'a.sql'), `${first}INSERT INTO t VALUES (2);\n${last}`),
    ids: () => {
      if (!existsSync(join(folder, 'a.db'))) return [];
      const database = new DatabaseSync(join(folder, 'a.db'));
      try {
        return database
          .prepare('SELECT id FROM t ORDER BY id')
          .all()
          .map(({ id }) => id);
      } finally {
        database.close();
      }
    },
    statusLines: () => readFileSync(join(folder, 's.jsonl'), 'utf8').trim().split('\n'),
  };
}

async function checkGoesOn(place: Place): Promise<void> {
  assert.deepEqual(place.ids(), [1], 'the unit of the endless statement was undone, the one before it stands');
  place.mend();
  const done = await place.run([]);
  assert.equal(done.exitCode, 0, done.stderr);
  assert.deepEqual(place.ids(), [1, 2, 3]);
  assert.deepEqual(
    place.statusLines().map((line) => (JSON.parse(line) as { readonly index: number }).index),
    [0, 1, 2, 3],
  );
}

test('a statement that goes on beyond --timeout is cut off, with the unit it is in and the way on', async (context) => {
  const place = makePlace(context);
  const { exitCode, stderr } = await place.run(['--timeout', '500ms']);
  assert.equal(exitCode, 5, stderr);
  assert.match(
    stderr,
    /A statement in the unit that begins with statement 2 took longer than 500 ms and was cut off; .*undone.*\[SLUICE_TARGET_TIMEOUT\]\n {2}→ .*--timeout\. Go on with: sluice batch a\.sql --unit 2/,
  );
  await checkGoesOn(place);
});

test('as JSON the deadline is an error event', async (context) => {
  const { exitCode, stdout } = await makePlace(context).run(['--timeout', '500ms', '--json']);
  assert.equal(exitCode, 5);
  const { event, code } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Readonly<Record<string, unknown>>;
  assert.deepEqual([event, code], ['error', 'SLUICE_TARGET_TIMEOUT']);
});

/** Code for the process itself: it sends itself a signal again and again once the first unit stands in the status file, so that the endless statement is what runs. */
function signalWhenStuck(signal: NodeJS.Signals, times: number): RunOptions {
  const code = `import { readFileSync } from 'node:fs';
    import { isMainThread } from 'node:worker_threads';
    let looks = 0;
    let left = ${times};
    const isBegun = () => { try { return readFileSync('s.jsonl', 'utf8').split('\\n').length > 2; } catch { return false; } };
    const send = () => { if (left > 0 && isBegun() && ++looks > 1) { left--; process.kill(process.pid, '${signal}'); } };
    if (isMainThread) setInterval(send, 700).unref();`;
  return { nodeArguments: ['--import', `data:text/javascript,${encodeURIComponent(code)}`] };
}

test('SIGTERM alone ends it after some seconds, with exit code 130', async (context) => {
  const place = makePlace(context);
  const { exitCode, stderr } = await place.run([], signalWhenStuck('SIGTERM', 1));
  assert.equal(exitCode, 130, stderr);
  assert.match(stderr, /finishing the unit in flight.*did not end within 5,000 ms of the interrupt and was cut off.*\[SLUICE_CANCELLED\]/s);
  await checkGoesOn(place);
});

test('a second Ctrl-C ends it at once', async (context) => {
  const place = makePlace(context);
  const { exitCode, stderr } = await place.run([], signalWhenStuck('SIGINT', 2));
  assert.equal(exitCode, 130, stderr);
  assert.match(stderr, /press Ctrl-C again/);
  assert.doesNotMatch(stderr, /did not end within/);
  await checkGoesOn(place);
});
