/** What the queue's tests share: a real engine over a database of its own, with a place to put faults between the queue and it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import { openEngine } from '../../src/server/engine/open-engine.ts';
import type { Engine } from '../../src/server/engine/contract.ts';

export interface Place {
  readonly file: string;
  readonly folder: string;
  /** Reads the database from outside. */
  read(sql: string): readonly Record<string, unknown>[];
  remove(): Promise<void>;
}

/** A folder with a database that has the table `t (id, k)`. */
export async function makePlace(): Promise<Place> {
  const root = await mkdtemp(join(tmpdir(), 'sluice-queue-'));
  const file = join(root, 'app.db');
  const db = new DatabaseSync(file);
  db.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, k)');
  db.close();
  return {
    file,
    folder: `${file}-sluice-queue`,
    read: (sql) => {
      const reader = new DatabaseSync(file, { readOnly: true });
      try {
        return reader.prepare(sql).all();
      } finally {
        reader.close();
      }
    },
    remove: () => rm(root, { recursive: true, force: true }),
  };
}

export function openTestEngine(file: string): Promise<Engine> {
  return openEngine({ file, isReadOnly: false, checksForeignKeys: false });
}

/** The engine with another `applyQueued`, which may call the real one. */
export function intercept(engine: Engine, applyQueued: Engine['applyQueued']): Engine {
  return {
    handle: (request) => engine.handle(request),
    analyze: (request) => engine.analyze(request),
    applyQueued,
    readQueuePosition: () => engine.readQueuePosition(),
    runScript: (sql, options) => engine.runScript(sql, options),
    replaceFile: (path) => engine.replaceFile(path),
    copyTo: (path, options) => engine.copyTo(path, options),
    readFacts: () => engine.readFacts(),
    close: () => engine.close(),
  };
}

/** The body of a request that inserts `values` into `t`, one statement each. */
export function insertAll(...values: readonly (string | number)[]): Uint8Array {
  return Buffer.from(JSON.stringify(values.map((value) => ['INSERT INTO t(k) VALUES(?)', value])));
}

/** A gate that holds whoever passes until it is opened. */
export function createGate(): { readonly pass: () => Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { pass: () => opened, open: () => open() };
}
