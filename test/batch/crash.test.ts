/** `sluice batch` killed at seeded moments, then run again: no statement twice, none lost, and a status file as of a run that nothing happened to. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { batchFile } from '../../src/batch/batch-file.ts';
import type { BatchFileOptions, StatementFormat } from '../../src/batch/options.ts';
import { verify } from '../../src/verify/verify.ts';
import type { Moment } from '../faults/kill-hook.ts';
import { chooseMoments, runInPairs } from '../fixtures/load-crash.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { readTrace } from '../fixtures/load-process.ts';
import { readSql, runSql } from '../fixtures/load-target.ts';
import { createRandom } from '../simulate/random.ts';
import { tableQueries, tables, writeStatements } from './statement-file.ts';

const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 1_000_000);
console.log(`batch crash seed ${seed} (SLUICE_TEST_SEED=${seed} repeats it)`);

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const hook = new URL('../faults/kill-hook.ts', import.meta.url).href;
const statementCount = 240;
const unit = 12;

interface Fate {
  readonly moment?: Moment;
  readonly traceFile?: string;
}

interface Place {
  readonly folder: string;
  readonly format: StatementFormat;
  readonly isTransaction: boolean;
}

/** Runs the command in a process of its own, in the folder. */
async function runCommand(
  { folder, format, isTransaction }: Place,
  fate: Fate,
): Promise<{ readonly signal: string | null; readonly exitCode: number | null; readonly errors: string }> {
  const args = [
    '--import',
    hook,
    main,
    'batch',
    `input.${format}`,
    '--to',
    'sqlite:target.db',
    '--unit',
    String(unit),
    '--status-file',
    'status.jsonl',
  ];
  const child = spawn(process.execPath, [...args, ...(isTransaction ? ['--transaction'] : [])], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      NODE_COMPILE_CACHE: path.join(tmpdir(), 'sluice-test-compile-cache'),
      ...process.env,
      ...(fate.moment === undefined ? {} : { SLUICE_TEST_KILL: JSON.stringify(fate.moment) }),
      ...(fate.traceFile === undefined ? {} : { SLUICE_TEST_TRACE: fate.traceFile }),
    },
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const [exitCode, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { exitCode, signal, errors };
}

/** The same call in this process: what the command does. */
async function goOn({ folder, format, isTransaction }: Place): Promise<void> {
  const options: BatchFileOptions = {
    from: path.join(folder, `input.${format}`),
    to: `sqlite:${path.join(folder, 'target.db')}`,
    unit,
    transaction: isTransaction,
    statusFile: path.join(folder, 'status.jsonl'),
  };
  const report = await batchFile(options);
  assert.ok(['done', 'nothing_to_do'].includes(report.state), report.state);
  assert.equal(report.counts.read, statementCount);
  assert.equal(report.isBalanced, true, JSON.stringify(report));
}

function readAll(folder: string): unknown {
  const target = path.join(folder, 'target.db');
  return { tables: tableQueries.map((sql) => readSql(target, sql)), status: readFileSync(path.join(folder, 'status.jsonl'), 'utf8') };
}

async function killAndGoOn(
  start: string,
  place: Place,
  { moment, clean }: { readonly moment: Moment; readonly clean: unknown },
): Promise<void> {
  const { folder } = place;
  const about = `${place.format}, killed ${moment.when} call ${moment.at} of ${moment.call}`;
  cpSync(start, folder, { recursive: true });
  const ended = await runCommand(place, { moment });
  // A call that fails never comes back, so there is no moment after it.
  assert.ok(ended.signal === 'SIGKILL' || (moment.when === 'after' && ended.exitCode === 3), `${about}: ${ended.errors}`);
  await goOn(place);
  assert.deepEqual(readAll(folder), clean, about);
  assert.equal((await verify({ in: `sqlite:${path.join(folder, 'target.db')}` })).isOk, true, about);
}

async function crash(
  context: TestContext,
  { format, isTransaction, kills }: { format: StatementFormat; isTransaction: boolean; kills: number },
): Promise<void> {
  const root = makeFolder(context);
  const start = path.join(root, 'start');
  mkdirSync(start);
  writeFileSync(path.join(start, `input.${format}`), writeStatements(format, statementCount, seed));
  runSql(path.join(start, 'target.db'), ...tables);
  const place = { folder: path.join(root, 'clean'), format, isTransaction };
  cpSync(start, place.folder, { recursive: true });
  const traceFile = path.join(root, 'trace');
  const ended = await runCommand(place, { traceFile });
  assert.equal(ended.exitCode, 3, ended.errors);
  const clean = readAll(place.folder);
  assert.ok(existsSync(traceFile));
  const moments = chooseMoments(readTrace(traceFile), createRandom(seed), kills);
  await runInPairs(
    moments.map((moment, index) => () => killAndGoOn(start, { ...place, folder: path.join(root, String(index)) }, { moment, clean })),
  );
}

test('SQL statements: a run that was killed anywhere is finished by the same call, each statement once, its status in its place', (context) =>
  crash(context, { format: 'sql', isTransaction: false, kills: 16 }));

test('JSON lines in transactions: a run that was killed anywhere is finished by the same call, each unit once', (context) =>
  crash(context, { format: 'jsonl', isTransaction: true, kills: 16 }));
