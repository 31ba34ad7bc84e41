/**
 * Runs a unit's statements inside its open transaction, in stretches of many per round trip. A stretch begins with a savepoint where a statement's failure must not
 * undo its neighbours; after a failure what stood before it is run once more, as a stretch of its own. So the server keeps few subtransactions (beyond 64 of them it slows
 * all sessions down), and a unit in which everything fails takes one round trip a statement. What a transaction does not undo shows that a statement was run twice:
 * a sequence skips a number.
 */
import type { StatementShape } from '../../../sql/shape-contract.ts';
import type { StatementAnswer } from '../../batch-contract.ts';
import { isConflict } from '../errors.ts';
import type { PgError, StepResult } from '../link.ts';
import { readAnswer } from './answer.ts';
import { nameMissingType, type PreparedStatement } from './prepared.ts';
import { toStatementError } from './statement-error.ts';
import { keepStretch, sendSteps, toErrorAnswer, undoStretch, type UnitRun } from './unit-run.ts';

/** Of a stretch. More gains nothing: 1,000 small INSERTs are 60 kB, and the server is at work long before they have all been written. */
const maxStretchBytes = 256 * 1024;
const maxStretchStatements = 1000;

/** A stretch without a failure lets the next one be so much longer. */
const growth = 4;

/** done: all have their answers · failed: the transaction is to be undone, for the last answer · conflict: it is to be run again after a while · again: at once, a statement was mended. */
export type RunEnd = 'done' | 'failed' | 'conflict' | 'again';

/** Where a stretch ended before its end. `error`: the statement there failed · `missed`: its condition did not hold, and the row in the way is wanted before anything else changes it. */
type Stop =
  | { readonly kind: 'error'; readonly at: number; readonly error: PgError }
  | { readonly kind: 'rows'; readonly at: number }
  | { readonly kind: 'missed'; readonly at: number };

interface KnownStop {
  readonly at: number;
  readonly answer: StatementAnswer;
  /** Of an INSERT that met a row with its key. */
  readonly error: PgError | undefined;
}

/** What is known of the statements in front: how far the next stretch may go at most, and the answer of the one behind it. */
interface Pace {
  at: number;
  /** Most statements of the next stretch. */
  size: number;
  /** Of a failure: the stretch in front of it is run first. */
  known: KnownStop | undefined;
  /** The next stretch ends here; undefined: where it is full. */
  end: number | undefined;
}

export async function runStatements(run: UnitRun): Promise<RunEnd> {
  const pace: Pace = { at: 0, size: maxStretchStatements, known: undefined, end: undefined };
  while (pace.at < run.statements.length) {
    const error = run.statements[pace.at]?.error;
    const fixed = error === undefined ? await takeKnown(run, pace) : toErrorAnswer(error);
    if (fixed !== undefined) {
      run.answers[pace.at++] = fixed;
      if (fixed.status === 'error' && run.isAtomic) return 'failed';
      continue;
    }
    const end = await runStretch(run, pace);
    if (end !== undefined) return end;
  }
  return 'done';
}

async function takeKnown(run: UnitRun, pace: Pace): Promise<StatementAnswer | undefined> {
  if (pace.known?.at !== pace.at) return undefined;
  const { at, answer, error } = pace.known;
  pace.known = undefined;
  return answer.status === 'not_applied' ? describeMiss(run, at, error) : answer;
}

/** What is said of a condition that did not hold: with the row in the way, where it is asked for and can be told. */
async function describeMiss(run: UnitRun, at: number, error: PgError | undefined): Promise<StatementAnswer> {
  const preparation = run.statements[at];
  if (!run.unit.statusRows || preparation?.ready === undefined) return { status: 'not_applied' };
  const row = await run.existing.find(run, preparation.ready, error);
  return { status: 'not_applied', ...(row !== undefined && { row }) };
}

/** The statements of the next stretch: up to one that can't be sent. */
function takeStretch(run: UnitRun, pace: Pace): readonly PreparedStatement[] {
  const stretch: PreparedStatement[] = [];
  const end = Math.min(pace.end ?? pace.known?.at ?? Infinity, pace.at + pace.size);
  let byteCount = 0;
  for (let at = pace.at; at < end; at++) {
    const ready = run.statements[at]?.ready;
    if (ready === undefined || (stretch.length > 0 && byteCount + ready.byteCount > maxStretchBytes)) break;
    stretch.push(ready);
    byteCount += ready.byteCount;
  }
  return stretch;
}

