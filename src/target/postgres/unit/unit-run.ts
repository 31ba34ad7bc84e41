/** A unit in work, and the way in which its statements and those of its frame get to the server. */
import type { AnswerRow, StatementAnswer, StatementError, UnitRequest } from '../../batch-contract.ts';
import type { PgError, PgLink, PipelineOptions, PipelineResult, PipelineStep } from '../link.ts';
import { savepoint } from './opening.ts';
import type { Preparation, PreparedStatement } from './prepared.ts';

/** Finds the rows that stand in the way. */
export interface ExistingRows {
  /** `error`: of an INSERT that was refused; it names the key. undefined: no row, or it can't be told which. */
  find(run: UnitRun, statement: PreparedStatement, error: PgError | undefined): Promise<AnswerRow | undefined>;
}

/** A unit in work. Its answers fill up from the first to the last. */
export interface UnitRun {
  readonly link: PgLink;
  readonly unit: UnitRequest;
  readonly statements: Preparation[];
  readonly answers: StatementAnswer[];
  readonly options: PipelineOptions;
  /** The first error undoes all: a transaction, and one statement alone. */
  readonly isAtomic: boolean;
  readonly usesSavepoints: boolean;
  /** Whether a deadlock or a failure to serialize ends this try for another one; in the last try it is the statement's error. */
  readonly givesWay: boolean;
  readonly existing: ExistingRows;
  /** Statements that are due before the next ones of the unit: the transaction's opening, or what ends the last stretch. */
  due: readonly string[];
}

export const keepStretch: readonly string[] = [`RELEASE SAVEPOINT ${savepoint}`, `SAVEPOINT ${savepoint}`];
export const undoStretch: readonly string[] = [`ROLLBACK TO SAVEPOINT ${savepoint}`];

/** A statement of the transaction's frame, as a step. */
export function toFrameStep(sql: string): PipelineStep {
  return { sql, values: [], maxRows: 0 };
}

/** Sends what is due and the steps together. @throws PgError when what is due fails, which is nobody's statement */
export async function sendSteps(run: Pick<UnitRun, 'link' | 'options' | 'due'>, steps: readonly PipelineStep[]): Promise<PipelineResult> {
  const frame = run.due.map(toFrameStep);
  if (frame.length + steps.length === 0) return { results: [], error: undefined };
  const { results, error } = await run.link.pipeline([...frame, ...steps], run.options);
  if (error !== undefined && results.length < frame.length) throw error;
  run.due = [];
  return { results: results.slice(frame.length), error };
}

export function toErrorAnswer(error: StatementError): StatementAnswer {
  return { status: 'error', error };
}
