/** Loads of the command line that are killed or interrupted at seeded messages to the server, and what must be the same afterwards as after a clean one. */
import assert from 'node:assert/strict';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { resume } from '../../src/load/resume.ts';
import { runSluice, type Ended } from '../cli/process.ts';
import type { Moment } from '../faults/kill-hook.ts';
import { readTrace } from '../fixtures/load-process.ts';
import type { Random } from '../simulate/random.ts';
import { assertSettled, table } from './fault-place.ts';
import { createDatabase, readSql, runSql } from './server.ts';

const hook = new URL('crash-hook.ts', import.meta.url).href;

/** A load that is killed again and again, each time from the same start. */
export interface Scenario {
  readonly name: string;
  /** Arguments beside input, target and table. */
  readonly flags: readonly string[];
  readonly rows: number;
  /** Bytes that make each row longer: a file is cut into shards of 256 KiB, and some are needed. */
  readonly padding: number;
  /** Ids of the rows, in the order of the file; each once by default. */
  readonly key?: (row: number) => number;
  /** Statements that make what is there before. */
  readonly before: readonly string[];
  /** Messages that only this scenario sends, and that some kills must hit. */
  readonly own: RegExp;
}

/** The prepared start of a scenario and what a clean run makes of it. */
export interface Stage {
  readonly scenario: Scenario;
  readonly folder: string;
  readonly input: string;
  /** How often each kind of message was sent. */
  readonly calls: ReadonlyMap<string, number>;
  readonly clean: unknown;
}

/** Everything about the table but how its pages lie: rows, indexes and constraints, with what was refused. */
async function readContent(url: string): Promise<unknown> {
  const rows = await readSql(
    url,
    `SELECT count(*)::int AS rows, md5(string_agg(t::text, ',' ORDER BY t.id, t::text)) AS digest FROM ${table} t`,
  );
  const indexes = await readSql(
    url,
    `SELECT pg_get_indexdef(indexrelid) AS ddl, indisvalid AS valid FROM pg_index WHERE indrelid = '${table}'::regclass ORDER BY 1`,
  );
  const constraints = await readSql(
    url,
    `SELECT conname AS name, pg_get_constraintdef(oid) AS ddl FROM pg_constraint WHERE conrelid = '${table}'::regclass ORDER BY 1`,
  );
  const rejects = await readSql(url, `SELECT code, row_number::int AS row FROM sluice_reject_places ORDER BY row_number`);
  return { rows, indexes, constraints, rejects };
}

function writeArguments({ flags }: Scenario, input: string, url: string): readonly string[] {
  return ['load', input, '--to', url, '--table', table, '--key', 'id', '--lanes', '2', '--progress', 'none', ...flags];
}

/** What the hook is told, see crash-hook.ts. */
type Orders = Readonly<Record<`SLUICE_TEST_${'KILL' | 'SIGNAL' | 'TRACE'}`, string>>;

function runHooked(stage: Pick<Stage, 'scenario' | 'input'>, url: string, orders: Partial<Orders>): Promise<Ended> {
  // Halves the time that a child takes to start.
  const env = { NODE_COMPILE_CACHE: path.join(tmpdir(), 'sluice-test-compile-cache'), ...orders };
  return runSluice(writeArguments(stage.scenario, stage.input, url), { nodeArguments: ['--no-warnings', '--import', hook], env });
}

/** A clean end, with or without refused rows. */
const doneCodes: readonly (number | null)[] = [0, 3];

/** Writes the input, and runs the scenario once without a fault. */
export async function prepareStage(scenario: Scenario, folder: string): Promise<Stage> {
  const { rows, padding, key = (row: number) => row } = scenario;
  const input = path.join(folder, 'rows.csv');
  const traceFile = path.join(folder, 'trace');
  const lines = Array.from(
    { length: rows },
    (_, row) => `${String(key(row))},row ${String(row)}${'.'.repeat(padding)},${String(row % 97)}`,
  );
  writeFileSync(input, ['id,body,n', ...lines, ''].join('\n'));
  return withDatabase(scenario, async (url) => {
    const ended = await runHooked({ scenario, input }, url, { SLUICE_TEST_TRACE: traceFile });
    assert.ok(doneCodes.includes(ended.exitCode) && existsSync(traceFile), `the clean run: ${ended.stdout}${ended.stderr}`);
    const calls = readTrace(traceFile);
    rmSync(traceFile);
    await assertSettled({ url, target: url }, 'after the clean run');
    return { scenario, folder, input, calls, clean: await readContent(url) };
  });
}

