/** What the loads before this one mean for its plan: whether it was done, what stands against the table, how far an earlier session came. Reads only. */
import { countRowsAhead, hasLedger } from '../../ledger/reading.ts';
import type { Source } from '../../source/source.ts';
import type { Connection, TableDescription, TablePlan } from '../../target/driver.ts';
import type { LoadOptions } from '../options.ts';
import { tellAwaitedKey } from './awaited-key.ts';
import type { ColumnPlan } from './column-plan.ts';
import { findEarlier, type Earlier } from './earlier.ts';
import { findEmbedderProblem } from './planned-embeds.ts';

export interface LedgerQuestion {
  readonly options: LoadOptions;
  readonly source: Source;
  readonly connection: Connection;
  readonly fingerprint: string;
  readonly columns: ColumnPlan;
  readonly table: TablePlan;
  readonly description: TableDescription | undefined;
}

export interface LedgerAnswer {
  readonly earlier: Earlier | undefined;
  /** Loads with the same fingerprint. */
  readonly count: number;
  /** With the problems and warnings that the ledger knows of. */
  readonly columns: ColumnPlan;
  /** Rows that an earlier session read out of turn; of a load with a limit that goes on. */
  readonly rowsAhead: number;
}

export async function askLedger(question: LedgerQuestion): Promise<LedgerAnswer> {
  const { connection, columns, options, table } = question;
  if (!(await hasLedger(connection))) return { earlier: undefined, count: 0, columns, rowsAhead: 0 };
  const { earlier, count } = await findEarlier(question);
  const embedder = await findEmbedderProblem(connection, table, columns);
  const settled = await tellAwaitedKey(columns, { connection, options, table, description: question.description, earlier });
  const isLimited = options.limit !== undefined && earlier?.what === 'resumes';
  return {
    earlier,
    count,
    columns: embedder === undefined ? settled : { ...settled, problems: [...settled.problems, embedder] },
    rowsAhead: isLimited ? await countRowsAhead(connection, earlier.load.load) : 0,
  };
}
