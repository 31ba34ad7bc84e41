/** Kill -9 while databases are put in place and backups made: the old or the new one is there, whole, and no temporary file outlives the next start. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

import { removeLeftovers } from '../../src/server/store/temporary.ts';
import { makePlace, openTestEngine } from './queue-engine.ts';

const child = fileURLToPath(new URL('./store-boot-process.ts', import.meta.url));
const kills = 6;

/** Lets the process run until it has put `boots` databases in place and `delayMs` more have passed, then kills it. */
function runAndKill(values: readonly string[], boots: number, delayMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const running = spawn(process.execPath, [child, ...values], { stdio: ['ignore', 'pipe', 'pipe'] });
    let lines = 0;
    let faults = '';
    let isDoomed = false;
    running.stdout.setEncoding('utf8').on('data', (piece: string) => {
      lines += piece.split('\n').length - 1;
      if (isDoomed || lines < 1 + boots) return;
      isDoomed = true;
      setTimeout(() => running.kill('SIGKILL'), delayMs);
    });
    running.stderr.setEncoding('utf8').on('data', (piece: string) => (faults += piece));
    const deadline = setTimeout(() => running.kill('SIGKILL'), 20_000);
    running.on('error', reject);
    running.on('close', () => {
      clearTimeout(deadline);
      if (isDoomed) resolve();
      else reject(new Error(`the process ended on its own: ${faults}`));
    });
  });
}

function makeSource(path: string, mark: string, rows: number): void {
  const db = new DatabaseSync(path);
  db.exec(`CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, k); CREATE INDEX ix ON t(k); BEGIN`);
  const insert = db.prepare('INSERT INTO t(k) VALUES(?)');
  for (let index = 0; index < rows; index++) insert.run(`${mark} ${String(index).padStart(300, '0')}`);
  db.exec('COMMIT');
  db.close();
}

test(`a database that is booted over and over survives ${kills} kills whole, and so does the one before it`, async () => {
  const place = await makePlace();
  const sources = ['one', 'two'].map((mark, index) => {
    const path = join(place.file, '..', `${mark}.db`);
    makeSource(path, mark, 1_000 + 1_500 * index);
    return path;
  });
  for (let kill = 0; kill < kills; kill++) {
    await runAndKill([place.file, ...sources], kill % 3, kill * 7);
    const engine = await openTestEngine(place.file);
    await removeLeftovers(place.file);
    await engine.close();
    const [check] = place.read('PRAGMA integrity_check');
    assert.deepEqual({ ...check }, { integrity_check: 'ok' });
    const [found] = place.read('SELECT count(*) AS n, count(DISTINCT substr(k, 1, 3)) AS marks, min(substr(k, 1, 3)) AS mark FROM t');
    assert.ok([0, 1_000, 2_500].includes(Number(found?.['n'])) && Number(found?.['marks']) <= 1, JSON.stringify(found));
    assert.equal(Number(found?.['n']), { one: 1_000, two: 2_500 }[String(found?.['mark'])] ?? 0);
  }
  assert.deepEqual(
    (await readdir(join(place.file, '..'))).filter((name) => name.includes('temp')),
    [],
  );
  await place.remove();
});
