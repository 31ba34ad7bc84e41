/** Writes rows so that those the server refuses stay out and all others get in: by the line that the server names, by halving where it names none. */
import { readFaultyLine, toRefusal } from '../errors.ts';
import { keepRows, undoRows, type BatchTransaction } from './transaction.ts';
import { PgError } from '../link.ts';
import type { Refusal } from '../refusal.ts';
import type { SendRows } from './write-copy.ts';

export interface Quarantine {
  readonly transaction: BatchTransaction;
  readonly send: SendRows;
  /** Rows sent at a time while all goes well: what a refused row among them takes back is sent again. */
  readonly maxRows: number;
  readonly refuse: (row: number, refusal: Refusal) => void;
  /** Asked after a refused row: true leaves the rest to the caller. */
  readonly givesUp?: (error: PgError) => boolean;
}

/** Rows taken by the server, and those that were left to the caller. */
export interface Quarantined {
  readonly taken: number;
  readonly rest: Int32Array;
}

/** After a refused row: short stretches, as there may be more, then ever longer ones. */
const minRows = 16;
const growth = 4;

/**
 * Writes the rows in order. A row of which the server says the line costs the rows before it once more; without a line a refused row among n costs about
 * 2 · log₂ n statements.
 * @throws errors that are no row's fault, as they came
 */
export async function writeQuarantined(quarantine: Quarantine, rows: Int32Array): Promise<Quarantined> {
  const { transaction, maxRows } = quarantine;
  let taken = 0;
  let from = 0;
  let size = maxRows;
  while (from < rows.length) {
    if (from > 0) await keepRows(transaction);
    const stretch = rows.subarray(from, from + size);
    const result = await tryRows(quarantine, stretch);
    taken += result.taken;
    from += result.count;
    if (result.error === undefined) size = Math.min(maxRows, size * growth);
    else if (result.count === 0) size = Math.ceil(stretch.length / 2);
    else size = Math.min(maxRows, Math.max(minRows, result.count * growth));
    if (result.error !== undefined && quarantine.givesUp?.(result.error) === true) break;
  }
  return { taken, rest: rows.subarray(from) };
}

/** What became of a stretch: rows settled from its start, how many of them the server took, and the refusal, if there was one. */
interface Tried {
  readonly count: number;
  readonly taken: number;
  readonly error: PgError | undefined;
}

async function tryRows(quarantine: Quarantine, rows: Int32Array): Promise<Tried> {
  const { transaction, send } = quarantine;
  try {
    return { count: rows.length, taken: await send(rows), error: undefined };
  } catch (error) {
    const refusal = error instanceof PgError ? toRefusal(error) : undefined;
    if (refusal === undefined || !(error instanceof PgError)) throw error;
    await undoRows(transaction);
    await keepRows(transaction);
    const line = rows.length === 1 ? 1 : readLine(error, rows.length);
    // Nobody says which row it was, and the statement fails as a whole: fewer rows next time.
    if (line === undefined) return { count: 0, taken: 0, error };
    const taken = await resendRows(quarantine, rows.subarray(0, line - 1));
    if (taken === undefined) return { count: 0, taken: 0, error };
    quarantine.refuse(rows[line - 1] ?? 0, refusal);
    return { count: line, taken, error };
  }
}

function readLine(error: PgError, count: number): number | undefined {
  const line = readFaultyLine(error);
  return line !== undefined && line >= 1 && line <= count ? line : undefined;
}

/** The rows before the faulty one, which were good so far. Refused after all (another session was quicker, or the line was wrong): undefined, and nothing of them is written. */
async function resendRows({ transaction, send }: Quarantine, rows: Int32Array): Promise<number | undefined> {
  if (rows.length === 0) return 0;
  try {
    return await send(rows);
  } catch (error) {
    if (!(error instanceof PgError) || toRefusal(error) === undefined) throw error;
    await undoRows(transaction);
    return undefined;
  }
}
