/** What the commit promises on a real server: rows, rejects and mark together or nothing, every row accounted for, whatever the table refuses. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { column, commitInto, openBench, type Bench, type Committed, type PlanRequest, type Rows } from './commit-bench.ts';
import { skipReason } from './server.ts';

const columns = [column('id', 'integer', { isNullable: false }), column('n', 'integer'), column('name', 'text')];
const items = { table: 'items', columns } satisfies PlanRequest;

/** Rows with ids from `from` on; `change` replaces those that the test wants otherwise. */
function makeRows(
  count: number,
  change: (id: number) => readonly [number | null, string | null] | undefined = () => undefined,
  from = 0,
): Rows {
  return Array.from({ length: count }, (_, index) => {
    const id = from + index;
    return [id, ...(change(id) ?? [id % 7, `name ${id}`])];
  });
}

describe('a commit on PostgreSQL', { skip: skipReason }, () => {
  let bench: Bench;

  before(async () => {
    bench = await openBench();
  });
  after(async () => {
    await bench.dispose();
  });

  const commitItems = (ddl: string, request: PlanRequest, rows: Rows): Promise<Committed> => commitInto(bench, ddl, { request, rows });

  const plain = 'CREATE TABLE items (id bigint PRIMARY KEY, n int, name text)';

  for (const way of ['copy', 'insert'] as const) {
    const request = { ...items, settings: { way } };

    test(`rows, counts and position land together, by ${way}`, async () => {
      const result = await commitItems(plain, request, makeRows(1_000));
      assert.deepEqual(result, { written: 1_000, skipped: 0, refused: [], codes: [] });
      assert.deepEqual(await bench.sql('SELECT id::int, n, name FROM items WHERE id = 999'), [{ id: 999, n: 999 % 7, name: 'name 999' }]);
    });

    for (const [what, bad] of [
      ['first', [0]],
      ['last', [499]],
      ['middle', [250]],
      ['two next to each other', [100, 101]],
      ['three in all corners', [0, 250, 499]],
    ] as const) {
      test(`a batch with bad rows (${what}) writes all the others, by ${way}`, async () => {
        const rows = makeRows(500, (id) => ((bad as readonly number[]).includes(id) ? [-1, 'bad'] : undefined));
        const result = await commitItems(`${plain.slice(0, -1)}, CHECK (n >= 0))`, request, rows);
        assert.deepEqual(result, { written: 500 - bad.length, skipped: 0, refused: bad, codes: ['REFUSED_CHECK'] });
      });
    }

    test(`a batch of bad rows alone writes none, by ${way}`, async () => {
      const result = await commitItems(`${plain.slice(0, -1)}, CHECK (n > 100))`, request, makeRows(300));
      assert.equal(result.written, 0);
      assert.equal(result.refused.length, 300);
    });

    test(`bad rows of two kinds are told apart, by ${way}`, async () => {
      const rows = makeRows(400, (id) => (id === 30 ? [-1, 'x'] : id === 60 ? [1, 'a name that is too long'] : undefined));
      const result = await commitItems('CREATE TABLE items (id bigint PRIMARY KEY, n int CHECK (n >= 0), name varchar(12))', request, rows);
      assert.deepEqual(result.refused, [30, 60]);
      assert.equal(result.codes.length, 2);
    });

    test(`1,000 bad rows among 20,000 are found, and no other, by ${way}`, async () => {
      const rows = makeRows(20_000, (id) => (id % 20 === 7 ? [-1, 'bad'] : undefined));
      const result = await commitItems(`${plain.slice(0, -1)}, CHECK (n >= 0))`, request, rows);
      assert.equal(result.written, 19_000);
      assert.ok(result.refused.every((row) => row % 20 === 7));
      assert.equal(result.refused.length, 1_000);
    });

    test(`of equal keys in a batch the first row stays, by ${way}`, async () => {
      const rows = makeRows(600).map(([id, n], index) => [Math.floor(Number(id) / 2), n ?? null, `row ${index}`]);
      const result = await commitItems(plain, request, rows);
      assert.equal(result.written, 300);
      assert.ok(result.refused.every((row) => row % 2 === 1));
      assert.deepEqual(result.codes, ['REFUSED_UNIQUE']);
      assert.deepEqual(await bench.sql('SELECT name FROM items WHERE id = 17'), [{ name: 'row 34' }]);
    });

    test(`a key that the table has is refused and the old row stays, by ${way}`, async () => {
      const result = await commitItems(`${plain}; INSERT INTO items VALUES (5, 0, 'old')`, request, makeRows(100));
      assert.deepEqual(result, { written: 99, skipped: 0, refused: [5], codes: ['REFUSED_UNIQUE'] });
      assert.deepEqual(await bench.sql('SELECT name FROM items WHERE id = 5'), [{ name: 'old' }]);
    });

    test(`rows without a parent are refused, by ${way}`, async () => {
      const ddl =
        'CREATE TABLE parents (id int PRIMARY KEY); INSERT INTO parents SELECT generate_series(0, 5); CREATE TABLE items (id bigint PRIMARY KEY, n int REFERENCES parents, name text)';
      const result = await commitItems(ddl, request, makeRows(700));
      assert.equal(result.written, 600);
      assert.ok(result.refused.every((row) => row % 7 === 6));
      assert.deepEqual(result.codes, ['REFUSED_FOREIGN_KEY']);
    });

    test(`rows that a deferred foreign key would refuse at COMMIT are refused before it, by ${way}`, async () => {
      const ddl =
        'CREATE TABLE parents (id int PRIMARY KEY); INSERT INTO parents SELECT generate_series(0, 5); CREATE TABLE items (id bigint PRIMARY KEY, n int REFERENCES parents DEFERRABLE INITIALLY DEFERRED, name text)';
      const result = await commitItems(ddl, request, makeRows(70));
      assert.equal(result.written, 60);
      assert.ok(result.refused.every((row) => row % 7 === 6));
    });

    test(`a row may point at a later one of its batch where the foreign key is deferred, by ${way}`, async () => {
      const ddl = 'CREATE TABLE items (id bigint PRIMARY KEY, n int REFERENCES items (id) DEFERRABLE INITIALLY DEFERRED, name text)';
      const result = await commitItems(
        ddl.replace('n int', 'n bigint'),
        request,
        makeRows(50, (id) => [id === 20 ? 900 : 49 - id, 'x']),
      );
      // Row 29 points at row 20, which has no parent itself.
      assert.deepEqual(result.refused, [20, 29]);
    });

    test(`rows with which a trigger is not content are refused, by ${way}`, async () => {
      const ddl = `${plain}; CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.n = 3 THEN RAISE EXCEPTION 'no three: %', NEW.name; END IF; RETURN NEW; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION refuse()`;
      const result = await commitItems(ddl.replace('CREATE FUNCTION', 'CREATE OR REPLACE FUNCTION'), request, makeRows(70));
      assert.equal(result.written, 60);
      assert.deepEqual(result.codes, ['REFUSED_TRIGGER']);
    });

    test(`rows that a trigger leaves out in silence count as skipped, by ${way}`, async () => {
      const ddl = `${plain}; CREATE OR REPLACE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.n = 3 THEN RETURN NULL; END IF; RETURN NEW; END $$;
        CREATE TRIGGER leave BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION leave()`;
      const result = await commitItems(ddl, { ...request, settings: { way, tracksKeys: false, countsRows: false } }, makeRows(70));
      assert.deepEqual(result, { written: 60, skipped: 10, refused: [], codes: [] });
    });

    test(`what the server makes itself is left to it, by ${way}`, async () => {
      const ddl = `CREATE TABLE items (id bigint PRIMARY KEY, serial bigint GENERATED ALWAYS AS IDENTITY, n int, twice int GENERATED ALWAYS AS (n * 2) STORED, name text, at timestamptz DEFAULT now())`;
      await commitItems(ddl, request, makeRows(20));
      assert.deepEqual(await bench.sql('SELECT serial::int, twice FROM items WHERE id = 9'), [{ serial: 10, twice: 4 }]);
    });

    test(`any rows that are bad in any way leave exactly the others, by ${way}`, async () => {
      const ddl = 'CREATE TABLE items (id bigint PRIMARY KEY, n int CHECK (n < 5), name varchar(9) UNIQUE)';
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 5 }), fc.stringMatching(/^[a-e]{1,2}$/u)), {
            maxLength: 60,
          }),
          async (rows) => {
            const ids = new Set<number>();
            const names = new Set<string>();
            const good = rows.flatMap(([id, n, name], row) => {
              if (n >= 5 || ids.has(id) || names.has(name)) return [];
              ids.add(id);
              names.add(name);
              return [row];
            });
            const result = await commitItems(ddl, request, rows);
            const refused = new Set(result.refused);
            assert.deepEqual(
              rows.flatMap((_, row) => (refused.has(row) ? [] : [row])),
              good,
            );
          },
        ),
        // Row 3 gives way to rows 1 and 2, which are refused themselves.
        { numRuns: 12, examples: [[['a', 'a', 'd', 'd'].map((name, row) => [row % 2, 0, name])]] },
      );
    });
  }
});
