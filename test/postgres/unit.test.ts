/** A unit of statements gives one answer for each, in their order, and what an answer says is so: on a server and on PGlite alike. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { places, shorten, type UnitPlace, type Written } from './unit-place.ts';

const makeItems = 'CREATE TABLE items (id int PRIMARY KEY, name text UNIQUE, age int CHECK (age < 100))';

async function listIds(place: UnitPlace): Promise<readonly unknown[]> {
  return (await place.read('SELECT id FROM items ORDER BY id')).map(({ id }) => id);
}

const insert = (id: number, name: string | null = null, age: number | null = null): Written => [
  'INSERT INTO items VALUES (?, ?, ?)',
  [id, name, age],
];

for (const { name, skip, open } of places) {
  describe(`a unit on ${name}`, { skip }, () => {
    it('as a transaction is undone by its first error, and none of its answers says applied', async (context) => {
      const place = await open(context);
      await place.run([makeItems]);
      const answers = await place.run([insert(1), 'SELECT 1', insert(1), insert(2)], { isTransaction: true });
      assert.deepEqual(shorten(answers), ['rolled_back', 'rolled_back', 'UNIQUE', 'not_attempted']);
      assert.deepEqual(await listIds(place), []);
      assert.deepEqual(shorten(await place.run([insert(1), insert(2)], { isTransaction: true })), ['applied', 'applied']);
      assert.deepEqual(await listIds(place), [1, 2]);
    });

    it('goes on after an error where its statements stand alone', async (context) => {
      const place = await open(context);
      const statements: Written[] = [
        makeItems,
        insert(1, 'a'),
        insert(1),
        ['INSERT INTO items VALUES (?, ?)', [2]],
        ['INSERT INTO items (id) VALUES (:id)', { id: 3, other: 4 }],
        ['INSERT INTO items (id, name) VALUES (?, ?)', [4, 'a\0b']],
        insert(5, 'e', 100),
        'INSERT INTO item VALUES (1)',
        'SELECT nothing FROM items',
        'SELEC 1',
        ' -- nothing',
        ['INSERT INTO items (id) VALUES ($1)', ['six']],
        'INSERT INTO items (name) VALUES (1)',
        insert(7, 'g'),
      ];
      assert.deepEqual(
        shorten(await place.run(statements)),
        'applied applied UNIQUE PARAMETERS PARAMETERS VALUE CHECK UNKNOWN_TABLE UNKNOWN_COLUMN SYNTAX SYNTAX VALUE NOT_NULL applied'.split(
          ' ',
        ),
      );
      assert.deepEqual(await listIds(place), [1, 7]);
    });

    it('takes strings and numbers for columns of any type, and gives exact values back', async (context) => {
      const place = await open(context);
      const values = [
        1,
        'x',
        '{"a": 1}',
        '2026-11-21T10:00:00Z',
        '[1,2.5]',
        '00000000-0000-4000-8000-000000000001',
        true,
        new Uint8Array([0, 255]),
      ];
      const answers = await place.run([
        'CREATE TABLE kinds (i int, t text, j jsonb, at timestamptz, v vector(2), u uuid, b bool, y bytea, big int8, n numeric, f float8)',
        ['INSERT INTO kinds VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)', [...values, 9007199254740993n, '1.50', 0.1]],
        ['SELECT i, j, v, u, b, y, big, n, f, 1 AS i FROM kinds WHERE i = @i', { i: 1 }],
        ['SELECT $1 IS NULL AS absent, $2::int AS two', [null, '2']],
      ]);
      assert.deepEqual(answers[2], {
        status: 'applied',
        rowsAffected: 0,
        columns: ['i', 'j', 'v', 'u', 'b', 'y', 'big', 'n', 'f', 'i:1'],
        rows: [
          {
            i: 1,
            j: '{"a": 1}',
            v: '[1,2.5]',
            u: '00000000-0000-4000-8000-000000000001',
            b: true,
            y: new Uint8Array([0, 255]),
            big: 9007199254740993n,
            n: '1.50',
            f: 0.1,
            'i:1': 1,
          },
        ],
      });
      assert.deepEqual(answers[3], { status: 'applied', rowsAffected: 0, columns: ['absent', 'two'], rows: [{ absent: true, two: 2 }] });
    });

    it('tells a condition that did not hold, with the row in the way as it stood then', async (context) => {
      const place = await open(context);
      const statements: Written[] = [
        makeItems,
        insert(1, 'a', 10),
        ['INSERT INTO items VALUES (?, ?) ON CONFLICT DO NOTHING', ['1', 'b']],
        insert(2, 'a'),
        ['UPDATE items SET age = 11 WHERE id = ? AND age = ?', [1, 99]],
        ['UPDATE items SET age = 12 WHERE id = ? AND age = ?', [1, 10]],
        ['DELETE FROM items WHERE id = :id AND age = :age', { id: 1, age: 10 }],
        ['DELETE FROM items WHERE id = ?', [3]],
        insert(3, 'c'),
      ];
      const first = { id: 1, name: 'a', age: 10 };
      const miss = (row: object): object => ({ status: 'not_applied', row });
      const answers = await place.run(statements, { onConflict: 'not_applied', statusRows: true });
      assert.deepEqual(answers.slice(2, 5), [miss(first), miss(first), miss(first)]);
      assert.deepEqual(answers.slice(6, 8), [miss({ ...first, age: 12 }), { status: 'not_applied' }]);
      assert.deepEqual(shorten(answers.slice(5, 9)), ['applied', 'not_applied', 'not_applied', 'applied']);
      const inTransaction = await place.run([insert(4), insert(1), insert(5)], { isTransaction: true, onConflict: 'not_applied' });
      assert.deepEqual(
        inTransaction.map(({ status }) => status),
        ['applied', 'not_applied', 'applied'],
      );
      assert.deepEqual(await listIds(place), [1, 3, 4, 5]);
    });

    it('gives no more rows than are allowed, and undoes the statement that has more', async (context) => {
      const place = await open(context);
      const statements = [
        makeItems,
        'SELECT generate_series(1, 3)',
        'SELECT generate_series(1, 4)',
        'INSERT INTO items SELECT generate_series(1, 4) RETURNING id',
      ];
      assert.deepEqual(
        shorten(await place.run([...statements, insert(9)], { maxRows: 3 })),
        'applied applied BATCH_TOO_MANY_ROWS BATCH_TOO_MANY_ROWS applied'.split(' '),
      );
      assert.deepEqual(await listIds(place), [9]);
    });

    it('refuses what would leave its transaction, its session, the database or the ledger behind', async (context) => {
      const place = await open(context);
      await place.link.script(`${makeItems}; CREATE TABLE sluice_loads (id int)`);
      const refused = [
        'BEGIN',
        'commit',
        '/* x */ ROLLBACK',
        'END',
        'SAVEPOINT a',
        "PREPARE TRANSACTION 'x'",
        'PREPARE p AS SELECT 1',
        'LISTEN a',
        'COPY items FROM STDIN',
        'COPY items TO STDOUT',
        "COPY items TO PROGRAM 'cat'",
        "COPY items FROM '/etc/passwd'",
        'SET work_mem = 1',
        "SELECT pg_read_file('x')",
        `SELECT "pg_ls_dir"('.')`,
        "SELECT lo_import('x')",
        'ALTER SYSTEM SET work_mem = 1',
        "LOAD 'x'",
        'SELECT 1; SELECT 2',
        'DELETE FROM sluice_loads',
        'TRUNCATE items, public.SLUICE_LOADS',
        'DROP TABLE "sluice_loads"',
        'WITH x AS (DELETE FROM sluice_loads RETURNING 1) SELECT * FROM x',
        'VACUUM',
        'CREATE INDEX CONCURRENTLY ON items (age)',
        'SET LOCAL x.y = 1',
      ];
      const answers = await place.run([
        ...refused,
        'SELECT count(*) FROM sluice_loads',
        'INSERT INTO items SELECT id FROM sluice_loads',
        'SELECT 1;',
      ]);
      assert.deepEqual(shorten(answers), [...refused.map(() => 'REFUSED'), 'applied', 'applied', 'applied']);
      assert.deepEqual(shorten(await place.run(['VACUUM items'])), ['applied']);
    });

    it('tells which statement left a deferred constraint unmet', async (context) => {
      const place = await open(context);
      const child = (id: number, parent: number): Written => ['INSERT INTO child VALUES (?, ?)', [id, parent]];
      await place.run([makeItems, 'CREATE TABLE child (id int, item int REFERENCES items DEFERRABLE INITIALLY DEFERRED)']);
      const good = await place.run([child(1, 1), insert(1)], { isTransaction: true });
      assert.deepEqual(shorten(good), ['applied', 'applied']);
      const bad = await place.run([child(2, 2), insert(2), child(3, 7), insert(3)], { isTransaction: true });
      assert.deepEqual(shorten(bad), ['rolled_back', 'rolled_back', 'FOREIGN_KEY', 'rolled_back']);
      const alone = await place.run([child(2, 2), insert(2), child(3, 2), child(4, 9)]);
      assert.deepEqual(shorten(alone), ['FOREIGN_KEY', 'applied', 'applied', 'FOREIGN_KEY']);
    });

    it('commits its record with it, after a rollback alone, and nothing at all where the record misses what it must change', async (context) => {
      const place = await open(context);
      await place.run([makeItems, 'CREATE TABLE notes (what text)']);
      const note = (
        answers: readonly { readonly status: string }[],
        mustChange?: number,
      ): readonly { sql: string; parameters: string[]; mustChange?: number }[] => [
        {
          sql: 'INSERT INTO notes VALUES (?)',
          parameters: [answers.map(({ status }) => status).join(' ')],
          ...(mustChange !== undefined && { mustChange }),
        },
      ];
      await place.run([insert(1), insert(1)], { record: (answers) => note(answers) });
      await place.run([insert(2), insert(1)], { isTransaction: true, record: (answers) => note(answers, 1) });
      await assert.rejects(place.run([insert(3)], { record: (answers) => note(answers, 2) }), { code: 'SLUICE_FENCED' });
      await assert.rejects(place.run([insert(1)], { isTransaction: true, record: (answers) => note(answers, 2) }), {
        code: 'SLUICE_FENCED',
      });
      await place.run(['COMMIT'], { record: (answers) => note(answers) });
      assert.deepEqual(
        (await place.read('SELECT what FROM notes')).map(({ what }) => what),
        ['applied error', 'rolled_back error', 'error'],
      );
      assert.deepEqual(await listIds(place), [1]);
    });

    it('holds no value of a row in the message of an error', async (context) => {
      const place = await open(context);
      await place.run([makeItems, insert(1, 'secret')]);
      const answers = await place.run([
        insert(2, 'secret'),
        ['INSERT INTO items VALUES ($1)', ['secret']],
        insert(3, 'secret', 777),
        ['SELECT ($1::text)::int', ['secret']],
      ]);
      for (const answer of answers) {
        assert.ok(answer.status === 'error');
        assert.doesNotMatch(answer.error.message, /secret|777/u);
      }
    });

    it('of 10,000 statements gives as many answers', async (context) => {
      const place = await open(context);
      await place.run([makeItems]);
      const answers = await place.run(Array.from({ length: 10_000 }, (_, id) => insert(id)));
      assert.deepEqual(answers, Array(10_000).fill({ status: 'applied', rowsAffected: 1 }));
      assert.deepEqual(await place.read('SELECT count(*) AS n FROM items'), [{ n: 10_000 }]);
    });

    it('of 1,000 statements with 300 errors applies the other 700', async (context) => {
      const place = await open(context);
      await place.run([makeItems, insert(100_000)]);
      const isBad = (at: number): boolean => (at * 7919) % 1000 < 300;
      const statements = Array.from({ length: 1000 }, (_, at) => insert(isBad(at) ? 100_000 : at));
      const answers = await place.run(statements);
      assert.deepEqual(
        shorten(answers),
        statements.map((_, at) => (isBad(at) ? 'UNIQUE' : 'applied')),
      );
      assert.deepEqual(await place.read('SELECT count(*) AS n FROM items'), [{ n: 701 }]);
    });
  });
}
