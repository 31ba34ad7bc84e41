/** What the end of a load is told: the load, its plan, and who listens. */
import type { FinishOptions, RejectKeeping, TablePlan } from '../../driver.ts';
import type { PgLink } from '../link.ts';

export interface FinishingLoad {
  readonly id: string;
  readonly plan: TablePlan;
  readonly options: FinishOptions;
  readonly lockTimeoutMs?: number | undefined;
  /** A second connection to watch progress with; without it none is told. */
  readonly openSecond?: (() => Promise<PgLink>) | undefined;
  /** Of rows that are refused when they are moved; as commits keep them by default. */
  readonly keeping?: RejectKeeping | undefined;
}