async function withDatabase<Result>({ before }: Scenario, work: (url: string) => Promise<Result>): Promise<Result> {
  const database = await createDatabase();
  try {
    await runSql(database.url, ...before);
    return await work(database.url);
  } finally {
    await database.dispose();
  }
}

/** What every commit consists of. */
const committing = /^(?:copy|query (?:BEGIN ISOLATION|UPDATE sluice_shards SET state|COPY|COMMIT))/u;

/** Moments of messages that only this scenario sends, of commits and of others in turn; which of a kind's messages is random too. */
export function chooseMoments({ calls, scenario }: Stage, random: Random, count: number): readonly Moment[] {
  const kinds = [...calls].map((kind) => ({ kind, place: random.fraction() })).sort((a, b) => a.place - b.place);
  const own = kinds.filter(({ kind }) => scenario.own.test(kind[0]));
  assert.ok(own.length > 0, `nothing like ${String(scenario.own)} was sent: ${[...calls.keys()].join('; ')}`);
  const commits = kinds.filter(({ kind }) => committing.test(kind[0]));
  const groups = [own, commits, kinds.filter((each) => !own.includes(each) && !commits.includes(each))];
  return Array.from({ length: count }, (_, index) => {
    const group = groups[index % groups.length] ?? [];
    const [call, most] = group[Math.floor(index / groups.length) % group.length]?.kind ?? ['', 1];
    return { call, at: random.between(1, most), when: random.pick(['before', 'after']) };
  });
}

/** Kills a run, goes on with it, and compares everything with the clean run. */
export async function crashAndGoOn(stage: Stage, moment: Moment, about: string): Promise<void> {
  await withDatabase(stage.scenario, async (url) => {
    const ended = await runHooked(stage, url, { SLUICE_TEST_KILL: JSON.stringify(moment) });
    assert.ok(ended.exitCode === null || ended.exitCode === 137 || doneCodes.includes(ended.exitCode), `${about}: ${ended.stderr}`);
    const known = await readSql(url, `SELECT to_regclass('sluice_loads') IS NOT NULL AS has`);
    const entered = known[0]?.['has'] === true ? await readSql(url, 'SELECT load FROM sluice_loads') : [];
    if (entered.length > 0) {
      const { state } = await resume({ in: url });
      assert.ok(state === 'done' || state === 'nothing_to_do', `the resume ended ${state} ${about}`);
    } else {
      // Killed before it was entered, there is nothing to resume, and the same command begins it.
      const again = await runHooked(stage, url, {});
      assert.ok(doneCodes.includes(again.exitCode), `${about}: ${again.stdout}${again.stderr}`);
    }
    await assertSettled({ url, target: url }, about);
    assert.deepEqual(await readContent(url), stage.clean, about);
  });
}

/** Presses Ctrl-C at a message, and goes on with the command that is printed. */
export async function interruptAndGoOn(stage: Stage, moment: Moment): Promise<void> {
  await withDatabase(stage.scenario, async (url) => {
    const ended = await runHooked(stage, url, { SLUICE_TEST_KILL: JSON.stringify(moment), SLUICE_TEST_SIGNAL: 'SIGINT' });
    const text = `${ended.stdout}\n${ended.stderr}`;
    assert.equal(ended.exitCode, 130, text);
    const command = /sluice (resume --in \S+ \S+)/u.exec(text)?.[1];
    assert.ok(command !== undefined, `no command to go on with: ${text}`);
    const resumed = await runSluice([...command.split(' '), '--progress', 'none']);
    assert.ok(doneCodes.includes(resumed.exitCode), `${resumed.stdout}${resumed.stderr}`);
    await assertSettled({ url, target: url }, 'after Ctrl-C');
    assert.deepEqual(await readContent(url), stage.clean, 'after Ctrl-C');
  });
}
