/** Without a name the newest load is meant, and a deletion is none: it read nothing and left no report. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { deleteRows } from '../../src/collection/delete.ts';
import { load } from '../../src/load/load.ts';
import { chooseRejected } from '../../src/load/control/status.ts';
import { report } from '../../src/load/report/stored-report.ts';
import { connect } from '../../src/target/registry.ts';
import { makeFolder } from '../fixtures/load-folder.ts';

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
