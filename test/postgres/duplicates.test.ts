/** Keys that were put off: doubled ones are found, the first row of each stays, and the ledger accounts for the others. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { cancel } from '../../src/load/control/control.ts';
import { status } from '../../src/load/control/status.ts';
import { load } from '../../src/load/load.ts';
import { plan } from '../../src/load/plan/plan.ts';
import type { LoadOptions, LoadReport } from '../../src/load/options.ts';
import { resume } from '../../src/load/resume.ts';
import { connect } from '../../src/target/registry.ts';
import { verify } from '../../src/verify/verify.ts';
import { createDatabase, runSql, serverUrl, skipReason } from './server.ts';

const rowCount = 60_000;
/** Row by ordinal: the key that it repeats. Far apart, so that they lie in different shards and batches. */
const repeated: ReadonlyMap<number, number> = new Map([
  [100, 7],
  [31_000, 7],
  [59_999, 12_345],
]);

function writeLines(): string {
  const lines = Array.from({ length: rowCount }, (_, row) => `${String(repeated.get(row) ?? row)},name ${String(row)},${String(row % 90)}`);
  return `id,name,age\n${lines.join('\n')}\n`;
}

describe('keys that were put off', { skip: serverUrl === undefined ? skipReason : false }, () => {
  let folder: string;
  let file: string;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'sluice-duplicates-'));
    file = path.join(folder, 'people.csv');
    await writeFile(file, writeLines());
  });
  after(() => rm(folder, { recursive: true }));

  async function withLoad(more: Partial<LoadOptions>, check: (url: string, report: LoadReport) => Promise<void>): Promise<void> {
    const database = await createDatabase();
    try {
      const options: LoadOptions = { from: file, to: database.url, table: 'people', key: ['id'], shardBytes: 100_000, lanes: 2 };
      await check(database.url, await load({ ...options, target: { indexes: 'rebuild' }, ...more }));
    } finally {
      await database.dispose();
    }
  }

  async function readAll(url: string, sql: string): Promise<readonly (readonly unknown[])[]> {
    const connection = await connect(url);
    try {
      return (await connection.query({ sql, parameters: [] })).map((row) => Object.values(row));
    } finally {
      await connection.close();
    }
  }

  it('the first row of each key stays, the others are rejects with their own places', async () => {
    await withLoad({}, async (url, report) => {
      assert.equal(report.state, 'done');
      assert.deepEqual(report.counts, { read: rowCount, written: rowCount - 3, skipped: 0, rejected: 3 });
      assert.equal(report.verification?.isOk, true);
      assert.ok(report.decisions.some(({ what, choice }) => /key|index/u.test(what) && /end|afterwards|later|made/u.test(choice)));
      assert.deepEqual(await readAll(url, 'SELECT id, name FROM people WHERE id IN (7, 12345) ORDER BY id'), [
        [7, 'name 7'],
        [12_345, 'name 12345'],
      ]);
      const rejects = await readAll(url, 'SELECT code, row_number, raw FROM sluice_reject_places ORDER BY row_number');
      assert.deepEqual(
        rejects,
        [...repeated].map(([row, key]) => ['REFUSED_UNIQUE', row + 1, `${String(key)},name ${String(row)},${String(row % 90)}`]),
      );
      const keys = await readAll(url, `SELECT count(*) FROM pg_constraint WHERE conrelid = 'people'::regclass AND contype = 'p'`);
      assert.deepEqual(keys, [[1]]);
      assert.equal((await verify({ in: url, table: 'people' })).isOk, true);
    });
  });

  it('more of them than the reject limit end the load there, and a resume with a higher limit finishes it', async () => {
    await withLoad({ maxRejects: 2 }, async (url, report) => {
      assert.equal(report.state, 'reject_limit');
      assert.equal(report.isBalanced, true);
      assert.equal(report.counts.rejected, 3);
      const finished = await resume({ in: url, maxRejects: 3 });
      assert.equal(finished.state, 'done');
      assert.equal((await verify({ in: url, table: 'people' })).isOk, true);
    });
  });

  it('rows that something else wrote meanwhile under the same keys are never deleted: the load says so, and goes on when they are gone', async () => {
    await withLoad({ limit: 2_000 }, async (url, report) => {
      assert.equal(report.state, 'limit');
      await runSql(url, `INSERT INTO people (id, name) VALUES (5, 'theirs'), (59000, 'theirs')`);
      await assert.rejects(resume({ in: url }), { code: 'SLUICE_KEYS_DOUBLED', message: /wrote 2 rows/u });
      assert.deepEqual(await readAll(url, `SELECT id FROM people WHERE name = 'theirs' ORDER BY id`), [[5], [59_000]]);
      assert.deepEqual(await readAll(url, 'SELECT count(*) FROM people'), [[rowCount + 2]]);
      await runSql(url, `DELETE FROM people WHERE name = 'theirs'`);
      assert.equal((await resume({ in: url })).state, 'done');
      assert.deepEqual(await readAll(url, 'SELECT count(*) FROM people'), [[rowCount - 3]]);
    });
  });

  it('a table that waits for the key of an unfinished load is refused by the plan of another one, with what to do', async () => {
    await withLoad({ limit: 2_000 }, async (url, { load: first }) => {
      const other: LoadOptions = { from: [{ id: 5, name: 'theirs', age: 1 }], to: url, table: 'people' };
      for (const mode of ['insert', 'upsert'] as const) {
        const { problems } = await plan({ ...other, mode, key: ['id'] });
        const problem = problems.find((each) => each.includes(first)) ?? assert.fail(problems.join(' '));
        assert.match(problem, /key \(id\).*sluice resume .*sluice cancel /u);
      }
      await assert.rejects(load(other), { code: 'SLUICE_PLAN_REFUSED' });
      assert.deepEqual((await plan({ ...other, mode: 'replace' })).problems, []);
      // The load itself goes on.
      assert.deepEqual((await plan({ from: file, to: url, table: 'people', key: ['id'], shardBytes: 100_000, lanes: 2 })).problems, []);
      await cancel({ in: url, load: first });
      const given = await plan(other);
      assert.deepEqual(given.problems, []);
      assert.ok(given.warnings.some((each) => each.includes(first)));
      assert.equal((await resume({ in: url, load: first })).state, 'done');
      const settled = await plan(other);
      assert.deepEqual([settled.problems, settled.warnings], [[], []]);
    });
  });

  it('a stop while doubled keys are settled is a stop and no failure, and a resume finishes', async () => {
    const database = await createDatabase();
    try {
      await runSql(
        database.url,
        'CREATE TABLE people (id bigint PRIMARY KEY, name text, age bigint)',
        'CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$',
        'CREATE TRIGGER slow BEFORE DELETE ON people FOR EACH STATEMENT EXECUTE FUNCTION dawdle()',
      );
      const stop = new AbortController();
      const running = load({
        from: file,
        to: database.url,
        table: 'people',
        key: ['id'],
        target: { indexes: 'rebuild' },
        signal: stop.signal,
      });
      const deleting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`;
      for (let look = 0; look < 600 && (await readAll(database.url, deleting)).length === 0; look++) await sleep(50);
      stop.abort();
      assert.equal((await running).state, 'cancelled');
      assert.equal((await status({ in: database.url }))[0]?.state, 'cancelled');
      await runSql(database.url, 'DROP TRIGGER slow ON people');
      const report = await resume({ in: database.url });
      assert.deepEqual([report.state, report.verification?.isOk], ['done', true]);
      assert.deepEqual(await readAll(database.url, 'SELECT count(*) FROM people'), [[rowCount - 3]]);
    } finally {
      await database.dispose();
    }
  });

  for (const isAtomic of [false, true]) {
    it(`no copy of a row refused at the end is kept where none may be, ${isAtomic ? 'moved' : 'put off'}`, async () => {
      const database = await createDatabase();
      try {
        if (isAtomic)
          await runSql(database.url, 'CREATE TABLE people (id bigint PRIMARY KEY, name text, age bigint)', 'INSERT INTO people VALUES (7)');
        const target = isAtomic ? { isAtomic } : ({ indexes: 'rebuild' } as const);
        const report = await load({ from: file, to: database.url, table: 'people', key: ['id'], rejectsWithoutRows: true, target });
        assert.equal(report.counts.rejected, isAtomic ? 4 : 3);
        assert.deepEqual(await readAll(database.url, 'SELECT count(raw) FROM sluice_rejects'), [[0]]);
      } finally {
        await database.dispose();
      }
    });
  }

  it('an atomic load above the reject limit shows nothing', async () => {
    await withLoad({ maxRejects: 2, target: { indexes: 'rebuild', isAtomic: true } }, async (url, report) => {
      assert.equal(report.state, 'reject_limit');
      assert.deepEqual(await readAll(url, `SELECT to_regclass('people')::text`), [[null]]);
      assert.equal((await resume({ in: url, maxRejects: 3 })).state, 'done');
      assert.deepEqual(await readAll(url, 'SELECT count(*) FROM people'), [[rowCount - 3]]);
    });
  });
});
