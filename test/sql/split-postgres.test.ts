/** Splitting PostgreSQL's text, judged by a server: the extended protocol takes one statement and no more, the simple one a whole script. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { Client, type QueryConfig } from 'pg';
import { splitStatements } from '../../src/sql/split.ts';
import { createDatabase, skipReason, type TestDatabase } from '../postgres/server.ts';
import { chooseSeed } from '../rows/records.ts';

const statements = fc.oneof(
  fc
    .array(
      fc.constantFrom(
        "'a;b'",
        "'it''s;'",
        "'\\'",
        "E'it\\'s;'",
        "E'\\\\'",
        "e'a;'\n ';\\';'",
        "E'a' -- ;'\n '\\';'",
        "B'01'",
        "x'3b'",
        "N'a;'",
        "U&'\\003b;'",

        '$$a;$b$$',
        "$t$ ' ; $$ $u$ $t$",
        '$é1$;$é1$',
        '1e5',
        '0x1f',
        '1_000',
        '.5',
        '3.',
        "'1'::int",
        'CAST(1 AS int)',
        '2 - -1',
        '2 + + 1',
        '5-3',
        '@ -5',

        'CASE 1 WHEN 1 THEN 2 END',
        "'{\"a\":1}'::jsonb ? 'a;'",
        "'{\"a\":1}'::jsonb ?| ARRAY['b;']",
        '1 /* ; /* nested; */ ; */',
        '1 -- ;\n',
        '1 -- ;\r',
        '2 */* ; */ 3',
        '2+-- ;\n3',
        '1 AS "a;b"',
        '1 AS "a"";b"',
        '1 AS U&"a;b"',
        '1 AS end',
        '1 AS a$b$c',
        '1 AS é$$',
      ),
      { minLength: 1, maxLength: 4 },
    )
    .map((list) => `SELECT ${list.join(', ')}`),
  fc.constantFrom(
    "DO $$ BEGIN PERFORM 1; PERFORM ';'; END $$",
    "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1; SELECT 2;'",
    'CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS $f$ SELECT $$;$$; SELECT 1; $f$',
    'CREATE OR REPLACE FUNCTION g() RETURNS int BEGIN ATOMIC SELECT CASE 1 WHEN 2 THEN 3 END; SELECT 1 AS end; SELECT 1 end; SELECT (SELECT 2 end); END',
    'create or replace procedure p(begin int) begin atomic insert into t values (1); end',
    'CREATE OR REPLACE FUNCTION begin() RETURNS int LANGUAGE sql RETURN 1',
    'CREATE OR REPLACE PROCEDURE h() BEGIN ATOMIC END',
    'CREATE OR REPLACE RULE r AS ON INSERT TO ruled WHERE false DO ALSO (SELECT 1; SELECT (2); SELECT 3)',
    'CREATE OR REPLACE RULE r AS ON INSERT TO ruled DO ALSO NOTHING',
    'MERGE INTO t USING (SELECT 1 AS a) s ON t.a = s.a WHEN NOT MATCHED THEN DO NOTHING',
    'WITH x AS (INSERT INTO t VALUES (1) RETURNING a) SELECT * FROM x',
    'INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING',
    'SELECT (ARRAY[1,2])[1:2]',
  ),
);
// A vertical tab is blank to the server from version 17 on only.
const trivia = fc.constantFrom('', ' ', '\n', ' /* x; /* y */ */ ', ' -- y;\n', '\f', ' -- z;\r');

describe('Splitting for PostgreSQL', { skip: skipReason }, () => {
  let database: TestDatabase;
  let client: Client;
  before(async () => {
    database = await createDatabase();
    client = new Client({ connectionString: database.url });
    await client.connect();
    await client.query('CREATE TABLE t (a int); CREATE TABLE ruled (a int)');
  });
  after(async () => {
    await client.end();
    await database.dispose();
  });

  /** Commands and rows of a script; with `isOne` the server refuses a text that holds more than one statement. */
  async function run(text: string, isOne: boolean): Promise<readonly unknown[]> {
    const config: QueryConfig & { readonly queryMode?: 'extended' } = isOne ? { text, queryMode: 'extended' } : { text };
    const found: unknown = await client.query(config);
    return (Array.isArray(found) ? found : [found]).map(({ command, rows }: { readonly command: string; readonly rows: unknown }) => [
      command,
      rows,
    ]);
  }

  test('scripts of statements of all kinds give by their parts what they give whole', async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(statements, trivia, trivia), { minLength: 1, maxLength: 5 }), async (list) => {
        const text = list.map(([sql, lead, tail]) => `${lead}${sql}${tail};`).join('');
        const parts = splitStatements(text, 'postgres');
        assert.equal(parts.length, list.length, text);
        const whole = await run(text, false);
        const single: unknown[] = [];
        for (const { sql } of parts) single.push(...(await run(sql, true)));
        assert.deepEqual(single, whole, text);
      }),
      { numRuns: 250, seed: chooseSeed(t) },
    );
  });

  test('a dollar sign inside a name begins no string, and one behind a number does', () => {
    const read = (text: string): readonly string[] => splitStatements(text, 'postgres').map(({ sql }) => sql);
    assert.deepEqual(read('SELECT a$$;$$b'), ['SELECT a$$', '$$b']);
    assert.deepEqual(read('SELECT 1$$;$$ AS b;x'), ['SELECT 1$$;$$ AS b', 'x']);
    assert.deepEqual(read('SELECT $1$$;$$;x'), ['SELECT $1$$;$$', 'x']);
  });

  test('what is not closed takes the rest, and the server says what is wrong', async () => {
    for (const open of ["SELECT 'a;", 'SELECT "a;', 'SELECT $t$;$$;', 'SELECT /* ; /* */ ;', "SELECT E'\\';"]) {
      const parts = splitStatements(`SELECT 0; ${open}`, 'postgres');
      assert.deepEqual(
        parts.map(({ sql }) => sql),
        ['SELECT 0', ` ${open}`],
      );
      await assert.rejects(run(open, true), /unterminated/);
    }
  });
});
