/** Codes of a target's errors and what they are of a source; those of a driver alone are in its own file. */
import type { ErrorCode } from '../../errors.ts';

export const sourceCodes: Readonly<Partial<Record<ErrorCode, ErrorCode>>> = {
  SLUICE_TARGET_MISSING: 'SLUICE_SOURCE_MISSING',
  SLUICE_TARGET_DENIED: 'SLUICE_SOURCE_DENIED',
  SLUICE_TARGET_UNREACHABLE: 'SLUICE_SOURCE_READ',
  SLUICE_TARGET_TIMEOUT: 'SLUICE_SOURCE_READ',
  SLUICE_TARGET_BUSY: 'SLUICE_SOURCE_READ',
  SLUICE_TARGET_LOCKED: 'SLUICE_SOURCE_READ',
  SLUICE_TARGET_FULL: 'SLUICE_SOURCE_READ',
  SLUICE_TARGET_FAILED: 'SLUICE_SOURCE_READ',
  SLUICE_LINK_LOST: 'SLUICE_SOURCE_READ',
};
