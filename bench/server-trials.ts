/** `sluice serve` as trials: the compiled command line in a process of its own, asked over HTTP as a client would, and the rows counted in its file afterwards. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { DatabaseSync } from 'node:sqlite';
import { makeSmallRows, provideData } from './data.ts';
import { HttpConnection, writePost } from './http-connection.ts';
import { cliFile, openLibrary } from './sluice.ts';
import type { Sample, Trial } from './trials.ts';

/** A server that was started for one trial. */
interface Served {
  readonly port: number;
  readonly file: string;
  readonly child: ChildProcess;
}

async function startServer(folder: string, flags: readonly string[]): Promise<Served> {
  const file = path.join(folder, 'served.db');
  const child = spawn(process.execPath, [cliFile, 'serve', `sqlite:${file}`, '--listen', '127.0.0.1:0', ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const port = await new Promise<number>((resolve, reject) => {
    let told = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      told += text;
      const match = /127\.0\.0\.1:(\d+)/u.exec(told);
      if (match !== null) resolve(Number(match[1]));
    });
    child.once('exit', () => reject(new Error(`sluice serve ended: ${told}`)));
  });
  return { port, file, child };
}

function readMemory(pid: number | undefined, field: 'VmHWM' | 'VmRSS'): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'mu').exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
  return Number(match?.[1]) * 1024;
}

