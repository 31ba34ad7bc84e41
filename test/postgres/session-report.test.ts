/** Sessions that end at the same moment: each report has a place in the ledger. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { load } from '../../src/load/load.ts';
import { resume } from '../../src/load/resume.ts';
import { report } from '../../src/load/report/stored-report.ts';
import { createDatabase, readSql, serverUrl, skipReason, withClient } from './server.ts';

test(
  'a report whose number another session took at this moment gets the next one',
  { skip: serverUrl === undefined ? skipReason : false },
  async (context) => {
    const database = await createDatabase();
    context.after(() => database.dispose());
    const rows = [{ id: 1 }, { id: 2 }];
    const began = await load({ from: rows, to: database.url, table: 't', label: 'mine', limit: 1 });
    assert.equal(began.state, 'limit');
    const ended = await withClient(database.url, async (client) => {
      await client.query('BEGIN');
      await client.query("INSERT INTO sluice_sessions (load, session, report, ended_at) VALUES ($1, 2, '{}', '')", [began.load]);
      const running = resume({ in: database.url, load: 'mine', from: rows });
      const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%sluice_sessions%'`;
      for (let look = 0; look < 600 && (await readSql(database.url, waiting)).length === 0; look++) await sleep(20);
      await client.query('COMMIT');
      return running;
    });
    assert.deepEqual([ended.state, ended.counts.written], ['done', 2]);
    assert.deepEqual(
      ended.decisions.filter(({ what }) => what === 'warning'),
      [],
    );
    const { sessions } = await report({ in: database.url, load: 'mine' });
    assert.deepEqual(
      sessions.map(({ session }) => session),
      [1, 2, 3],
    );
  },
);
