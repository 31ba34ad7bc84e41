/** What `status` and `undo` were asked for: a load, and whether to go on showing it, or to go on without asking. */
import type { Invocation } from './invocation.ts';
import { checkValues, toggle } from './option-schema.ts';
import { readLedgerRequest, type LedgerRequest } from './request.ts';

export interface SwitchRequest extends LedgerRequest {
  readonly isWatching: boolean;
  readonly isAgreed: boolean;
}

/** Reads the switches beside the load. @throws SLUICE_USAGE with every problem. */
export function readSwitchRequest(invocation: Invocation): SwitchRequest {
  const { watch, yes } = checkValues(invocation, { watch: toggle, yes: toggle }, []);
  return { ...readLedgerRequest(invocation), isWatching: watch ?? false, isAgreed: yes ?? false };
}
