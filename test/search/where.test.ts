/** A filter is exact in what it lets through, and can't do anything but filter. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSluiceError } from '../../src/errors.ts';
import { searchVectors } from '../../src/target/sqlite/search.ts';
import { ask, createRandom, drawVector, findNaively, makeLibrary } from './fixture.ts';

test('a filter gives the k nearest of the rows that match, and k rows whenever k match', (t) => {
  const { db, file } = makeLibrary(t, 700);
  const query = drawVector(createRandom(5));
  for (const where of [
    `grp = 'g3'`,
    'id % 100 = 7',
    `id > 690 or grp in ('g1')`,
    `exists (select 1 from docs d where d.id = docs.id + 1 and d.grp = 'g2') -- next`,
    'id < 4',
    '0',
  ]) {
    const { hits } = searchVectors(db, file, ask(query, { where, way: 'auto' }));
    const expected = findNaively(db, query, { metric: 'cosine', k: 10, where: `${where}\n` });
    assert.deepEqual(
      hits.map((hit) => hit.key['id']),
      expected.map(({ id }) => id),
      where,
    );
  }
});

const invalid = [
  '',
  ' ',
  'nope = 1',
  '1) union select 1, 2, 3, 4, 5 from (select 1',
  '1) or (1',
  '(1',
  '1)',
  '1; drop table docs',
  ';',
  '1 --)\n) or (1',
  '1 /* ',
  "'",
  '"',
  'id = ?',
  'id = ?1',
  'id = :a',
  'id = @a',
  'id = $a',
  'select 1',
  'values (1)',
  'select 1 union select 2',
  '1, 2',
  '1 THEN 1 ELSE 1 END OR CASE WHEN 1',
  '1 ORDER BY 1',
  '1 LIMIT 1',
  'count(*) > 0',
  'row_number() over () = 1',
  "load_extension('x')",
  'exists (with recursive r(n) as (select 1 union all select n + 1 from r) select 1 from r where n < 0)',
  "json_extract('{', '$') = 1",
  'abs(-9223372036854775807 - 1) = 1',
  '"a string" = 1',
  '1\0',
];

for (const where of invalid) {
  test(`the filter ${JSON.stringify(where)} is refused with SLUICE_WHERE_INVALID`, (t) => {
    const { db, file } = makeLibrary(t, 3);
    assert.throws(
      () => searchVectors(db, file, ask(drawVector(createRandom(1)), { where })),
      (error) => isSluiceError(error, 'SLUICE_WHERE_INVALID'),
    );
    assert.equal(db.isTransaction, false);
    assert.equal(db.prepare('SELECT count(*) AS n FROM docs').get()?.['n'], 3);
  });
}

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

test(`no filter, however odd, changes the database or lets a row through that it does not match (seed ${String(seed)})`, (t) => {
  const { db, file } = makeLibrary(t, 20);
  const query = drawVector(createRandom(1));
  const piece = fc.constantFrom(
    'id',
    '(',
    ')',
    ' or ',
    ' and ',
    '1',
    '0',
    "'",
    '"',
    ';',
    '--',
    '/*',
    '*/',
    '\n',
    ' union select ',
    '[',
    ']',
    '`',
    ',',
    'delete from docs',
    ' then ',
    ' end ',
    'case when ',
    '?',
    '=',
    'x',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
      const where = pieces.join('');
      const found = searchOrRefusal(() => searchVectors(db, file, ask(query, { where, k: 20 })).hits.map((hit) => hit.key['id']));
      assert.equal(db.prepare('SELECT count(*) AS n FROM docs').get()?.['n'], 20);
      if (found === undefined) return;
      // The same expression in another place of a statement, where leaving the parentheses would be another mistake.
      const matching = db.prepare(`SELECT id FROM (SELECT id, iif((${where}\n), 1, 0) AS matches FROM docs) WHERE matches = 1`).all();
      assert.deepEqual(new Set(found), new Set(matching.map((row) => row['id'])));
    }),
    { numRuns: 3_000, seed },
  );
});

function searchOrRefusal<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    assert.ok(isSluiceError(error, 'SLUICE_WHERE_INVALID'), String(error));
    return undefined;
  }
}

test('the connection can write again after a filter was refused', (t) => {
  const { db, file, insert } = makeLibrary(t, 3);
  assert.throws(() => searchVectors(db, file, ask(drawVector(createRandom(1)), { where: 'nope' })));
  insert(50, drawVector(createRandom(1)));
  db.exec('PRAGMA user_version = 3');
  assert.equal(searchVectors(db, file, ask(drawVector(createRandom(1)))).hits.length, 4);
});
