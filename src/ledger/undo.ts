/** Statements that a load's undoing writes into the ledger, in the transaction that deletes its rows. */
import type { Statement } from '../target/driver.ts';

/**
 * Marks a load as undone and lets its label go, so that the same input can be loaded again. It must change one row: a load that was taken up again at this
 * moment, or undone by somebody else, is left alone.
 */
export function markUndone(load: string): Statement {
  const at = new Date().toISOString();
  return {
    sql: `UPDATE sluice_loads SET state = 'undone', label = NULL, failure = NULL, updated_at = ?, ended_at = ? WHERE load = ? AND state NOT IN ('running', 'undone')`,
    parameters: [at, at, load],
    mustChange: 1,
  };
}

/** Exchanges the plan of a load. */
export function replacePlan(load: string, plan: string): Statement {
  return { sql: `UPDATE sluice_loads SET plan = ? WHERE load = ?`, parameters: [plan, load] };
}

/** Refused rows that the load had taken over to try them again are open again. */
export function returnRejects(load: string): Statement {
  return { sql: `UPDATE sluice_rejects SET retried_by = NULL WHERE retried_by = ?`, parameters: [load] };
}
