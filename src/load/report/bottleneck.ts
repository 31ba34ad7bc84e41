/** Names the stage that a load waits for most, from the shares of time in its progress. */
import type { Progress, StageName } from '../options.ts';

/** A stage that does work; `wait` is a symptom of another one. */
export type WorkStage = Exclude<StageName, 'wait'>;

const workStages: readonly WorkStage[] = ['read', 'check', 'embed', 'commit'];
/** Lanes that wait less than this are not held up by the writer. */
const minWaitShare = 0.05;
/** One writer is busy when the lanes together spend this part of the wall time in commits. */
const busyWriter = 0.8;

/**
 * The stage whose speed decides the load's, or undefined before anything was measured.
 *
 * Lanes that take turns to write spend little of their own time in commits even when the one writer never rests;
 * their number times their share tells how busy it is.
 */
export function findBottleneck(progress: Pick<Progress, 'stageShare' | 'lanes'>): WorkStage | undefined {
  const { stageShare, lanes } = progress;
  if (stageShare.wait >= minWaitShare && stageShare.commit * lanes >= busyWriter) return 'commit';
  let slowest: WorkStage | undefined;
  for (const stage of workStages) {
    if (stageShare[stage] > (slowest ? stageShare[slowest] : 0)) slowest = stage;
  }
  return slowest;
}
