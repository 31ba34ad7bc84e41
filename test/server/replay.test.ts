/** Every recorded scenario of rqlite is answered by `sluice serve` as it was recorded, but for the differences that are listed with their reasons. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { playScenario, readScenarios } from './recordings/player.ts';
import { differences } from './recordings/differences.ts';
import { findRqlited, startRqlited, startServer } from './server.ts';

const scenarios = readScenarios();

for (const [name, steps] of scenarios) {
  const [first] = steps;
  // What only a cluster does is played to the client.
  if (first === undefined || first.group === 'cluster') continue;
  test(`the recorded scenario ${name} is answered as recorded`, async () => {
    const server = await startServer({
      ...(first.server.auth === undefined ? {} : { auth: first.server.auth }),
      flags: first.server.flags,
    });
    try {
      const found = await playScenario(steps, server);
      const unlisted = [...found].filter(([step]) => !differences.has(step));
      assert.deepEqual(unlisted, []);
      const gone = steps.filter((step) => differences.has(step.name) && !found.has(step.name)).map((step) => step.name);
      assert.deepEqual(gone, [], 'a difference that is no longer there must not be listed');
    } finally {
      await server.close();
    }
  });
}

test('every difference stands in the page on compatibility', () => {
  const page = readFileSync(path.join(import.meta.dirname, '../../docs/reference/rqlite-compatibility.md'), 'utf8');
  for (const [step, reason] of differences) assert.ok(page.includes(`\`${reason}\``), `${step}: ${reason}`);
});

const rqlited = findRqlited();

test(
  'the recordings are what a real rqlited answers',
  { skip: rqlited === undefined ? 'no rqlited on the PATH or in RQLITED' : false },
  async () => {
    for (const [name, steps] of scenarios) {
      const [first] = steps;
      if (rqlited === undefined || first === undefined || first.group === 'cluster') continue;
      const server = await startRqlited(rqlited, first.server);
      try {
        assert.deepEqual([...(await playScenario(steps, server))], [], name);
      } finally {
        await server.close();
      }
    }
  },
);
