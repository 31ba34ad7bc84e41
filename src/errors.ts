/** Every error that sluice throws carries one stable code from the closed list here; the code fixes the exit status and whether a retry is safe. */

/**
 * The closed list of codes, each with the exit status of a process that ends with it:
 * 1 internal · 2 usage · 4 reject limit · 5 transient, the same call may succeed later · 6 permanent · 7 verification · 130 interrupted.
 * docs/errors.md has a heading for each; a test compares the two.
 */
export const errorExitCodes = {
  SLUICE_INTERNAL: 1,
  SLUICE_USAGE: 2,
  SLUICE_PLAN_REFUSED: 2,
  SLUICE_SCHEME_UNKNOWN: 2,
  SLUICE_PACKAGE_MISSING: 2,
  SLUICE_FORMAT_UNKNOWN: 2,
  SLUICE_SOURCE_MISSING: 2,
  SLUICE_SOURCE_NOT_A_FILE: 2,
  SLUICE_SOURCE_EMPTY: 2,
  SLUICE_SOURCE_DENIED: 6,
  SLUICE_SOURCE_CHANGED: 6,
  SLUICE_SOURCE_INVALID: 6,
  SLUICE_SOURCE_READ: 5,
  SLUICE_LOAD_UNKNOWN: 2,
  SLUICE_LOAD_BUSY: 5,
  SLUICE_LABEL_TAKEN: 2,
  SLUICE_TABLE_UNKNOWN: 2,
  SLUICE_COLUMN_UNKNOWN: 2,
  SLUICE_WHERE_INVALID: 2,
  SLUICE_EMBEDDER_UNKNOWN: 2,
  SLUICE_EMBEDDER_MISMATCH: 2,
  SLUICE_EMBEDDER_ANSWER: 6,
  SLUICE_EMBEDDER_UNAVAILABLE: 5,
  SLUICE_CACHE_UNUSABLE: 6,
  SLUICE_DIMENSION_MISMATCH: 2,
  SLUICE_INDEX_UNUSABLE: 6,
  SLUICE_KEYS_DOUBLED: 6,
  SLUICE_REJECT_LIMIT: 4,
  SLUICE_DELETE_LIMIT: 4,
  SLUICE_CONFIG_INVALID: 2,
  SLUICE_SOURCES_DISAGREE: 2,
  SLUICE_SOURCE_TOO_LARGE: 6,
  SLUICE_FENCED: 5,
  SLUICE_TARGET_LOCKED: 5,
  SLUICE_TARGET_FULL: 5,
  SLUICE_TARGET_READ_ONLY: 6,
  SLUICE_TARGET_NOT_A_DATABASE: 6,
  SLUICE_TARGET_MISSING: 2,
  SLUICE_TARGET_UNREACHABLE: 5,
  SLUICE_TARGET_TIMEOUT: 5,
  SLUICE_TARGET_BUSY: 5,
  SLUICE_TARGET_DENIED: 6,
  SLUICE_TARGET_FAILED: 6,
  SLUICE_LINK_LOST: 5,
  SLUICE_LEDGER_VERSION: 6,
  SLUICE_VERIFY_MISMATCH: 7,
  SLUICE_LANE_DIED: 5,
  SLUICE_CLOSED: 2,
  SLUICE_CANCELLED: 130,
} as const;

/** A stable error code, `SLUICE_…`. */
export type ErrorCode = keyof typeof errorExitCodes;

/** What may go with an error besides its message. */
export interface ErrorDetail {
  /** The error underneath, kept whole. */
  readonly cause?: unknown;
  /** What to do next, one sentence or a command. */
  readonly hint?: string;
  /** Single problems, when one error speaks of several (a refused plan). */
  readonly problems?: readonly string[];
}

/** The one error class of sluice. The message says what failed and on what; `hint` says what to do. Neither holds row data or secrets. */
export class SluiceError extends Error {
  override readonly name = 'SluiceError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly problems: readonly string[];

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.hint = detail.hint;
    this.problems = detail.problems ?? [];
  }

  /** The exit status of a process that ends with this error. */
  get exitCode(): number {
    return errorExitCodes[this.code];
  }

  /** Whether the same call may succeed later without a change by the user. */
  get isTransient(): boolean {
    const exitCode = this.exitCode;
    return exitCode === 5 || exitCode === 130;
  }
}

/** Tells whether `error` is a {@link SluiceError}, optionally one with the given code. */
export function isSluiceError(error: unknown, code?: ErrorCode): error is SluiceError {
  return error instanceof SluiceError && (code === undefined || error.code === code);
}
