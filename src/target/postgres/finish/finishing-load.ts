/** What the end of a load is told: the load, its plan, and who listens. */
import type { FinishOptions, TablePlan } from '../../driver.ts';
import type { PgLink } from '../link.ts';

export interface FinishingLoad {
  readonly id: string;
  readonly plan: TablePlan;
  readonly options: FinishOptions;
  readonly lockTimeoutMs?: number | undefined;
  /** A second connection to watch progress with; without it none is told. */
  readonly openSecond?: (() => Promise<PgLink>) | undefined;
}
