/** Finds a trial by its name; sluice is imported only by a process that needs it, so that a limit's memory and start are its own. */
import { limitTrials } from './trials.ts';
import type { Trial } from './trials.ts';

/** The trial of that name. */
export async function findTrial(name: string): Promise<Trial> {
  const limit = limitTrials[name];
  if (limit !== undefined) return limit;
  if (name.startsWith('pg-')) return findPostgresTrial(name);
  if (name.startsWith('serve-')) return findServerTrial(name);
  if (name.startsWith('rival-')) return pickTrial((await import('./rival-trials.ts')).rivalTrials, name);
  if (name.startsWith('source-')) return pickTrial((await import('./source-trials.ts')).sourceTrials, name);
  const { sluiceTrials } = await import('./sluice-trials.ts');
  const { indexTrials } = await import('./index-trials.ts');
  return pickTrial({ ...sluiceTrials, ...indexTrials }, name);
}

function pickTrial(trials: Readonly<Record<string, Trial>>, name: string): Trial {
  const found = trials[name];
  if (found === undefined) throw new Error(`no trial is called ${name}`);
  return found;
}

/** Clients of PostgreSQL are imported only by the trials that need them. */
async function findPostgresTrial(name: string): Promise<Trial> {
  const { postgresRivals } = await import('./postgres-rivals.ts');
  const rival = postgresRivals[name];
  if (rival !== undefined) return rival;
  return pickTrial((await import('./postgres-trials.ts')).postgresTrials, name);
}

async function findServerTrial(name: string): Promise<Trial> {
  return pickTrial((await import('./server-trials.ts')).serverTrials, name);
}
