/** Without a name the newest load is meant, and a deletion is none: it read nothing and left no report. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { deleteRows } from '../../src/collection/delete.ts';
import { load } from '../../src/load/load.ts';
import { chooseRejected } from '../../src/load/control/status.ts';
import { report } from '../../src/load/report/stored-report.ts';
import { connect } from '../../src/target/registry.ts';
import { laterTables } from '../../src/ledger/schema.ts';
import { resume } from '../../src/load/resume.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { runSql } from '../fixtures/load-target.ts';

test('the report, and the rejects, of the newest load are those of a load, also after rows were deleted', async (context) => {
  const url = `sqlite:${path.join(makeFolder(context), 'a.db')}`;
  const loaded = await load({ from: [{ id: 1 }, { id: 2 }], to: url, table: 't', key: ['id'] });
  const { recordedAs } = await deleteRows({ in: url, table: 't', keys: [1] });
  assert.notEqual(recordedAs, undefined);
  const found = await report({ in: url });
  assert.deepEqual([found.status.load, found.sessions.length], [loaded.load, 1]);
  const connection = await connect(url);
  assert.equal((await chooseRejected(connection, undefined)).load, loaded.load);
  await connection.close();
});

test('a load that an older sluice began goes on in its ledger, which lacks later tables, and leaves its report there', async (context) => {
  const folder = makeFolder(context);
  const [database, file] = [path.join(folder, 'a.db'), path.join(folder, 'rows.jsonl')];
  writeFileSync(file, '{"id":1}\n{"id":2}\n{"id":3}\n');
  const options = { from: file, to: `sqlite:${database}`, table: 't', key: ['id'] };
  const began = await load({ ...options, limit: 1 });
  assert.equal(began.state, 'limit');
  runSql(database, ...laterTables.map((table) => `DROP TABLE ${table}`));
  assert.deepEqual((await report({ in: options.to })).sessions, []);
  const done = await resume({ in: options.to });
  assert.equal(done.state, 'done');
  assert.deepEqual(
    done.decisions.filter(({ what }) => what === 'warning'),
    [],
  );
  const { sessions, sessionCount } = await report({ in: options.to });
  assert.deepEqual([sessions.map(({ report: kept }) => kept.counts.read), sessionCount], [[3], 2]);
});
