/**
 * Mode sync: sets the batch in hand beside the rows that the target holds, before anything is embedded. Rows that are equal are kept out of the write.
 */
import { SluiceError } from '../../errors.ts';
import type { EmptyTextPolicy } from '../../embed/embedder.ts';
import { listLaneEmbeds } from '../lane/lane.ts';
import type { Batch, ColumnValues, Reject } from '../../rows/batch.ts';
import { findNullKeys, keepRows, pickColumns } from '../../rows/batch-keys.ts';
import type { CompareRequest, RowComparison } from '../../target/driver.ts';
import type { Lane, LaneSync } from '../lane/lane.ts';
import type { Event } from './protocol.ts';
import { isCancellation, readStop, timeStage, type Cut, type Run } from './run.ts';
import { meetLoss, reconnect } from './send.ts';

/** Splits the batch in hand by what the target holds; the event of a stop, or undefined to go on. */
export async function compareCut(run: Run): Promise<Event | undefined> {
  const { lane } = run;
  const { sync } = lane;
  if (sync === undefined || run.cut === undefined) return undefined;
  run.cut = refuseNullKeys(run.cut, sync.key);
  const { cut } = run;
  if (cut.batch.rowCount === 0) return undefined;
  const { table, key, compared, filled } = sync;
  const answer = await askTarget(run, { table, key, batch: cut.batch, compared, filled, signal: lane.aborting });
  if (typeof answer === 'string') return answer;
  run.cut = splitCut(cut, sync, passEmptyTexts(lane, cut.batch, answer));
  // What goes on is a copy of its rows: the memory of the vectors serves the next batch.
  if (run.cut.batch !== cut.batch) lane.builder.reuse(cut.batch);
  return undefined;
}

/** A row without a key can be set beside no other, nor be found again. */
function refuseNullKeys(cut: Cut, key: readonly string[]): Cut {
  const nulls = findNullKeys(cut.batch, key);
  if (nulls.size === 0) return cut;
  const { places } = cut.batch;
  const rejects = [...nulls].map(([row, column]): Reject => ({
    code: 'VALUE_NULL',
    message: `The key column ${column} is null, and mode sync knows rows by their key.`,
    column,
    row: places.rows[row] ?? 0,
    offset: places.offsets[row] ?? 0,
    line: places.lines[row] ?? 0,
    raw: places.raw(row),
  }));
  const batch = keepRows(cut.batch, (row) => !nulls.has(row));
  return { ...cut, batch, rejects: [...cut.rejects, ...rejects].sort((a, b) => a.row - b.row) };
}

/**
 * Asks which rows are equal. A question leaves nothing behind, so after a broken link it is asked again over a new connection, as often as a commit is sent.
 *
 * What it answers may be out of date when the batch is committed: somebody else may have written the row meanwhile. A row that differed is then written over theirs,
 * as if they had come before the load; a row that was equal stays as they left it, as if they had come after it. No other lane writes it: it has another key, or is
 * refused as the second row of its key.
 */
async function askTarget(run: Run, request: CompareRequest): Promise<RowComparison | Event> {
  const { lane } = run;
  for (;;) {
    try {
      const answer = await timeStage(lane, 'check', () => ask(run, request));
      run.losses = 0;
      return answer;
    } catch (error) {
      if (isCancellation(error, lane.aborting)) return readStop(lane);
      meetLoss(run, error);
    }
    let event: Event;
    do event = await reconnect(run);
    while (event === 'unreachable');
    if (event !== 'reconnected') return event;
  }
}

async function ask({ lane }: Run, request: CompareRequest): Promise<RowComparison> {
  const connection = await lane.connection();
  if (connection.compareRows !== undefined) return connection.compareRows(request);
  throw new SluiceError('SLUICE_INTERNAL', 'The driver says that it can mirror a table, and has no way to compare rows.');
}

/** Rows without a text have no vector where the policy says so: an empty vector column is what they are to have. */
function passEmptyTexts(lane: Lane, batch: Batch, answer: RowComparison): RowComparison {
  const passing = listLaneEmbeds(lane).filter(({ emptyText }) => emptyText === ('null' satisfies EmptyTextPolicy));
  if (passing.length === 0) return answer;
  const states = answer.states.slice();
  for (const [row, names] of answer.differing) {
    const isEmpty = (name: string): boolean =>
      passing.some(({ from, into }) => lane.columns[into]?.name === name && hasNoText(batch.values[from], row));
    if (names.every(isEmpty)) states[row] = 2;
  }
  return { ...answer, states };
}

function hasNoText(texts: ColumnValues | undefined, row: number): boolean {
  const text = texts?.kind === 'scalar' ? (texts.values[row] ?? null) : null;
  return text === null || (typeof text === 'string' && text.trim() === '');
}

function splitCut(cut: Cut, { key }: LaneSync, { states }: RowComparison): Cut {
  if (states.length !== cut.batch.rowCount)
    throw new SluiceError('SLUICE_INTERNAL', `The target compared ${states.length} of ${cut.batch.rowCount} rows.`);
  if (!states.includes(2)) return cut;
  const kept = keepRows(pickColumns(cut.batch, key), (row) => states[row] === 2);
  return { ...cut, batch: keepRows(cut.batch, (row) => states[row] !== 2), kept };
}
