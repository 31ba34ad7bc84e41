/** Killed at any moment, while one database takes the place of another: what is there afterwards is one of the two, whole, with whole transactions. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const kills = 4;

/** A database whose every row says which of the two it is. */
function makeSource(file: string, mark: number): string {
  const db = new DatabaseSync(file);
  db.exec('CREATE TABLE rows (mark INTEGER, pad TEXT); CREATE TABLE done (a); CREATE TABLE also (a)');
  db.exec(
    `INSERT INTO rows WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 20000) SELECT ${String(mark)}, hex(randomblob(40)) FROM c`,
  );
  db.close();
  return file;
}

test(`after ${String(kills)} kills in the middle of replacing, the database is whole each time`, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-engine-'));
  const child = fileURLToPath(new URL('engine-kill-child.ts', import.meta.url));
  try {
    const sources = [makeSource(path.join(folder, 'one.db'), 1), makeSource(path.join(folder, 'two.db'), 2)];
    const file = path.join(folder, 'db.sqlite');
    for (let round = 0; round < kills; round++) {
      const process_ = spawn(process.execPath, [child, file, ...sources], { stdio: ['ignore', 'pipe', 'inherit'] });
      await new Promise((resolve) => process_.stdout.once('data', resolve));
      await sleep(20 + round * 60);
      const exited = new Promise((resolve) => process_.once('exit', resolve));
      process_.kill('SIGKILL');
      await exited;
      const db = new DatabaseSync(file);
      assert.equal(db.prepare('PRAGMA integrity_check').get()?.['integrity_check'], 'ok');
      if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'rows'").get() !== undefined) {
        const marks = db.prepare('SELECT mark, count(*) AS c FROM rows GROUP BY mark').all();
        assert.equal(marks.length, 1);
        assert.equal(marks[0]?.['c'], 20_000);
        assert.equal(db.prepare('SELECT count(*) AS c FROM done').get()?.['c'], db.prepare('SELECT count(*) AS c FROM also').get()?.['c']);
      }
      db.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
