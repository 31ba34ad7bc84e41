/** A user who may not do what a load needs, and a server that takes no more sessions: said before a row is lost, with the next step, and finished once it is granted. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ErrorCode } from '../../src/errors.ts';
import { load } from '../../src/load/load.ts';
import {
  assertFailed,
  assertNoSessions,
  assertWhole,
  endLoad,
  finishLoad,
  makePlace,
  plainTable,
  table,
  type Place,
} from './fault-place.ts';
import { ownSkipReason, startOwnServer, type OwnServer } from './own-server.ts';
import { runSql } from './server.ts';

let own: OwnServer;

before(async () => {
  if (ownSkipReason === false) own = await startOwnServer();
});
after(async () => {
  if (ownSkipReason === false) await own.destroy();
});

interface Lack {
  readonly name: string;
  /** Statements after the table was made; `guest` is the role that loads. */
  readonly before: readonly string[];
  readonly codes: readonly ErrorCode[];
  readonly mend: readonly string[];
}

const canLoad = [`GRANT USAGE, CREATE ON SCHEMA public TO guest`, `GRANT SELECT, INSERT, UPDATE ON ${table} TO guest`];

const lacks: readonly Lack[] = [
  {
    name: 'without the right to write the table',
    before: [`GRANT USAGE, CREATE ON SCHEMA public TO guest`],
    codes: ['SLUICE_TARGET_DENIED', 'SLUICE_PLAN_REFUSED'],
    mend: canLoad,
  },
  {
    name: 'without the right to make the ledger in the schema',
    before: [...canLoad, `REVOKE CREATE ON SCHEMA public FROM guest, PUBLIC`],
    codes: ['SLUICE_TARGET_DENIED', 'SLUICE_PLAN_REFUSED'],
    mend: [`GRANT CREATE ON SCHEMA public TO guest`],
  },
  {
    name: 'without pgvector and the right to make it',
    before: [`DROP TABLE ${table}`, 'DROP EXTENSION vector', `GRANT USAGE, CREATE ON SCHEMA public TO guest`],
    codes: ['SLUICE_TARGET_DENIED', 'SLUICE_PLAN_REFUSED'],
    mend: ['CREATE EXTENSION vector'],
  },
  {
    name: 'when the server takes one session of this user and two lanes are asked for',
    before: [...canLoad, 'ALTER ROLE guest CONNECTION LIMIT 1'],
    codes: ['SLUICE_TARGET_BUSY'],
    mend: ['ALTER ROLE guest CONNECTION LIMIT -1'],
  },
];

for (const { name, before: statements, codes, mend } of lacks) {
  test(`a load ${name} says so, and is finished once that is granted`, { skip: ownSkipReason }, async (context) => {
    const database = await own.createDatabase();
    context.after(async () => {
      await database.dispose();
      await runSql(own.url, 'DROP ROLE guest');
    });
    const direct = await makePlace(context, { database, before: ['CREATE ROLE guest LOGIN', ...plainTable, ...statements] });
    const place: Place = { ...direct, options: { ...direct.options, to: direct.url.replace('postgres@', 'guest@') } };
    const error = assertFailed(await endLoad(load(place.options)), codes);
    if (error.code === 'SLUICE_PLAN_REFUSED') assert.ok(error.problems.length > 0, 'the problems are named');
    await assertNoSessions(place.url);
    await runSql(place.url, ...mend);
    await finishLoad(place);
    await assertWhole(place);
  });
}
