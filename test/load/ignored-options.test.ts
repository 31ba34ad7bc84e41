/** An option that changes nothing is said to, in plan and report, and the load goes on. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { load } from '../../src/load/load.ts';
import { plan } from '../../src/load/plan/plan.ts';
import { makeFolder } from '../fixtures/load-folder.ts';

test('an option for another format than that of the source is a warning of the plan and of the report', async (context) => {
  const folder = makeFolder(context);
  const [lines, table] = [path.join(folder, 'a.jsonl'), path.join(folder, 'a.csv')];
  writeFileSync(lines, '{"id":1}\n');
  writeFileSync(table, '1;2\n');
  const to = `sqlite:${path.join(folder, 'a.db')}`;
  const asked = { columns: ['id', 'n'], delimiter: ';', to, table: 't' } as const;
  const planned = await plan({ ...asked, from: lines });
  assert.match(planned.warnings.join(), /--columns, --delimiter: for CSV and TSV alone, and this is jsonl; --skip-column/u);
  const report = await load({ ...asked, from: lines });
  assert.deepEqual(report.counts, { read: 1, written: 1, skipped: 0, rejected: 0 });
  assert.ok(report.decisions.some(({ choice, what }) => what === 'warning' && choice.startsWith('--columns')));
  assert.deepEqual((await plan({ ...asked, from: table, table: 'other' })).warnings, []);
});
