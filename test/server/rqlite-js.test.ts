/** The npm client rqlite-js, as it is published, does all that it offers against `sluice serve` and notices no difference. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, it } from 'node:test';
import { startServer, type TestServer } from './server.ts';

/** What of the client is used; the package has no types. */
interface DataResult {
  get(field: string): unknown;
  getLastInsertId(): unknown;
  getRowsAffected(): unknown;
  getTime(): unknown;
  toObject(): unknown;
  toString(): string;
  getError(): unknown;
}

interface DataResults {
  hasError(): boolean;
  getFirstError(): Error;
  get(index: number): DataResult;
  toArray(): unknown;
  toString(): string;
  readonly length?: number;
}

interface DataClient {
  execute(sql: unknown, options?: object): Promise<DataResults>;
  query(sql: unknown, options?: object): Promise<DataResults>;
}

interface Rqlite {
  readonly DataApiClient: new (hosts: unknown, options?: object) => DataClient;
  readonly BackupApiClient: new (hosts: unknown) => {
    backup(format?: string): Promise<AsyncIterable<Buffer>>;
    load(data: unknown, format?: string): Promise<AsyncIterable<Buffer>>;
  };
  readonly StatusApiClient: new (hosts: unknown) => {
    status(): Promise<{ readonly status: number; readonly body: Record<string, Record<string, unknown>> }>;
    statusAllHosts(): Promise<readonly { readonly host: string; readonly response: { readonly status: number } }[]>;
  };
}

const { DataApiClient, BackupApiClient, StatusApiClient } = createRequire(import.meta.url)('rqlite-js') as Rqlite;

async function readAll(stream: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces).toString('utf8');
}

describe('rqlite-js against sluice serve', () => {
  let server: TestServer;
  let data: DataClient;
  before(async () => {
    server = await startServer({});
    data = new DataApiClient(server.url);
  });
  after(() => server.close());

  it('makes a table, writes with double-quoted literals, updates, reads and drops', async () => {
    await data.execute('DROP TABLE IF EXISTS foo');
    const made = await data.execute('CREATE TABLE foo (id integer not null primary key, name text)');
    assert.equal(made.hasError(), false);
    const inserted = await data.execute('INSERT INTO foo(name) VALUES("fiona")');
    assert.deepEqual([inserted.get(0).getLastInsertId(), inserted.get(0).getRowsAffected()], [1, 1]);
    const read = await data.query('SELECT name FROM foo WHERE id="1"');
    assert.equal(read.get(0).get('name'), 'fiona');
    const updated = await data.execute('UPDATE foo SET name="justin" WHERE name="fiona"');
    assert.equal(updated.get(0).getRowsAffected(), 1);
    const again = await data.query('SELECT id, name FROM foo', { level: 'strong' });
    assert.deepEqual(again.get(0).toObject(), { id: 1, name: 'justin' });
    const deleted = await data.execute('DELETE FROM foo WHERE name="justin"');
    assert.equal(deleted.get(0).getRowsAffected(), 1);
    const dropped = await data.execute('DROP TABLE foo');
    assert.equal(dropped.hasError(), false);
    // The counters of the connection stay what the last write made them.
    assert.equal(dropped.get(0).getRowsAffected(), 1);
  });

  it('writes and reads in bulk, with parameters, in every level', async () => {
    await data.execute('CREATE TABLE bar (id integer not null primary key, name text, size real)');
    const written = await data.execute([
      ['INSERT INTO bar(name, size) VALUES(?, ?)', 'a', 1.5],
      ['INSERT INTO bar(name, size) VALUES(:name, :size)', { name: 'b', size: 2 }],
      'INSERT INTO bar(name) VALUES("c")',
    ]);
    assert.deepEqual([written.hasError(), written.get(2).getLastInsertId()], [false, 3]);
    for (const level of ['none', 'weak', 'strong', 'linearizable']) {
      const read = await data.query([['SELECT name, size FROM bar WHERE id=?', 2], 'SELECT count(*) AS n FROM bar'], { level });
      assert.deepEqual([read.get(0).toObject(), read.get(1).get('n')], [{ name: 'b', size: 2 }, 3], level);
    }
  });

  it('tells of an error in a bulk and in a transaction, which is undone', async () => {
    await data.execute('CREATE TABLE uniq (id integer primary key)');
    const alone = await data.execute(['INSERT INTO uniq VALUES(1)', 'INSERT INTO uniq VALUES(1)', 'INSERT INTO uniq VALUES(2)']);
    assert.equal(alone.hasError(), true);
    assert.match(alone.getFirstError().message, /UNIQUE constraint failed: uniq\.id/u);
    const together = await data.execute(['INSERT INTO uniq VALUES(3)', 'INSERT INTO uniq VALUES(1)'], { transaction: true });
    assert.equal(together.hasError(), true);
    const read = await data.query('SELECT group_concat(id) AS ids FROM uniq');
    assert.equal(read.get(0).get('ids'), '1,2');
  });

  it('hands over raw answers, with timings where asked for', async () => {
    const raw = (await data.query('SELECT 1 AS one', { raw: true, timings: true })) as unknown as {
      readonly status: number;
      readonly body: { readonly time: number; readonly results: readonly { readonly time: number; readonly values: unknown }[] };
    };
    assert.equal(raw.status, 200);
    assert.deepEqual(raw.body.results[0]?.values, [[1]]);
    assert.equal(typeof raw.body.time, 'number');
    assert.equal(typeof raw.body.results[0]?.time, 'number');
  });

  it('backs up as SQL and as a file, and loads the SQL again', async () => {
    const backup = new BackupApiClient(server.url);
    await data.execute(['CREATE TABLE kept (id integer primary key, name text)', 'INSERT INTO kept(name) VALUES("x")']);
    const dump = await readAll(await backup.backup('sql'));
    assert.match(dump, /^PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n/u);
    assert.match(dump, /INSERT INTO "kept" VALUES\(1,'x'\);/u);
    assert.match(await readAll(await backup.backup()), /^SQLite format 3/u);
    await readAll(await backup.load('INSERT INTO kept(name) VALUES("y");', 'sql'));
    const read = await data.query('SELECT group_concat(name) AS names FROM kept');
    assert.equal(read.get(0).get('names'), 'x,y');
  });

  it('reads the status of one host and of all', async () => {
    const status = new StatusApiClient(server.url);
    const one = await status.status();
    assert.equal(one.status, 200);
    assert.ok(one.body['build']?.['version']);
    assert.equal((await status.statusAllHosts())[0]?.response.status, 200);
  });

  it('goes on to the next host, and finds the way with a name and a password', async () => {
    const guarded = await startServer({ auth: [{ username: 'bob', password: 'secret', perms: ['all'] }] });
    try {
      const hosts = ['http://127.0.0.1:1', guarded.url];
      const client = new DataApiClient(hosts, { authentication: { username: 'bob', password: 'secret' } });
      assert.equal((await client.query('SELECT 1 AS one')).get(0).get('one'), 1);
      const stranger = new DataApiClient(guarded.url, { authentication: { username: 'bob', password: 'wrong' } });
      await assert.rejects(stranger.query('SELECT 1'), /401/u);
    } finally {
      await guarded.close();
    }
  });
});