/** Processor time of a process, in ms: fields 14 and 15 of its stat, in ticks of 10 ms. */
function readCpu(pid: number | undefined): number {
  const fields =
    readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
      .split(') ')[1]
      ?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

interface Asking {
  readonly port: number;
  readonly rows: number;
  readonly connections: readonly HttpConnection[];
}

interface Recipe {
  readonly flags?: readonly string[];
  readonly connections?: number;
  /** Makes the input, in the caller's process. */
  readonly provide?: (rows: number) => void;
  /** Before the clock starts. */
  readonly prepare?: (asking: Asking) => Promise<void>;
  readonly run: (asking: Asking) => Promise<void>;
  /** Rows in the table afterwards; as many as the trial's by default. */
  readonly expected?: (rows: number) => number;
  readonly figures?: (served: Served) => Sample['figures'];
}

const create = ['CREATE TABLE foo (id INTEGER NOT NULL PRIMARY KEY, name TEXT, age INTEGER)'];

async function must(connection: HttpConnection, request: Buffer): Promise<void> {
  const answer = await connection.send(request, true);
  const text = answer.body?.toString('utf8') ?? '';
  if (answer.status !== 200 || text.includes('"error"')) throw new Error(`${String(answer.status)} ${text.slice(0, 300)}`);
}

function trialOf(recipe: Recipe): Trial {
  return {
    provide: (rows) => recipe.provide?.(rows),
    run: async (rows, folder) => {
      const served = await startServer(folder, recipe.flags ?? []);
      const connections = await Promise.all(Array.from({ length: recipe.connections ?? 1 }, () => HttpConnection.open(served.port)));
      const asking: Asking = { port: served.port, rows, connections };
      const [first] = connections;
      if (first === undefined) throw new Error('no connection');
      await must(first, writePost('/db/execute', JSON.stringify(create)));
      await recipe.prepare?.(asking);
      const idleRss = readMemory(served.child.pid, 'VmRSS');
      const startedCpu = readCpu(served.child.pid);
      const startedMs = performance.now();
      await recipe.run(asking);
      const ms = performance.now() - startedMs;
      const cpuMs = readCpu(served.child.pid) - startedCpu;
      const peakRssBytes = readMemory(served.child.pid, 'VmHWM');
      const figures = { idleRssMb: Math.round(idleRss / 1e6), ...recipe.figures?.(served) };
      for (const connection of connections) connection.close();
      served.child.kill('SIGTERM');
      await once(served.child, 'exit');
      countServed(served.file, recipe.expected?.(rows) ?? rows);
      return { rows, ms, cpuMs, peakRssBytes, settings: { synchronous: 'FULL' }, figures };
    },
  };
}

function countServed(file: string, expected: number): void {
  const db = new DatabaseSync(file);
  const found = Number(db.prepare('SELECT count(*) AS n FROM foo').get()?.['n']);
  db.close();
  if (found !== expected) throw new Error(`the table has ${String(found)} rows, not ${String(expected)}`);
}

const insert = 'INSERT INTO foo(name, age) VALUES(?, ?)';

/** Bodies of `size` statements each. */
function makeBulk(size: number): string {
  return JSON.stringify(Array.from({ length: size }, (_, index) => [insert, `fiona ${String(index)}`, index % 90]));
}

function makeMultiRow(size: number): string {
  const values = Array.from({ length: size }, () => '(?,?)').join(',');
  const parameters = Array.from({ length: size }, (_, index) => [`fiona ${String(index)}`, index % 90]).flat();
  return JSON.stringify([[`INSERT INTO foo(name, age) VALUES ${values}`, ...parameters]]);
}

/** The same request again and again on every connection, until `count` were answered. */
async function repeat({ connections }: Asking, request: Buffer, count: number): Promise<void> {
  let left = count;
  await Promise.all(
    connections.map(async (connection) => {
      while (left-- > 0) {
        const { status } = await connection.send(request);
        if (status !== 200) throw new Error(`status ${String(status)}`);
      }
    }),
  );
}

function bulkTrial(route: string, size: number, connections = 1): Trial {
  const request = writePost(route, makeBulk(size));
  return trialOf({ connections, run: (asking) => repeat(asking, request, asking.rows / size) });
}

async function fillTable({ connections: [connection] }: Asking, rows: number): Promise<void> {
  const request = writePost('/db/execute?transaction', makeBulk(1_000));
  for (let done = 0; done < rows; done += 1_000) await must(connection as HttpConnection, request);
}

const tableRows = 100_000;

const points = JSON.stringify(
  Array.from({ length: 1_000 }, (_, index) => ['SELECT id, name, age FROM foo WHERE id = ?', 1 + ((index * 97) % tableRows)]),
);

/** Waits until the queue has written what it acknowledged, which is asked for by an empty request. */
async function drainQueue({ connections: [connection] }: Asking): Promise<void> {
  await must(connection as HttpConnection, writePost('/db/execute?queue&wait&timeout=120s', '[]'));
}

const dumpRows = 200_000;

function makeDump(): string {
  const lines = Array.from(
    { length: dumpRows },
    (_, index) => `INSERT INTO "foo" VALUES(${String(index + 1)},'fiona ${String(index)}',${String(index % 90)});`,
  );
  return `PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n${lines.join('\n')}\nCOMMIT;\n`;
}

const rowsPerInsert = 1_000;

/** The rows of the file as requests of one INSERT each, encoded before the clock starts: what the server can take, whoever asks. */
function makeInserts(rows: number): readonly Buffer[] {
  const requests: Buffer[] = [];
  const tuples = Array.from({ length: rowsPerInsert }, () => '(?,?,?)').join(',');
  let parameters: (string | number)[] = [];
  for (const { id, name, age } of makeSmallRows(rows)) {
    parameters.push(id, name, age);
    if (parameters.length < 3 * rowsPerInsert) continue;
    requests.push(writePost('/db/execute', JSON.stringify([[`INSERT INTO foo(id, name, age) VALUES ${tuples}`, ...parameters]])));
    parameters = [];
  }
  return requests;
}

function loadLimit(): Trial {
  let requests: readonly Buffer[] = [];
  return trialOf({
    prepare: async ({ rows }) => {
      requests = await Promise.resolve(makeInserts(rows));
    },
    run: async ({ connections: [connection] }) => {
      for (const request of requests) {
        const { status } = (await connection?.send(request)) ?? {};
        if (status !== 200) throw new Error(`status ${String(status)}`);
      }
    },
  });
}

/** A whole load by the library: plan, ledger, every row checked, and verified at the end. */
function loadTrial(): Trial {
  let load: Awaited<ReturnType<typeof openLibrary>>['load'] | undefined;
  return trialOf({
    provide: (rows) => void provideData('csv', rows),
    prepare: async () => {
      ({ load } = await openLibrary());
    },
    run: async ({ port, rows }) => {
      const to = `rqlite://127.0.0.1:${String(port)}`;
      const report = await load?.({ from: provideData('csv', rows), to, table: 'foo', key: ['id'], cache: false });
      if (report?.verification?.isOk !== true) throw new Error(`the load ended as ${String(report?.state)}`);
    },
  });
}

/** The trials of the server, by name. */
export const serverTrials: Readonly<Record<string, Trial>> = {
  'serve-singles': bulkTrial('/db/execute', 1),
  'serve-singles-32': bulkTrial('/db/execute', 1, 32),
  'serve-bulk': bulkTrial('/db/execute', 1_000),
  'serve-bulk-transaction': bulkTrial('/db/execute?transaction', 1_000),
  'serve-multi-row': trialOf({ run: (asking) => repeat(asking, writePost('/db/execute', makeMultiRow(1_000)), asking.rows / 1_000) }),
  'serve-queue': trialOf({
    connections: 4,
    run: async (asking) => {
      await repeat(asking, writePost('/db/execute?queue', makeBulk(1_000)), asking.rows / 1_000);
      await drainQueue(asking);
    },
  }),
  'serve-load': loadTrial(),
  'serve-load-limit': loadLimit(),
  'serve-load-dump': trialOf({
    run: ({ connections: [connection] }) => must(connection as HttpConnection, writePost('/db/load', makeDump(), 'text/plain')),
  }),
  'serve-point-selects': trialOf({
    prepare: (asking) => fillTable(asking, tableRows),
    run: (asking) => repeat(asking, writePost('/db/query', points), asking.rows / 1_000),
    expected: () => tableRows,
  }),
  'serve-large-answer': trialOf({
    prepare: (asking) => fillTable(asking, tableRows),
    run: (asking) => repeat(asking, writePost('/db/query', '["SELECT id, name, age FROM foo"]'), asking.rows / tableRows),
    expected: () => tableRows,
  }),
};
