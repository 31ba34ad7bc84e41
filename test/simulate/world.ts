/** One schedule: a scenario, played to the end over the real flow, watched by the audit, and compared with what a naive reading of the rows gives. */
import type { Lane } from '../../src/load/shard.ts';
import type { Claim } from '../../src/target/driver.ts';
import { createAudit, type Audit, type TableRow, type Violation } from './audit.ts';
import { createRandom, type Random } from './random.ts';
import { fateCodes, noFaults, plainSession, type Faults, type Scenario } from './scenario.ts';
import { createScheduler, type Scheduler } from './scheduler.ts';
import { startSession } from './session.ts';
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
  if (audit.violations.length === 0 && !progress.isFinished) audit.report('I15', `the load did not come to its end in ${eventCount} events`);
  if (audit.violations.length === 0) compareEnd(world, scenario.policy === 'ordered' && !progress.hasOverlap);
  return { seed: scenario.seed, violations: audit.violations, eventCount, table: [...target.table.values()] };
}

function createWorld(scenario: Scenario, breakage: Breakage): World {
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

/** What a naive reading of the rows says must be there. */
function compareEnd({ audit, scenario, target }: World, isOrderKept: boolean): void {
  const expected = readNaively(scenario);
  const rows = [...target.table.values()];
  for (const [ordinal, row] of target.ledger.entries()) if (!row.isDone) audit.report('I17', `shard ${ordinal} was never finished`);
  const expectedRows = [...expected.table.values()];
  if (isOrderKept && JSON.stringify(rows) !== JSON.stringify(expectedRows)) audit.report('I17', 'the table is not the one that a single lane makes');
  if (listKeys(rows) !== listKeys(expectedRows)) audit.report('I17', 'the table has other keys than the source');
  const rejects = [...target.rejects].flatMap(([shard, list]) => list.map(({ code, row }) => `${shard}:${row}:${code}`));
  const own = rejects.filter((name) => !name.endsWith('REFUSED_UNIQUE'));
  if (own.toSorted().join() !== expected.rejects.toSorted().join()) audit.report('I17', 'other rows were refused than must be');
  const sum = (key: 'read' | 'written' | 'skipped' | 'rejected'): number => target.ledger.reduce((total, row) => total + row[key], 0);
  const counts = [sum('read'), sum('written'), sum('skipped'), sum('rejected')].join();
  if (counts !== expected.counts.join()) audit.report('I17', `counts ${counts} are not ${expected.counts.join()}`);
}

function listKeys(rows: readonly TableRow[]): string {
  return rows
    .map((row) => row.id)
    .toSorted((a, b) => a - b)
    .join();
}

/** The rows one after another, without shards, batches, lanes or faults. */
export function readNaively(scenario: Scenario): { table: Map<number, TableRow>; rejects: string[]; counts: readonly number[] } {
  const table = new Map<number, TableRow>();
  const rejects: string[] = [];
  const counts = { read: 0, written: 0, skipped: 0, rejected: 0 };
  for (const [shard, rows] of scenario.shards.entries()) {
    for (const [row, { fate, id, text }] of rows.entries()) {
      counts.read += 1;
      const isKnown = table.has(id);
      if (fate !== 'fits') rejects.push(`${shard}:${row}:${fateCodes[fate]}`);
      if (fate !== 'fits' || (isKnown && scenario.mode === 'insert')) counts.rejected += 1;
      else if (isKnown && scenario.mode === 'skip') counts.skipped += 1;
      else {
        counts.written += 1;
        table.set(id, { shard, row, id, text });
      }
    }
  }
  return { table, rejects, counts: [counts.read, counts.written, counts.skipped, counts.rejected] };
}
