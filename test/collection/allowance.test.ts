/** How many rows may be deleted: a share of exactly so many rows allows them, one more does not, and the message says what would. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAllowed, countAllowed } from '../../src/target/delete-allowance.ts';
import { checkSyncLimit } from '../../src/target/sync-limit.ts';

test('a share of a hundred rows is that many rows, whatever the decimals say', () => {
  for (let share = 0; share <= 100; share++) assert.equal(countAllowed(`${share}%`, 100), share);
  assert.equal(countAllowed('2.5%', 1_000), 25);
  assert.equal(countAllowed('10%', 19), 1);
});

test('one row more than allowed is refused with the number that would be enough', () => {
  const sync = { table: 't', rowCount: 100, maxDeletes: '29%' } as const;
  checkSyncLimit({ ...sync, vanishedCount: 29 });
  checkAllowed({ table: 't', maxDeletes: '29%' }, 29, 100);
  assert.throws(() => checkSyncLimit({ ...sync, vanishedCount: 30 }), { code: 'SLUICE_DELETE_LIMIT', hint: /--max-deletes 30\./u });
  assert.throws(() => checkAllowed({ table: 't', maxDeletes: '29%' }, 30, 100), { code: 'SLUICE_DELETE_LIMIT' });
});
