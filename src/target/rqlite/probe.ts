/** Asks the server what it would make of single rows, without a trace: which it would refuse and why, which it would pass over, which keys it knows. */
import type { Refusal } from '../sqlite/errors.ts';
import { LinkLostError, readLanded } from '../link.ts';
import { callData, toStatementError, toWholeError, type Answer, type Entry } from './answer.ts';
import { readRefusal } from './refusal.ts';
import { failAlways, runTransaction, type TransactionEnd } from './transaction.ts';
import { unwrapTrial, wrapTrial } from './trial.ts';
import { askKnown, writeInsert, writeTail, type RowRun } from './writer.ts';

/** What would become of a row. */
export type RowForecast =
  { readonly kind: 'refused'; readonly refusal: Refusal } | { readonly kind: 'taken'; readonly changes: number; readonly isKnown: boolean };

/** Forecasts for rows, in their order: each sees what those before it would have done. */
export async function forecastRows(
  run: RowRun,
  rows: readonly number[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<number, RowForecast>> {
  return run.settings.isRowwise ? forecastStepwise(run, rows, signal) : forecastAtOnce(run, rows, signal);
}

interface Questions {
  readonly statements: readonly string[];
  /** Place of each row's INSERT; its key is asked for one place before. */
  readonly places: readonly number[];
  readonly asksKeys: boolean;
}

function writeQuestions(run: RowRun, rows: readonly number[]): Questions {
  const asksKeys = run.plan.mode === 'upsert';
  const tail = writeTail(run.plan);
  const statements: string[] = [];
  const places: number[] = [];
  for (const row of rows) {
    if (asksKeys) statements.push(askKnown(run, row));
    places.push(statements.length);
    statements.push(writeInsert(run, [row], tail));
  }
  return { statements, places, asksKeys };
}

function readTaken(entries: readonly Entry[], place: number, asksKeys: boolean): RowForecast {
  return {
    kind: 'taken',
    changes: entries[place]?.rowsAffected ?? 0,
    isKnown: asksKeys && (entries[place - 1]?.rowsAffected ?? 0) > 0,
  };
}

/** The refusal in an error of the INSERT of a row, in words of the table that the caller named. */
function toRowRefusal(run: RowRun, error: string): Refusal {
  const refusal = readRefusal(error, run.settings.guardsRows);
  if (refusal === undefined) throw toStatementError(run.link, error);
  return { ...refusal, message: refusal.message.replaceAll(run.plan.writesTo, run.plan.table) };
}

/** All rows in one request, within a savepoint that is rolled back. Only for tables whose clauses can't end a transaction. */
async function forecastAtOnce(
  run: RowRun,
  rows: readonly number[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<number, RowForecast>> {
  const { statements, places, asksKeys } = writeQuestions(run, rows);
  const sent = wrapTrial(statements);
  const answer = await askTraceless(() =>
    callData(run.link, { route: 'execute', parameters: ['noparse'], statements: sent, isRead: false, signal }),
  );
  const entries = unwrapTrial(run.link, checkWhole(run, answer, sent.length).entries);
  const forecasts = new Map<number, RowForecast>();
  rows.forEach((row, index) => {
    const place = places[index] ?? 0;
    const error = entries[place]?.error;
    forecasts.set(row, error === undefined ? readTaken(entries, place, asksKeys) : { kind: 'refused', refusal: toRowRefusal(run, error) });
  });
  return forecasts;
}

function checkWhole(run: RowRun, answer: Answer, count: number): Answer {
  if (answer.error !== undefined) throw toWholeError(run.link, answer.error, true);
  if (answer.entries.length === count) return answer;
  throw new LinkLostError('no', `${run.link.address.label} answered ${String(answer.entries.length)} of ${String(count)} statements.`);
}

/** A look that leaves no trace may be taken again, however it ended. */
async function askTraceless<Result>(ask: () => Promise<Result>): Promise<Result> {
  try {
    return await ask();
  } catch (error) {
    if (readLanded(error) !== 'unknown') throw error;
    throw new LinkLostError('no', error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/**
 * In a transaction that fails at its end, and tells of the statements before it all the same: RAISE(ROLLBACK) and ON CONFLICT ROLLBACK end it and nothing
 * more. Each round finds one refused row.
 */
async function forecastStepwise(
  run: RowRun,
  rows: readonly number[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<number, RowForecast>> {
  const forecasts = new Map<number, RowForecast>();
  for (;;) {
    const open = rows.filter((row) => forecasts.get(row)?.kind !== 'refused');
    const { statements, places, asksKeys } = writeQuestions(run, open);
    const end = await askTraceless(() => runTransaction(run.link, [...statements, failAlways], { signal, skipsParsing: true }));
    if (end.kind !== 'failed') throw unexpected(run, end);
    if (end.index === statements.length) {
      open.forEach((row, index) => forecasts.set(row, readTaken(end.entries, places[index] ?? 0, asksKeys)));
      return forecasts;
    }
    const guilty = open[places.indexOf(end.index)];
    if (guilty === undefined) throw toStatementError(run.link, end.error);
    forecasts.set(guilty, { kind: 'refused', refusal: toRowRefusal(run, end.error) });
  }
}

function unexpected(run: RowRun, end: TransactionEnd): Error {
  return toStatementError(run.link, end.kind === 'refused' ? end.error : 'a statement that must fail did not');
}
