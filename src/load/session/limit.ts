/** A load that stops after an exact number of rows: what its lanes do otherwise, and whether it has got there. The first rows of the input are the ones that are read. */
import { readShards } from '../../ledger/reading.ts';
import type { RunPlan } from '../plan/run-plan.ts';
import type { Session } from './session.ts';

/** So few rows that a second lane would only read what is not needed. */
const maxRowsOfOneLane = 50_000;

/** Rows that are left of the session's limit, earlier sessions included; undefined without one. */
export function countRowsLeft({ before, limit }: Session): number | undefined {
  return limit === undefined ? undefined : Math.max(0, limit - before.counts.read);
}

/**
 * The plan as a session with a limit runs it: lanes commit in the order of the input, on every target, for only then the rows that are read are its first ones.
 * One lane where more would work in vain: for few rows, for texts that are paid for, for rows that are compared, and where a place between two rows can only be told by reading up to it.
 */
export function limitPlan(session: Session): RunPlan {
  const { run, source } = session;
  const left = countRowsLeft(session);
  if (left === undefined) return run;
  const isAlone =
    left <= maxRowsOfOneLane || run.embed !== undefined || run.table.mode === 'sync' || source.descriptor?.identity !== undefined;
  return { ...run, isOrdered: true, turns: 'ordered', lanes: isAlone ? 1 : run.lanes };
}

/** Whether rows were left in the input when the limit was reached. */
export async function hasOpenShards({ connection, load }: Session): Promise<boolean> {
  return (await readShards(connection, load, { isOpen: true, limit: 1 })).length > 0;
}
