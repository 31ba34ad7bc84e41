/** Provenance and undo: each row knows its load, file and line; a load's rows go out again as one, and the ledger, the verification and the next load know it. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { load, plan, resume, retry, status, undo, verify, type LoadOptions } from '../../src/index.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { readSql, runSql } from '../fixtures/load-target.ts';

const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 1_000_000);
console.log(`undo test seed ${seed} (SLUICE_TEST_SEED=${seed} repeats it)`);

test('every row bears its file and its line there, wherever shards, batches and sessions end', async (context) => {
  const folder = makeFolder(context);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ lines: fc.integer({ min: 0, max: 3 }), isBad: fc.boolean() }), { minLength: 1, maxLength: 120, size: 'max' }),
      fc.constantFrom(1, 3),
      fc.integer({ min: 1, max: 60 }),
      fc.constantFrom('csv', 'jsonl'),
      async (...[rows, lanes, limit, format]) => {
        const file = path.join(folder, `rows.${format}`);
        const target = path.join(folder, `t-${String(run++)}.db`);
        const expected = new Map<number, number>();
        const lines = format === 'csv' ? ['id,note'] : [];
        rows.forEach((row, id) => {
          if (!row.isBad) expected.set(id, lines.length + 1);
          if (format === 'jsonl') lines.push(...Array<string>(row.lines).fill(''), row.isBad ? '{' : JSON.stringify({ id, note: 'n' }));
          else lines.push(...(row.isBad ? [`${String(id)},a,b`] : `${String(id)},"a${'\n'.repeat(row.lines)}"`.split('\n')));
          if (format === 'jsonl' && !row.isBad) expected.set(id, lines.length);
        });
        writeFileSync(file, `${lines.join('\n')}\n`);
        const types = { id: 'integer', note: 'text' } as const;
        const options: LoadOptions = {
          from: file,
          to: `sqlite:${target}`,
          table: 't',
          provenance: true,
          lanes,
          shardBytes: 256,
          maxBatchRows: 9,
          types,
        };
        const { load: id } = await load({ ...options, limit });
        await load(options);
        const found = readSql(target, 'SELECT id, sluice_load, sluice_file, sluice_line FROM t ORDER BY id');
        assert.deepEqual(
          found,
          [...expected].map(([row, line]) => ({ id: BigInt(row), sluice_load: id, sluice_file: file, sluice_line: BigInt(line) })),
        );
      },
    ),
    { seed, numRuns: 25 },
  );
});

test('rows in memory are numbered, and a field with the name of such a column gives way', async (context) => {
  const file = path.join(makeFolder(context), 't.db');
  const from = [{ id: 1, sluice_line: 77 }, { id: 2 }];
  await load({ from, to: `sqlite:${file}`, table: 't', provenance: true });
  assert.deepEqual(
    readSql(file, 'SELECT id, sluice_file, sluice_line FROM t').map((row) => Object.values(row)),
    [
      [1n, 'array', 1n],
      [2n, 'array', 2n],
    ],
  );
});

test('a table without the columns is refused, with the statements that add them', async (context) => {
  const file = path.join(makeFolder(context), 't.db');
  runSql(file, 'CREATE TABLE t (id INTEGER PRIMARY KEY)');
  const { problems } = await plan({ from: [{ id: 1 }], to: `sqlite:${file}`, table: 't', provenance: true });
  assert.match(problems.join(), /no column sluice_load, sluice_file, sluice_line for --provenance/u);
  for (const [statement] of problems.join().matchAll(/ALTER TABLE [^;]*;/gu)) runSql(file, statement);
  assert.equal((await load({ from: [{ id: 1 }], to: `sqlite:${file}`, table: 't', provenance: true })).state, 'done');
});

interface Place {
  readonly file: string;
  readonly in: string;
  readonly run: (ids: readonly number[], more?: Partial<LoadOptions>) => Promise<string>;
}

function makePlace(folder: string): Place {
  const file = path.join(folder, 't.db');
  const options = { to: `sqlite:${file}`, table: 't', key: ['id'], provenance: true };
  return {
    file,
    in: options.to,
    run: async (ids, more = {}) => (await load({ ...options, from: ids.map((id) => ({ id, note: more.label ?? 'n' })), ...more })).load,
  };
}

function readIds(file: string): readonly number[] {
  return readSql(file, 'SELECT id FROM t ORDER BY id').map(({ id }) => Number(id));
}

test('an undone load leaves the other rows, a right ledger and a right digest, and its input is new again', async (context) => {
  const place = makePlace(makeFolder(context));
  await place.run([1, 2, 3], { label: 'a' });
  const undone = await place.run([4, 5], { label: 'b' });
  assert.deepEqual(await undo({ in: place.in, load: 'b', isDryRun: true }).then(({ state, deleted }) => [state, deleted]), ['planned', 2]);
  assert.deepEqual(readIds(place.file), [1, 2, 3, 4, 5]);
  assert.deepEqual(await undo({ in: place.in, load: 'b' }).then(({ state, deleted }) => [state, deleted]), ['undone', 2]);
  assert.deepEqual(readIds(place.file), [1, 2, 3]);
  assert.equal((await verify({ in: place.in, table: 't' })).isOk, true);
  assert.equal((await status({ in: place.in, load: undone }))[0]?.state, 'undone');
  assert.deepEqual(await undo({ in: place.in, load: undone }).then(({ state, deleted }) => [state, deleted]), ['nothing_to_do', 2]);
  await assert.rejects(resume({ in: place.in, load: undone }), { code: 'SLUICE_USAGE', message: /was undone/u });
  await place.run([4, 5, 6], { label: 'b' });
  assert.deepEqual(readIds(place.file), [1, 2, 3, 4, 5, 6]);
  assert.equal((await verify({ in: place.in, table: 't' })).isOk, true);
});

test('rows that a later load updated are its own; rows that the undone load updated are gone, and that is said', async (context) => {
  const place = makePlace(makeFolder(context));
  await place.run([1, 2, 3], { label: 'a' });
  await place.run([3, 4], { label: 'b', mode: 'upsert' });
  await place.run([4, 5], { label: 'c', mode: 'upsert' });
  const report = await undo({ in: place.in, load: 'b' });
  assert.equal(report.deleted, 1);
  assert.match(report.warnings.join(' '), /what they held before does not come back/u);
  assert.deepEqual(readIds(place.file), [1, 2, 4, 5]);
  assert.equal((await verify({ in: place.in, table: 't' })).isOk, true);
});

test('an unfinished load is undone as far as it came', async (context) => {
  const place = makePlace(makeFolder(context));
  await place.run([1, 2, 3, 4], { label: 'a', limit: 2 });
  assert.equal((await undo({ in: place.in, load: 'a' })).deleted, 2);
  assert.deepEqual(readIds(place.file), []);
  assert.equal((await verify({ in: place.in, table: 't' })).isOk, true);
  await place.run([1, 2, 3, 4], { label: 'a' });
  assert.equal((await verify({ in: place.in, table: 't' })).isOk, true);
});

test('a file that was undone is loaded again without --again', async (context) => {
  const folder = makeFolder(context);
  const file = path.join(folder, 'rows.csv');
  writeFileSync(file, 'id\n1\n2\n');
  const options: LoadOptions = { from: file, to: `sqlite:${path.join(folder, 't.db')}`, table: 't', provenance: true };
  const first = await load(options);
  assert.equal((await load(options)).state, 'nothing_to_do');
  await undo({ in: options.to, load: first.load });
  const second = await load(options);
  assert.deepEqual([second.state, second.counts.written], ['done', 2]);
  assert.notEqual(second.load, first.load);
});

test('rows that a retry brings keep the file and line where they stood, and belong to the retry', async (context) => {
  const folder = makeFolder(context);
  const file = path.join(folder, 'rows.csv');
  const target = path.join(folder, 't.db');
  runSql(
    target,
    'CREATE TABLE t (id INTEGER PRIMARY KEY, note TEXT, sluice_load TEXT, sluice_file TEXT, sluice_line INTEGER)',
    `CREATE TRIGGER refuse BEFORE INSERT ON t WHEN new.note = 'x' BEGIN SELECT RAISE(ABORT, 'no'); END`,
  );
  writeFileSync(file, 'id,note\n1,"a\nb"\n2,x\n3,y\n4,x\n');
  await load({ from: file, to: `sqlite:${target}`, table: 't', provenance: true });
  runSql(target, 'DROP TRIGGER refuse');
  const again = await retry({ in: `sqlite:${target}` });
  assert.equal(again.counts.written, 2);
  assert.deepEqual(
    readSql(target, 'SELECT id, sluice_load, sluice_file, sluice_line FROM t WHERE id IN (2, 4)').map((row) => Object.values(row)),
    [
      [2n, again.load, file, 4n],
      [4n, again.load, file, 6n],
    ],
  );
  await undo({ in: `sqlite:${target}`, load: again.load });
  assert.equal((await status({ in: `sqlite:${target}` }))[0]?.openRejects, 2);
});

test('a load without provenance, or one that is not there, is not undone', async (context) => {
  const place = makePlace(makeFolder(context));
  await place.run([1], { label: 'a', provenance: false });
  await assert.rejects(undo({ in: place.in, load: 'a' }), { code: 'SLUICE_USAGE', message: /wrote no provenance/u });
  await assert.rejects(undo({ in: place.in, load: 'z' }), { code: 'SLUICE_LOAD_UNKNOWN' });
  assert.deepEqual(readIds(place.file), [1]);
});

test('a label that was undone says so when it is undone again, changes nothing, and is free for another load', async (context) => {
  const file = path.join(makeFolder(context), 't.db');
  const options: LoadOptions = { from: [{ id: 1 }, { id: 2 }], to: `sqlite:${file}`, table: 't', provenance: true, label: 'nightly' };
  const { load: first } = await load(options);
  const place = { in: options.to, load: 'nightly' };
  assert.equal((await undo(place)).state, 'undone');
  await load({ ...options, label: 'other' });
  const ledger = (): unknown => readSql(file, 'SELECT load, label, state, plan, updated_at FROM sluice_loads ORDER BY load');
  const before = ledger();
  for (const isDryRun of [false, true]) {
    const { state, label, load: named, deleted } = await undo({ ...place, isDryRun });
    assert.deepEqual([state, label, named, deleted], ['nothing_to_do', 'nightly', first, 2]);
  }
  assert.deepEqual(ledger(), before);
  assert.equal(readSql(file, 'SELECT id FROM t').length, 2);
  await assert.rejects(resume(place), /was undone/u);
  assert.equal((await status(place))[0]?.state, 'undone');
  const { load: second } = await load(options);
  assert.deepEqual(await undo(place).then(({ load: named, state }) => [named, state]), [second, 'undone']);
  assert.equal((await undo(place)).load, second);
});
