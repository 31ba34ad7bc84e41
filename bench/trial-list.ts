/** Finds a trial by its name; sluice is imported only by a process that needs it, so that a limit's memory and start are its own. */
import { limitTrials } from './trials.ts';
import type { Trial } from './trials.ts';

/** The trial of that name. */
export async function findTrial(name: string): Promise<Trial> {
  const limit = limitTrials[name];
  if (limit !== undefined) return limit;
  const { sluiceTrials } = await import('./sluice-trials.ts');
  const { indexTrials } = await import('./index-trials.ts');
  const found = sluiceTrials[name] ?? indexTrials[name];
  if (found === undefined) throw new Error(`no trial is called ${name}`);
  return found;
}
