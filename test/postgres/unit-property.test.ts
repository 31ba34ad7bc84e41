/** Random units do what the same statements do one after another through another client: each in a transaction of its own, or all in one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DatabaseError, type Client } from 'pg';
import type { ConflictAnswer, StatementAnswer } from '../../src/target/batch-contract.ts';
import { skipReason, withClient } from './server.ts';
import { openServerPlace } from './unit-place.ts';

const tables = ['items', 'twins'] as const;

const makeTables = tables.map(
  (name) =>
    `CREATE TABLE ${name} (id int PRIMARY KEY, name text UNIQUE, age int CHECK (age < 5), boss int REFERENCES ${name} DEFERRABLE INITIALLY DEFERRED)`,
);

const small = fc.integer({ min: 0, max: 6 });
const word = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', null);

/** TABLE stands for the table's name. Nearly all can fail, miss their condition, or change something. */
const statement: fc.Arbitrary<readonly [string, readonly (string | number | null)[]]> = fc.oneof(
  fc
    .tuple(small, word, small)
    .map(([id, name, age]) => ['INSERT INTO TABLE (id, name, age) VALUES ($1, $2, $3)', [id, name, age]] as const),
  fc.tuple(small, small).map(([id, boss]) => ['INSERT INTO TABLE (id, boss) VALUES ($1, $2)', [id, boss]] as const),
  fc.tuple(small, word).map(([id, name]) => ['INSERT INTO TABLE (id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING', [id, name]] as const),
  fc.tuple(small, small).map(([id, age]) => ['UPDATE TABLE SET age = $2 WHERE id = $1', [id, age]] as const),
  fc.tuple(small, word).map(([age, name]) => ['UPDATE TABLE SET name = $2 WHERE age = $1 RETURNING id', [age, name]] as const),
  fc.tuple(small).map(([id]) => ['DELETE FROM TABLE WHERE id = $1', [id]] as const),
  fc.tuple(word).map(([text]) => ['INSERT INTO TABLE (id) VALUES ($1)', [text]] as const),
  fc.tuple(small).map(([age]) => ['SELECT count(*)::int AS n, sum(id)::int AS s FROM TABLE WHERE age <> $1', [age]] as const),
  fc.constant(['SELEC 1', []] as const),
);

/** What the other client says of one statement, put as an answer. */
async function ask(client: Client, [sql, values]: readonly [string, readonly unknown[]], onConflict: ConflictAnswer): Promise<object> {
  try {
    const { command, rowCount, rows, fields } = await client.query(sql, [...values]);
    const isConditional = sql.includes('ON CONFLICT') || command === 'UPDATE' || command === 'DELETE';
    if (isConditional && rowCount === 0) return { status: 'not_applied' };
    const given = fields.length > 0 && { columns: fields.map(({ name }) => name), rows: rows as object[] };
    return { status: 'applied', rowsAffected: command === 'SELECT' ? 0 : rowCount, ...given };
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    const isMiss = onConflict === 'not_applied' && error.code === '23505' && sql.startsWith('INSERT') && !sql.includes('ON CONFLICT');
    return isMiss ? { status: 'not_applied' } : { status: 'error', targetCode: error.code };
  }
}

interface Oracle {
  readonly isTransaction: boolean;
  readonly onConflict: ConflictAnswer;
}

async function askAll(
  client: Client,
  statements: readonly (readonly [string, readonly unknown[]])[],
  unit: Oracle,
): Promise<readonly object[]> {
  const answers: object[] = [];
  if (!unit.isTransaction) {
    for (const each of statements) answers.push(await ask(client, each, unit.onConflict));
    return answers;
  }
  await client.query('BEGIN');
  for (const [index, each] of statements.entries()) {
    await client.query('SAVEPOINT s');
    const answer = await ask(client, each, unit.onConflict);
    answers.push(answer);
    if ('targetCode' in answer) {
      await client.query('ROLLBACK');
      return statements.map((_, at) => (at < index ? { status: 'rolled_back' } : at === index ? answer : { status: 'not_attempted' }));
    }
    if ('status' in answer && answer.status === 'not_applied') await client.query('ROLLBACK TO s');
  }
  // A deferred constraint may refuse all of it; which statement is to blame is another test's matter.
  return client.query('COMMIT').then(
    () => answers,
    () => statements.map(() => ({ status: 'undone' })),
  );
}

/** RETURNING gives rows in the order in which they lie, which is each table's own. */
function sortRows(answer: object): object {
  if (!('rows' in answer) || !Array.isArray(answer.rows)) return answer;
  return { ...answer, rows: (answer.rows as { id?: number }[]).toSorted((a, b) => (a.id ?? 0) - (b.id ?? 0)) };
}

function simplify(answers: readonly StatementAnswer[], isUndone: boolean): readonly object[] {
  return answers.map((answer) => {
    if (isUndone && (answer.status === 'rolled_back' || answer.status === 'error')) return { status: 'undone' };
    return answer.status === 'error' ? { status: 'error', targetCode: answer.error.targetCode } : answer;
  });
}

test('a random unit answers and leaves what its statements would one by one', { skip: skipReason }, async (context) => {
  const place = await openServerPlace(context);
  await place.run(makeTables);
  const seed = Date.now() % 1_000_000;
  context.diagnostic(`seed ${String(seed)}`);
  const unit = fc.record({
    statements: fc.array(statement, { maxLength: 25 }),
    isTransaction: fc.boolean(),
    onConflict: fc.constantFrom('error' as const, 'not_applied' as const),
    statusRows: fc.boolean(),
  });
  await withClient(place.url, async (client) => {
    await fc.assert(
      fc.asyncProperty(unit, async ({ statements, ...options }) => {
        const on = (table: string): readonly (readonly [string, readonly (string | number | null)[]])[] =>
          statements.map(([sql, values]) => [sql.replace('TABLE', table), values]);
        const said = await askAll(client, on('twins'), options);
        const answers = await place.run(on('items'), options);
        const isUndone = said.some((each) => 'status' in each && each.status === 'undone');
        const withoutRows = simplify(answers, isUndone).map((each) => ('row' in each ? { status: 'not_applied' } : each));
        assert.deepEqual(withoutRows.map(sortRows), said.map(sortRows));
        const [items, twins] = [await place.read('SELECT * FROM items ORDER BY id'), await place.read('SELECT * FROM twins ORDER BY id')];
        assert.deepEqual(items, twins);
      }),
      { seed, numRuns: 150 },
    );
  });
});
