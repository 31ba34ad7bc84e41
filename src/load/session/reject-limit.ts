/** When refused rows are too many: a number of them, or a share of what was read. */
import type { RunPlan } from '../plan/run-plan.ts';

/** A share of rejects is first judged after this many rows, so that one bad row at the start does not stop a load. */
const minJudgedRows = 1_000;

export interface Judged {
  readonly rejected: number;
  readonly read: number;
  /** All of the input was read, so a share is the final one. */
  readonly isWhole: boolean;
}

/** Whether a load has more rejects than it may have. */
export function isOverRejectLimit(maxRejects: RunPlan['maxRejects'], { rejected, read, isWhole }: Judged): boolean {
  if (typeof maxRejects === 'number') return rejected > maxRejects;
  return (isWhole || read >= minJudgedRows) && rejected > (read * Number.parseFloat(maxRejects)) / 100;
}
