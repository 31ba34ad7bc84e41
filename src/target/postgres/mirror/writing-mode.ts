/** How the rows of a sync are written once it is known which of them are new or differ: one of the other modes, so that writing knows nothing of mirrors. */
import type { LoadMode, TablePlan } from '../../driver.ts';
import { readSettings } from '../settings.ts';

/** Over a table that stays, rows meet those that they differ from. One that is new, or built anew, has none: a row whose key is there came twice. */
export function chooseWritingMode(mode: LoadMode, mirrors: boolean): LoadMode {
  if (mode !== 'sync') return mode;
  return mirrors ? 'upsert' : 'insert';
}

/** The plan as the parts that write read it. */
export function toWritingPlan(plan: TablePlan): TablePlan {
  return { ...plan, mode: chooseWritingMode(plan.mode, readSettings(plan).seen !== undefined) };
}
