/** Loads into PostgreSQL killed at seeded moments or interrupted by Ctrl-C, then taken up again: the table is the one of a load that nothing happened to. */
import { describe, it } from 'node:test';
import { runInPairs } from '../fixtures/load-crash.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { createRandom } from '../simulate/random.ts';
import { chooseMoments, crashAndGoOn, interruptAndGoOn, prepareStage, type Scenario } from './crash-place.ts';
import { table } from './fault-place.ts';
import { skipReason } from './server.ts';

const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 1_000_000);
if (skipReason === false) console.log(`crash seed ${String(seed)} (SLUICE_TEST_SEED=${String(seed)} repeats it)`);

/** Kills of each scenario. */
const kills = 5;

const indexed = [
  `CREATE TABLE ${table} (id bigint PRIMARY KEY, body text, n int CHECK (n < 1000))`,
  `CREATE INDEX by_body ON ${table} (body)`,
  `CREATE INDEX "by n, falling" ON ${table} (n DESC) WHERE n > 3`,
  `INSERT INTO ${table} SELECT 100000 + i, 'old ' || i, 1 FROM generate_series(1, 500) AS i`,
];

const scenarios: readonly Scenario[] = [
  {
    name: 'an insert into a new table whose key is put off, with keys that come twice',
    flags: [],
    rows: 52_000,
    padding: 0,
    key: (row) => (row % 20_000 === 19_999 ? 7 : row),
    before: [],
    own: /PRIMARY KEY|DELETE FROM "items"|DELETE FROM sluice_deferred/u,
  },
  {
    name: 'an insert beside rows whose indexes are dropped and made again',
    flags: ['--indexes', 'rebuild'],
    rows: 4_000,
    padding: 250,
    before: indexed,
    own: / INDEX/u,
  },
  {
    name: 'a replacement of a table with indexes, grants and a view',
    flags: ['--mode', 'replace'],
    rows: 4_000,
    padding: 250,
    before: [...indexed, `CREATE VIEW bodies AS SELECT body FROM ${table}`, `GRANT SELECT ON ${table} TO PUBLIC`],
    own: /RENAME|CREATE INDEX|DROP TABLE/u,
  },
  {
    name: 'an upsert of known and new keys',
    flags: ['--mode', 'upsert'],
    rows: 4_000,
    padding: 250,
    key: (row) => 98_500 + row,
    before: indexed,
    own: /merged|TEMPORARY/u,
  },
  {
    name: 'an insert beside rows that becomes visible at once',
    flags: ['--atomic'],
    rows: 4_000,
    padding: 250,
    before: indexed,
    own: /sluice_new_|sluice_move|s\.sluice_shard/u,
  },
];

describe('a load into PostgreSQL that does not come to its end', { skip: skipReason, concurrency: 1 }, () => {
  for (const scenario of scenarios) {
    it(`${scenario.name}: killed at ${String(kills)} moments and interrupted once, it ends as if nothing had happened`, async (context) => {
      const stage = await prepareStage(scenario, makeFolder(context));
      const random = createRandom(seed + scenario.name.length);
      await runInPairs([
        ...chooseMoments(stage, random, kills).map(
          (moment) => () =>
            crashAndGoOn(stage, moment, `killed ${moment.when} message ${String(moment.at)} of «${moment.call}», seed ${String(seed)}`),
        ),
        () => interruptAndGoOn(stage, { call: 'copy done', at: 1, when: 'after' }),
      ]);
    });
  }
});
