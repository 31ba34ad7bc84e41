/** Why the target, or a check on its behalf, refuses a row; without any of the row's values. */
import type { RejectCode } from '../../rows/batch.ts';

export interface Refusal {
  readonly code: RejectCode;
  /** Names the SQLSTATE and the constraint where the server refused: `PostgreSQL 23505: unique constraint items_pkey`. */
  readonly message: string;
  /** Column of the target that is to blame, where one is. */
  readonly column: string | undefined;
}
