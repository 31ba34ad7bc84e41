/** Indexes in a plan: which are dropped and made again, which stay, and what a build is forecast to take. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TablePlan, TableRequest } from '../../src/target/driver.ts';
import { adviseFor } from '../../src/target/postgres/plan/advice.ts';
import { readServerState, type ServerState } from '../../src/target/postgres/catalog/server.ts';
import { planPostgresTable } from '../../src/target/postgres/plan/plan.ts';
import { column, openPlanningDatabase, smallRows, tell, urlAs, type PlanningDatabase } from './planning.ts';
import { serverUrl, skipReason, withClient } from './server.ts';
import { openLink } from '../../src/target/postgres/connect/connect.ts';

const vectorRows: Partial<TableRequest> = { columns: [column('id', 'integer'), column('v', 'vector', 8)], expectedBytes: 9_000_000 };

describe('indexes in plans for PostgreSQL', { skip: serverUrl === undefined ? skipReason : false }, () => {
  let database: PlanningDatabase;
  let state: ServerState;
  const role = `sluice_indexer_${String(process.pid)}`;
  before(async () => {
    database = await openPlanningDatabase();
    state = await readServerState(database.link);
    await database.run(`CREATE ROLE ${role} LOGIN`);
  });
  after(async () => {
    await database.run(`DROP OWNED BY ${role}`, `DROP ROLE ${role}`);
    await database.dispose();
  });

  const plan = (change: Partial<TableRequest>): Promise<TablePlan> => database.plan(change);
  const listDeferred = async (change: Partial<TableRequest>): Promise<readonly string[]> =>
    (await plan(change)).deferredIndexes.map(({ name }) => name).toSorted();

  it('the same index stays or goes by how many rows come, and both estimates are said', async () => {
    await database.run(
      `CREATE TABLE grown (id bigint PRIMARY KEY, name text, v vector(8))`,
      `INSERT INTO grown SELECT i, i, ('[' || i || ',1,1,1,1,1,1,1]')::vector FROM generate_series(1, 2000) i`,
      `CREATE INDEX grown_name ON grown (name)`,
      `CREATE INDEX grown_hnsw ON grown USING hnsw (v vector_l2_ops)`,
      `ANALYZE grown`,
    );
    const table = { ...vectorRows, table: 'grown' };
    assert.deepEqual(await listDeferred({ ...table, expectedRows: 2000 }), ['grown_hnsw'], 'a B-tree is not worth it for 2,000');
    assert.deepEqual(await listDeferred({ ...table, expectedRows: 60_000 }), ['grown_hnsw', 'grown_name']);
    assert.deepEqual(await listDeferred({ ...table, expectedRows: 100 }), []);
    assert.deepEqual(await listDeferred({ ...table, expectedRows: undefined }), []);
    assert.match(
      tell(await plan({ ...table, expectedRows: 2000 }), 'index'),
      /grown_hnsw \(hnsw\) dropped for the load, made again: 2,000 rows onto 2,000: about [\d.]+ s through it, [\d.]+ s to build it/u,
    );
    assert.match(tell(await plan({ ...table, expectedRows: undefined }), 'index'), /how many rows come is not known/u);
  });

  it('keep and rebuild are obeyed', async () => {
    const table = { ...vectorRows, table: 'grown' };
    assert.deepEqual(await listDeferred({ ...table, expectedRows: 60_000, options: { indexes: 'keep' } }), []);
    assert.deepEqual(await listDeferred({ ...table, expectedRows: 1, expectedBytes: 50, options: { indexes: 'rebuild' } }), [
      'grown_hnsw',
      'grown_name',
    ]);
  });

  it('what is dropped comes back as it was', async () => {
    const { deferredIndexes } = await plan({ ...vectorRows, table: 'grown', expectedRows: 60_000 });
    const listIndexes = async (): Promise<unknown> =>
      (await database.link.query(`SELECT indexdef FROM pg_indexes WHERE tablename = 'grown' ORDER BY 1`)).rows;
    const former = await listIndexes();
    await database.run(...deferredIndexes.map(({ drop }) => drop ?? ''));
    assert.notDeepEqual(await listIndexes(), former);
    await database.run(...deferredIndexes.map(({ ddl }) => ddl));
    assert.deepEqual(await listIndexes(), former);
  });

  it('what could not come back, or holds something, stays whatever is asked', async () => {
    await database.run(
      `CREATE TABLE held (id bigint PRIMARY KEY, code int NOT NULL, a int, b int, c int, d text, j jsonb, r int4range)`,
      `CREATE UNIQUE INDEX held_unique ON held (code)`,
      `CREATE INDEX held_partial ON held (a) WHERE a > 0`,
      `CREATE INDEX held_expression ON held ((1 / a))`,
      `CREATE INDEX held_noted ON held (b)`,
      `COMMENT ON INDEX held_noted IS 'why'`,
      `CREATE INDEX held_clustered ON held (c)`,
      `ALTER TABLE held CLUSTER ON held_clustered`,
      `CREATE INDEX held_range ON held USING gist (r)`,
      `CREATE INDEX held_gin ON held USING gin (j)`,
      `CREATE INDEX held_text ON held (d)`,
    );
    const columns = ['id', 'code', 'a', 'b', 'c'].map((name) => column(name, 'integer'));
    const request = { table: 'held', columns, options: { indexes: 'rebuild' }, isRereadable: false } as const;
    assert.deepEqual(await listDeferred(request), ['held_gin', 'held_text']);
    assert.deepEqual(
      await listDeferred({ ...request, expectedRows: 1000, expectedBytes: 5_000_000 }),
      ['held_gin'],
      'a long text would not fit',
    );
    const told = tell(await plan(request), 'index');
    for (const reason of [
      /held_expression .* may refuse a row/u,
      /held_noted .* comment/u,
      /held_clustered .* CLUSTER/u,
      /held_range .* not measured/u,
    ])
      assert.match(told, reason);
    assert.doesNotMatch(told, /held_unique/u);
  });

  it('only the owner drops, and partitions keep theirs', async () => {
    await database.run(
      `CREATE TABLE routed (id bigint, name text) PARTITION BY RANGE (id)`,
      `CREATE TABLE routed_low PARTITION OF routed FOR VALUES FROM (0) TO (100)`,
      `CREATE INDEX routed_name ON routed (name)`,
    );
    assert.deepEqual(await listDeferred({ table: 'routed', options: { indexes: 'rebuild' } }), []);
    assert.deepEqual(await listDeferred({ table: 'routed_low', options: { indexes: 'rebuild' } }), []);
    await database.run(`GRANT ALL ON grown TO ${role}`);
    const link = await openLink(urlAs(database.url, role), {});
    try {
      const told = await planPostgresTable(link, { ...smallRows, ...vectorRows, table: 'grown' });
      assert.deepEqual(told.deferredIndexes, []);
      assert.match(tell(told, 'index'), /only the owner/u);
    } finally {
      await link.close();
    }
  });

  it('an index of a table that others use is made again without keeping writers out', async () => {
    const request = { ...vectorRows, table: 'grown', expectedRows: 60_000 };
    await withClient(database.url, async (client) => {
      await client.query('BEGIN');
      await client.query('SELECT FROM grown LIMIT 1');
      const busy = await plan(request);
      assert.ok(busy.deferredIndexes.every(({ ddl }) => ddl.startsWith('CREATE INDEX CONCURRENTLY ')));
      assert.match(tell(busy, 'index'), /in use/u);
      await client.query('ROLLBACK');
    });
    await database.run(`SELECT pg_stat_reset()`);
    assert.ok((await plan(request)).deferredIndexes.every(({ ddl }) => !ddl.includes('CONCURRENTLY')));
  });

  it('--atomic beside rows keeps the indexes that readers use', async () => {
    const told = await plan({ ...vectorRows, table: 'grown', options: { isAtomic: true } });
    assert.equal(told.settings['publish'], 'move');
    assert.deepEqual(told.deferredIndexes, []);
  });

  it('a build that fits is left alone, one that would spill gets its memory, one beyond the server is warned of', async () => {
    const index = { column: 'v', metric: 'cosine' } as const;
    const build = (rows: number, dimensions: number): Promise<TablePlan> =>
      plan({ table: 'indexed', columns: [column('id', 'integer'), column('v', 'vector', dimensions)], expectedRows: rows, index });
    const perRow = 4 * 384 + 700;
    const fits = Math.floor((state.maintenanceWorkMemKb * 1024) / perRow / 1.2);
    const small = await build(fits, 384);
    assert.equal(small.settings['buildMemoryKb'], undefined);
    assert.match(tell(small, 'index build'), /it fits/u);
    if (state.sharedBuffersKb > 1.5 * state.maintenanceWorkMemKb) {
      const raised = await build(Math.ceil((state.maintenanceWorkMemKb * 1024) / perRow), 384);
      assert.ok(Number(raised.settings['buildMemoryKb']) > state.maintenanceWorkMemKb);
      assert.match(tell(raised, 'index build'), /raised to/u);
    }
    const beyond = Math.ceil((Math.max(state.sharedBuffersKb, state.maintenanceWorkMemKb) * 1024) / perRow);
    const spills = await build(beyond, 384);
    assert.equal(spills.settings['buildMemoryKb'], undefined);
    assert.match(tell(spills, 'index build'), /it spills, 4\.8 × slower: SET maintenance_work_mem/u);
    assert.equal(typeof small.settings['buildWorkers'], 'number', 'the server is on this machine, so its cores are known');
    assert.equal(tell(await plan({ table: 'indexed' }), 'index build'), '');
  });

  it('lengths that no index takes are refused, and 2,001 to 4,000 are indexed as halfvec', async () => {
    const build = (dimensions: number): Promise<TablePlan> =>
      plan({ table: 'long', columns: [column('id', 'integer'), column('v', 'vector', dimensions)], index: { column: 'v', metric: 'l2' } });
    assert.deepEqual((await build(4000)).problems, []);
    assert.match(tell(await build(4000), 'index build'), /as halfvec/u);
    assert.doesNotMatch(tell(await build(2000), 'index build'), /as halfvec/u);
    assert.match((await build(4001)).problems.join(), /at most 4,000/u);
    assert.match((await build(16_001)).problems.join(), /stores at most 16,000/u);
  });

  it('pgvector is made where the role may, else asked for', async () => {
    const name = `sluice_bare_${String(process.pid)}`;
    await database.run(`CREATE DATABASE ${name}`);
    const url = new URL(database.url);
    url.pathname = `/${name}`;
    const planIn = async (at: string): Promise<TablePlan> => {
      const link = await openLink(at, {});
      try {
        return await planPostgresTable(link, { ...smallRows, ...vectorRows });
      } finally {
        await link.close();
      }
    };
    try {
      const owner = await planIn(url.href);
      assert.equal(owner.ddl[0], 'CREATE EXTENSION IF NOT EXISTS vector');
      assert.deepEqual(owner.problems, []);
      assert.match(
        (await planIn(urlAs(url.href, role))).problems.join('\n'),
        /Ask an administrator to run there: CREATE EXTENSION vector/u,
      );
    } finally {
      await database.run(`DROP DATABASE ${name} WITH (FORCE)`);
    }
  });

  it('lanes are bounded by cores and by the connections that are left', () => {
    const advise = (change: Partial<ServerState>, place = 'db.example.org:5432/x'): number =>
      adviseFor({ place, server: database.link.server }, { ...state, isSuperuser: false, ...change }).lanes;
    const plenty = {
      maxConnections: 500,
      usedConnections: 3,
      reservedConnections: 3,
      roleLimit: -1,
      databaseLimit: -1,
      parallelWorkers: 8,
      workerProcesses: 8,
    };
    assert.ok(advise(plenty) >= 1 && advise(plenty) <= 8);
    assert.equal(advise({ ...plenty, usedConnections: 492 }), Math.min(2, advise(plenty)));
    assert.equal(advise({ ...plenty, usedConnections: 500 }), 1, 'never none');
    assert.equal(advise({ ...plenty, roleLimit: 4, roleUsed: 1 }), 1);
    assert.equal(advise({ ...plenty, databaseLimit: 4, databaseUsed: 1 }), 1);
    assert.match(
      adviseFor({ place: 'db:5432/x', server: database.link.server }, { ...state, ...plenty, roleLimit: 4, roleUsed: 1 }).why,
      /limit of role/u,
    );
    assert.match(
      adviseFor({ place: '127.0.0.1:5432/x', server: database.link.server }, { ...state, ...plenty }).why,
      /core of this machine/u,
    );
  });
});
