/** The exit code that a load's report stands for. */
import { errorExitCodes } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { LoadReport } from '../load/options.ts';

const doneWithRejects = 3;
const transient = 5;

/** Whether a text is one of the codes of {@link errorExitCodes}. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorExitCodes, code);
}

/** 0 done · 3 done with rejects · 4 stopped by the reject limit · 5 stopped by the clock · 7 the account or the table is not as it should be · 130 interrupted · else by the failure. */
export function findExitCode(report: LoadReport): number {
  const { state, failure } = report;
  if (state === 'cancelled') return errorExitCodes.SLUICE_CANCELLED;
  if (state === 'time_limit') return transient;
  if (state === 'reject_limit') return errorExitCodes.SLUICE_REJECT_LIMIT;
  if (state === 'failed') return failure && isErrorCode(failure.code) ? errorExitCodes[failure.code] : errorExitCodes.SLUICE_INTERNAL;
  if (!report.isBalanced || report.verification?.isOk === false) return errorExitCodes.SLUICE_VERIFY_MISMATCH;
  return (state === 'done' || state === 'limit') && report.counts.rejected > 0 ? doneWithRejects : 0;
}