async function runStretch(run: UnitRun, pace: Pace): Promise<RunEnd | undefined> {
  const stretch = takeStretch(run, pace);
  const { results, error } = await sendSteps(
    run,
    stretch.map(({ step }) => step),
  );
  const answers = results.map((result, index) => readAnswer(result, (stretch[index] as PreparedStatement).text.shape));
  const stop = findStop(run, { pace, stretch, results, answers, error });
  if (stop === undefined || (stop.kind === 'missed' && stop.at === pace.at + stretch.length - 1)) {
    keepAnswers(run, pace, answers);
    if (stop !== undefined) run.answers[stop.at] = await describeMiss(run, stop.at, undefined);
    return undefined;
  }
  // No disk, no memory, no more of what the server was configured for: not the statement's fault, and the next ones would fail alike.
  if (stop.kind === 'error' && stop.error.sqlState.startsWith('53')) throw stop.error;
  if (stop.kind === 'error' && run.givesWay && isConflict(stop.error)) return 'conflict';
  if (stop.kind === 'error' && nameMissingType(run.statements, stop.at, stop.error)) return runAgain(run, pace, stop);
  return settleStop(run, { pace, stop, answers });
}

/** From the savepoint, or the whole unit where there is none. */
function runAgain(run: UnitRun, pace: Pace, stop: Stop): RunEnd | undefined {
  if (!run.usesSavepoints) return 'again';
  run.due = undoStretch;
  pace.end = undefined;
  pace.known = undefined;
  pace.size = Math.max(1, stop.at - pace.at);
  return undefined;
}

function keepAnswers(run: UnitRun, pace: Pace, answers: readonly StatementAnswer[]): void {
  for (const answer of answers) run.answers[pace.at++] = answer;
  if (run.usesSavepoints) run.due = keepStretch;
  pace.end = undefined;
  pace.size = Math.min(maxStretchStatements, pace.size * growth);
}

interface StretchResult {
  readonly pace: Pace;
  readonly stretch: readonly PreparedStatement[];
  readonly results: readonly StepResult[];
  readonly answers: readonly StatementAnswer[];
  readonly error: PgError | undefined;
}

function findStop(run: UnitRun, { pace, stretch, results, answers, error }: StretchResult): Stop | undefined {
  for (const [index, result] of results.entries()) {
    const at = pace.at + index;
    if (result.isSuspended && result.rows.length > run.unit.maxRows) return { kind: 'rows', at };
    if (run.unit.statusRows && answers[index]?.status === 'not_applied' && stretch[index]?.text.shape.table !== undefined)
      return { kind: 'missed', at };
  }
  return error === undefined ? undefined : { kind: 'error', at: pace.at + results.length, error };
}

interface StopRequest {
  readonly pace: Pace;
  readonly stop: Stop;
  readonly answers: readonly StatementAnswer[];
}

/** The stretch is undone, and what stood before the stop is due again. */
function settleStop(run: UnitRun, { pace, stop, answers }: StopRequest): RunEnd | undefined {
  const answer = readStop(run, stop);
  if (run.isAtomic && answer?.status === 'error') {
    for (const kept of answers.slice(0, stop.at - pace.at)) run.answers[pace.at++] = kept;
    run.answers[pace.at++] = answer;
    return 'failed';
  }
  run.due = undoStretch;
  pace.size = Math.max(1, 2 * (stop.at - pace.at));
  // One whose condition did not hold is run again with those in front of it, and nothing behind it.
  pace.end = answer === undefined ? stop.at + 1 : undefined;
  pace.known = answer === undefined ? undefined : { at: stop.at, answer, error: stop.kind === 'error' ? stop.error : undefined };
  return undefined;
}

/** Whether an INSERT met a row of its own table. What a trigger writes elsewhere has a CONTEXT; a partition, which has a name of its own, has none. */
function metOwnKey({ sqlState, fields }: PgError, { verb, table }: StatementShape): boolean {
  if (verb !== 'INSERT' || sqlState !== '23505') return false;
  return fields.where === undefined || fields.table?.toLowerCase() === table?.name.text.toLowerCase();
}

/** The answer of the statement that stopped the stretch; undefined when it has to be run again to be told. */
function readStop({ unit, statements }: UnitRun, stop: Stop): StatementAnswer | undefined {
  if (stop.kind === 'missed') return undefined;
  if (stop.kind === 'rows')
    return toErrorAnswer({ code: 'BATCH_TOO_MANY_ROWS', message: `The statement gives more than ${unit.maxRows} rows.` });
  const shape = statements[stop.at]?.ready?.text.shape;
  if (unit.onConflict === 'not_applied' && shape !== undefined && metOwnKey(stop.error, shape)) return { status: 'not_applied' };
  return toErrorAnswer(toStatementError(stop.error));
}
