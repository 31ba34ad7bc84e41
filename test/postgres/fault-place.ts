/** A load that something happens to: its input, its database, and what must hold afterwards whatever it was. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSluiceError, type ErrorCode, type SluiceError } from '../../src/errors.ts';
import { load } from '../../src/load/load.ts';
import { resume } from '../../src/load/resume.ts';
import type { LoadOptions, LoadReport } from '../../src/load/options.ts';
import { verify } from '../../src/verify/verify.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { createDatabase, readSql, runSql, type TestDatabase } from './server.ts';

/** A promise that is not kept by then hangs; sound ones take a few seconds. */
export const deadlineMs = 45_000;

/** Sessions end a moment after their sockets. */
const sessionsEndMs = 5_000;

export const table = 'items';

export interface Place {
  /** Where the harness looks: the database itself, past any proxy. */
  readonly url: string;
  readonly options: LoadOptions;
  readonly rows: number;
}

export interface PlaceOptions {
  readonly rows?: number | undefined;
  /** Statements that make what is there before the load; a plain table by default. */
  readonly before?: readonly string[] | undefined;
  readonly options?: Partial<LoadOptions> | undefined;
  /** The database; one of its own on the server of the run by default. */
  readonly database?: TestDatabase | undefined;
  /** Of the input, in the order of the file; each once by default. */
  readonly key?: ((row: number) => number) | undefined;
}

/** What the table holds after a clean load of a place: as SQL writes it. */
function textOf(id: number): string {
  return `row ${String(id)} ${'x'.repeat(id % 40)}`;
}

export const plainTable: readonly string[] = [`CREATE TABLE ${table} (id bigint PRIMARY KEY, body text NOT NULL, v vector(3))`];

/** Writes the input and makes the database; both are gone after the test. */
export async function makePlace(context: TestContext, made: PlaceOptions = {}): Promise<Place> {
  const { rows = 6_000, key = (row) => row } = made;
  const database = made.database ?? (await createDatabase());
  if (made.database === undefined) context.after(() => database.dispose());
  const input = path.join(makeFolder(context), 'rows.jsonl');
  const lines = Array.from({ length: rows }, (_, row) => JSON.stringify({ id: key(row), body: textOf(key(row)), v: [key(row), 0.5, -1] }));
  writeFileSync(input, `${lines.join('\n')}\n`);
  await runSql(database.url, ...(made.before ?? plainTable));
  const options: LoadOptions = {
    from: input,
    to: database.url,
    table,
    key: ['id'],
    lanes: 2,
    // Some sixty commits over the two lanes, so that there is a middle for things to happen in.
    shardBytes: 40_000,
    maxBatchRows: 100,
    lockTimeoutMs: 20_000,
    cache: false,
    ...made.options,
  };
  return { url: database.url, options, rows };
}

/** Fails when `work` has not ended by its deadline, whatever it is waiting for. */
export async function within<Result>(work: Promise<Result>, what: string, ms: number = deadlineMs): Promise<Result> {
  const timer = new AbortController();
  const hang = sleep(ms, undefined, { signal: timer.signal }).then(
    () => assert.fail(`${what} hangs: nothing after ${String(ms / 1000)} s`),
    () => undefined as never,
  );
  try {
    return await Promise.race([work, hang]);
  } finally {
    timer.abort();
  }
}

/** How a load ended: with a report, or with an error of sluice. Anything else thrown fails the test. */
export type Ended = { readonly report: LoadReport } | { readonly error: SluiceError };

export async function endLoad(work: Promise<LoadReport>): Promise<Ended> {
  try {
    return { report: await within(work, 'the load') };
  } catch (error) {
    if (!isSluiceError(error)) throw error;
    return { error };
  }
}

/** Asserts that a load ended with one of these codes, a message and a next step, and without a secret. */
export function assertFailed(ended: Ended, codes: readonly ErrorCode[]): SluiceError {
  assert.ok('error' in ended, `the load ended ${'report' in ended ? ended.report.state : ''} instead of with ${codes.join(' or ')}`);
  const { error } = ended;
  assert.ok(codes.includes(error.code), `${error.code} instead of ${codes.join(' or ')}: ${error.message}`);
  assert.ok((error.hint ?? '').length > 0, `no next step for «${error.message}»`);
  assert.doesNotMatch(`${error.message} ${error.hint ?? ''}`, /secret|row \d+ x/u);
  return error;
}

