/** One compressed file into PostgreSQL, read by a thread of its own: rows and rejects are those of a lane that reads for itself. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { load } from '../../src/load/load.ts';
import { verify } from '../../src/verify/verify.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { compressedTable, writeCompressed } from '../fixtures/load-rows.ts';
import { createDatabase, readSql, runSql, skipReason } from './server.ts';

test('a load whose reading is a thread of its own leaves what one without leaves', { skip: skipReason }, async (context) => {
  const from = path.join(makeFolder(context), 'rows.jsonl.gz');
  writeCompressed(from, { rows: 16_000, seed: Date.now() % 1_000_000 });
  const found = [];
  for (const lanes of [1, 2]) {
    const database = await createDatabase();
    context.after(() => database.dispose());
    await runSql(database.url, compressedTable);
    const report = await load({ from, to: database.url, table: 't', key: ['id'], lanes, maxBatchRows: 2_000, maxRejects: '5%' });
    assert.equal(
      report.decisions.some(({ what }) => what === 'reading'),
      lanes === 2,
    );
    assert.equal((await verify({ in: database.url, table: 't' })).isOk, true);
    found.push({
      rows: await readSql(database.url, 'SELECT count(*), sum(n), md5(string_agg(t::text, chr(10) ORDER BY id)) FROM t'),
      rejects: await readSql(
        database.url,
        'SELECT row_number, line_number, byte_offset, class, code, column_name, message, raw FROM sluice_reject_places ORDER BY byte_offset',
      ),
      counts: report.counts,
    });
  }
  assert.ok((found[0]?.rejects.length ?? 0) > 50, 'rows of every kind are refused');
  assert.deepEqual(found[1], found[0]);
});
