/** The simulator itself: thousands of schedules keep every invariant, a seed replays exactly, and each promise that is broken on purpose is noticed. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { breakages } from './breakages.ts';
import { calm, createScenario } from './scenario.ts';
import { playSchedules } from './schedules.ts';
import { readNaively } from './naive.ts';
import { simulate } from './play.ts';

async function expectNoViolation(t: TestContext, first: number): Promise<void> {
  const count = 5_200;
  t.diagnostic(`${count} schedules from seed ${first}; again: npm run simulate -- --seed ${first} --schedules ${count}`);
  const summary = await playSchedules({ first, count });
  const seen = summary.failures.map(
    ({ seed, violations }) => `seed ${seed}: ${violations.map(({ invariant, what }) => `${invariant} ${what}`).join('; ')}`,
  );
  assert.deepEqual(seen, []);
  assert.equal(summary.count, count);
}

test('the schedules of known seeds keep every invariant', (t) => expectNoViolation(t, 1));

test('schedules that nobody has seen before keep every invariant', (t) => expectNoViolation(t, randomInt(2 ** 31)));

test('one lane without faults makes the table that the rows make one after another', async () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const scenario = calm(createScenario(seed));
    const { table, violations } = await simulate(scenario);
    assert.deepEqual(violations, [], `seed ${seed}`);
    assert.deepEqual(table, [...readNaively(scenario).table.values()], `seed ${seed}`);
  }
});

test('a seed replays exactly, alone and beside others', async () => {
  const seeds = Array.from({ length: 100 }, (_, index) => index + 1);
  const together = await Promise.all(seeds.map((seed) => simulate(createScenario(seed))));
  for (const [index, seed] of seeds.entries()) assert.deepEqual(await simulate(createScenario(seed)), together[index]);
});

for (const breakage of breakages) {
  test(`the simulator notices ${breakage.name}`, async (t) => {
    const { failures } = await playSchedules({ first: 1, count: 600, breakage, stopsAtFailure: true });
    const [failure] = failures;
    assert.ok(failure, 'no schedule broke an invariant');
    t.diagnostic(`seed ${failure.seed}: ${failure.violations.map(({ invariant, what }) => `${invariant} ${what}`).join('; ')}`);
    const names = failure.violations.map((violation) => violation.invariant);
    assert.ok(
      names.some((name) => breakage.invariants.includes(name)),
      `${names.join()} broke, expected ${breakage.invariants.join(' or ')}`,
    );
  });
}
