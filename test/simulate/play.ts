/** One schedule: a scenario, played to the end over the real flow, watched by the audit, and compared with what a naive reading of the rows gives. */
import type { TableRow, Violation } from './audit.ts';
import { compareEnd } from './naive.ts';
import { noFaults, plainSession, type Scenario } from './scenario.ts';
import { startSession } from './session.ts';
import { createWorld, type Breakage, type World } from './world.ts';

export interface Verdict {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly eventCount: number;
  readonly table: readonly TableRow[];
}

/** A schedule has some hundred events; one that has more than this never ends. */
const maxEvents = 200_000;

/** Plays a scenario. With the same scenario and breakage the same happens, event by event. */
export async function simulate(scenario: Scenario, breakage: Breakage = {}): Promise<Verdict> {
  const world = createWorld(scenario, breakage);
  const { audit, scheduler, target } = world;
  const progress = { hasOverlap: false, isFinished: false };
  let eventCount = 0;
  startSessions(world, progress);
  eventCount = await scheduler.run(() => {
    eventCount += 1;
    return audit.violations.length > 0 || eventCount > maxEvents;
  });
  if (audit.violations.length === 0 && !progress.isFinished)
    audit.report('I15', `the load did not come to its end in ${eventCount} events`);
  if (audit.violations.length === 0) compareEnd(world, scenario.policy === 'ordered' && !progress.hasOverlap);
  return { seed: scenario.seed, violations: audit.violations, eventCount, table: [...target.table.values()] };
}

/** Sessions start beside or after one another; when all have ended, a last one without faults finishes the load. */
function startSessions(world: World, progress: { hasOverlap: boolean; isFinished: boolean }): void {
  const { scenario, scheduler } = world;
  let next = 0;
  let live = 0;
  let isScheduled = false;
  const end = (): void => {
    live -= 1;
    if (live > 0 || isScheduled) return;
    if (next > scenario.sessions.length) progress.isFinished = true;
    else start();
  };
  const start = (): void => {
    const session = scenario.sessions[next] ?? plainSession;
    if (next >= scenario.sessions.length) world.faults = noFaults;
    isScheduled = false;
    next += 1;
    live += 1;
    if (live > 1) progress.hasOverlap = true;
    startSession(world, session, end);
    const delayMs = scenario.sessions[next]?.startsAfterMs;
    if (delayMs === undefined) return;
    isScheduled = true;
    scheduler.schedule(delayMs, start);
  };
  start();
}