/** Goes on with whatever was left, or begins it where nothing was entered in the ledger, and asserts that it is finished then. */
export async function finishLoad({ options, url }: Place): Promise<void> {
  const known = await readSql(url, `SELECT to_regclass('sluice_loads') IS NOT NULL AS has`);
  const entered = known[0]?.['has'] === true ? await readSql(url, 'SELECT load FROM sluice_loads') : [];
  const report = await within(entered.length > 0 ? resume({ in: options.to }) : load(options), 'the resume');
  assert.ok(report.state === 'done' || report.state === 'nothing_to_do', `the resume ended ${report.state}`);
}

/** The rows of the table as one number, in the order of their keys. */
async function digestTable(url: string): Promise<Record<string, unknown> | undefined> {
  const [found] = await readSql(
    url,
    `SELECT count(*)::int AS rows, md5(string_agg(md5(concat_ws('|', id, body, v)), '' ORDER BY id)) AS digest FROM ${table}`,
  );
  return found;
}

/** The same of the rows that a clean load makes, computed by the server from the rule and not from any load. */
async function digestClean(url: string, keys: number): Promise<Record<string, unknown> | undefined> {
  const [found] = await readSql(
    url,
    `SELECT count(*)::int AS rows, md5(string_agg(md5(concat_ws('|', id, 'row ' || id || ' ' || repeat('x', id % 40), '[' || id || ',0.5,-1]')), '' ORDER BY id)) AS digest
     FROM generate_series(0, $1::int - 1) AS id`,
    [keys],
  );
  return found;
}

/** Asserts all that must hold at the end: each row once, and all is settled. */
export async function assertWhole({ url, options, rows }: Place, about = '', keys: number = rows): Promise<void> {
  assert.deepEqual(await digestTable(url), await digestClean(url, keys), `the table differs from a clean one ${about}`);
  await assertSettled({ url, target: options.to }, about);
}

/** Asserts that counts add up and nothing is left open, behind or connected; `url` is past any proxy. */
export async function assertSettled({ url, target }: { readonly url: string; readonly target: string }, about = ''): Promise<void> {
  const unbalanced = await readSql(
    url,
    `SELECT load FROM sluice_load_status WHERE read_count <> written_count + skipped_count + rejected_count OR state <> 'done'`,
  );
  assert.deepEqual(unbalanced, [], `loads that do not balance ${about}`);
  assert.deepEqual(await readSql(url, `SELECT shard FROM sluice_shards WHERE state <> 'done'`), [], `open shards ${about}`);
  assert.deepEqual(await readSql(url, `SELECT * FROM sluice_deferred_indexes`), [], `indexes still put off ${about}`);
  const leftovers = await readSql(
    url,
    `SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relname ~ '^sluice_' AND relname !~ '^sluice_(loads|shards|rejects|deferred_indexes|meta|vectors|controls|deletions|sessions)$'`,
  );
  assert.deepEqual(leftovers, [], `tables left over ${about}`);
  const verified = await within(verify({ in: target, table }), 'verify');
  assert.equal(verified.isOk, true, `verify ${about}: ${verified.differences.join('; ')}`);
  await assertNoSessions(url, about);
}

/** Asserts that sluice has no session in the database any more. */
export async function assertNoSessions(url: string, about = ''): Promise<void> {
  const deadline = performance.now() + sessionsEndMs;
  for (;;) {
    const sessions = await readSql(
      url,
      `SELECT pid, application_name, state, query FROM pg_stat_activity
       WHERE datname = current_database() AND application_name LIKE 'sluice%' AND backend_type = 'client backend'`,
    );
    if (sessions.length === 0) return;
    assert.ok(performance.now() < deadline, `sessions left behind ${about}: ${JSON.stringify(sessions)}`);
    await sleep(20);
  }
}
