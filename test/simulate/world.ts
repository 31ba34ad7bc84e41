/** What the parts of one simulated schedule share: the scenario, time, chance, the audit and the target. */
import type { Lane } from '../../src/load/shard/shard.ts';
import type { Claim } from '../../src/target/driver.ts';
import { createAudit, type Audit } from './audit.ts';
import { createRandom, type Random } from './random.ts';
import type { Faults, Scenario } from './scenario.ts';
import { createScheduler, type Scheduler } from './scheduler.ts';
import { createTarget, honestTarget, type SimulatedTarget, type TargetRules } from './target.ts';

/** A part that does not keep its promise, to show that the simulator notices. */
export interface Breakage {
  readonly target?: Partial<TargetRules>;
  readonly lane?: (lane: Lane, context: { readonly claim: Claim; readonly random: Random; readonly world: World }) => Lane;
}

export interface World {
  readonly scenario: Scenario;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly audit: Audit;
  readonly target: SimulatedTarget;
  /** Texts whose vectors are kept. */
  readonly cache: Set<string>;
  /** Those of the scenario, and none once the last session tidies up. */
  faults: Faults;
  nextOwner(): number;
  breakLane(lane: Lane, claim: Claim): Lane;
}

export function createWorld(scenario: Scenario, breakage: Breakage): World {
  const audit = createAudit(scenario);
  // Another sequence than the scenario's own, which was drawn from the seed itself.
  const random = createRandom(scenario.seed ^ 0x5bd1e995);
  let owners = 0;
  const world: World = {
    scenario,
    scheduler: createScheduler(),
    random,
    audit,
    target: createTarget(scenario, audit, { ...honestTarget, ...breakage.target }),
    cache: new Set(),
    faults: scenario.faults,
    nextOwner: () => (owners += 1),
    breakLane: (lane, claim) => breakage.lane?.(lane, { claim, random, world }) ?? lane,
  };
  return world;
}
