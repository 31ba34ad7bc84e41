/** Writes the rows of a batch that meet nothing by design (modes insert and replace, staged loads): straight into the table, and sifted when many are refused. */
import { addCounts, countInserted, type Tally } from './counts.ts';
import { beginBatch, keepRows, readRunOptions, undoRows } from './transaction.ts';
import { dropViolators, type Asking } from './violators.ts';
import type { TableWriter } from './writer.ts';
import { readFaultyLine, toRefusal } from '../errors.ts';
import { PgError } from '../link.ts';
import { writeQuarantined } from './quarantine.ts';
import type { Refusal } from '../refusal.ts';
import { closeStage, emptyStage, fillStage, indexStage, openStage, ordinal, type Stage } from './staging.ts';
import { checkNow, createCopySender, withChecks, type Sending, type SendRows } from './write-copy.ts';
import { createInsertSender } from './write-insert.ts';

/**
 * Rows in one COPY: a refused one takes back those before it, on average half of them, so 1 of 10⁶ rows costs 1.2 % of the load. A COPY more for each costs
 * 0.3 ms of some 20 (loopback).
 */
const maxCopyRows = 25_000;

/**
 * Each refused row found by its line costs six answers of the server: from this many on a batch is sifted, at the cost of writing its rows twice. 50 in batches of
 * 50,000 cost 2.0 × the clean load sifted, 3.3 × line by line.
 */
const maxSingleRefusals = 16;

/** Writes the rows of the batch at `rows`. */
export async function insertRows(sending: Sending, rows: Int32Array, tally: Tally): Promise<void> {
  const { writer } = sending;
  const refusedBefore = tally.refused.size;
  const rest = writer.expectsRefusals ? rows : await insertDirectly(sending, rows, tally);
  if (rest.length > 0) await siftRows(sending, rest, tally);
  writer.expectsRefusals = tally.refused.size - refusedBefore > maxSingleRefusals;
}

/** Writes straight into the table and answers the rows that were left to be sifted. */
async function insertDirectly(sending: Sending, rows: Int32Array, tally: Tally): Promise<Int32Array> {
  const { writer, transaction, batch } = sending;
  const refused = new Map<number, Refusal>();
  const result = await writeQuarantined(
    {
      transaction,
      send: createTableSender(sending),
      maxRows: maxCopyRows,
      refuse: (row, refusal) => refused.set(row, refusal),
      givesUp: (error) => {
        suspect(writer, error);
        // Foreign keys are looked at when the COPY is over, and named without a line: one question finds all such rows, halving asks many.
        const isDear = refused.size > maxSingleRefusals || readFaultyLine(error) === undefined;
        return isDear && writer.staging !== 'none' && error.sqlState.startsWith('23');
      },
    },
    rows,
  );
  if (writer.hasDeferred && !(await checksOut(sending))) {
    // Which rows it was can only be told with all of the batch at hand: from the start.
    await writer.link.script('ROLLBACK');
    await beginBatch(transaction);
    return rows;
  }
  for (const [row, refusal] of refused) tally.refused.set(row, refusal);
  const written = rows.subarray(0, rows.length - result.rest.length);
  if (result.taken === rows.length) addCounts(tally, sending.foreseen);
  else countInserted(tally, writer, { batch, rows: withoutRefused(written, refused), taken: result.taken });
  return result.rest;
}

function withoutRefused(rows: Int32Array, refused: ReadonlyMap<number, Refusal>): Int32Array {
  return refused.size === 0 ? rows : rows.filter((row) => !refused.has(row));
}

function createTableSender(sending: Sending): SendRows {
  const { writer } = sending;
  const into = { table: writer.table, shape: writer.settings.publish === 'move' ? 'places' : 'plain' } as const;
  return writer.settings.way === 'copy' ? createCopySender(sending, into) : createInsertSender(sending, into);
}

/** Whether what is deferred to the COMMIT holds; a failed answer leaves the transaction failed. */
async function checksOut({ writer, transaction }: Sending): Promise<boolean> {
  try {
    await writer.link.script(checkNow, readRunOptions(transaction));
    return true;
  } catch (error) {
    if (error instanceof PgError && toRefusal(error) !== undefined) return false;
    throw error;
  }
}

/** After this many rounds rows that gave way to refused ones are written stretch by stretch. */
const maxRounds = 8;

/**
 * Writes the rows by way of a stage, where all that constraints refuse can be found together; what is refused then is found by halving. A row that gave way to an
 * earlier one with its key gets another round when rows were refused after it for other reasons: the earlier one may be among them.
 */
async function siftRows(sending: Sending, rows: Int32Array, tally: Tally): Promise<void> {
  const { writer, transaction } = sending;
  const stage = writer.settings.publish === 'move' ? undefined : await openStage(sending);
  let left = rows;
  for (let round = 1; stage !== undefined && left.length > 0 && round <= maxRounds; round++) {
    if (round > 1) await emptyStage(stage);
    const { refused, repeats } = await siftRound(stage, left, tally);
    left = Int32Array.from(listUnsettled(refused, repeats)).sort();
    for (const row of left) refused.delete(row);
    for (const [row, refusal] of refused) tally.refused.set(row, refusal);
  }
  if (left.length > 0) await halveRows(sending, left, { send: withChecks(sending, createTableSender(sending)), tally });
  if (stage === undefined) return;
  await keepRows(transaction);
  await closeStage(stage);
}

/** Repeats, but those after which nothing else was refused: what they gave way to is in the table. */
function listUnsettled(refused: ReadonlyMap<number, Refusal>, repeats: ReadonlySet<number>): readonly number[] {
  const rows = [...refused.keys()];
  const last = refused.get(rows.at(-1) ?? -1);
  const settledFrom = rows.findLastIndex((row) => !repeats.has(row) || refused.get(row)?.message !== last?.message) + 1;
  return rows.slice(0, settledFrom).filter((row) => repeats.has(row));
}

interface Sifted {
  /** In the order in which they were refused. */
  readonly refused: Map<number, Refusal>;
  /** Those of them that gave way to an earlier row of the stage. */
  readonly repeats: Set<number>;
}

async function siftRound(stage: Stage, rows: Int32Array, tally: Tally): Promise<Sifted> {
  const { writer } = stage.sending;
  const sifted: Sifted = { refused: new Map(), repeats: new Set() };
  await fillStage(stage, rows, (row, refusal) => void sifted.refused.set(row, refusal));
  if (writer.suspects.size > 0) await dropViolators(stage, { names: writer.suspects, asksUnique: true, refuse: refuseIn(sifted) });
  await moveStaged(stage, { rows, ...sifted, tally });
  return sifted;
}

function refuseIn({ refused, repeats }: Sifted): Asking['refuse'] {
  return (row, refusal, isRepeat) => {
    refused.set(row, refusal);
    if (isRepeat) repeats.add(row);
  };
}

interface Moving extends Sifted {
  readonly rows: Int32Array;
  readonly tally: Tally;
}

/** Rows of the stage into the table. Each constraint that objects is asked once for all rows it refuses; after that, and where there is none to ask, by halving. */
async function moveStaged(stage: Stage, moving: Moving): Promise<void> {
  const { rows, refused, tally } = moving;
  const { sending } = stage;
  const { writer, transaction, batch } = sending;
  const refuse = refuseIn(moving);
  const send = withChecks(sending, createStageSender(stage));
  for (let isKnown = false; !isKnown;) {
    await keepRows(transaction);
    const left = withoutRefused(rows, refused);
    try {
      countInserted(tally, writer, { batch, rows: left, taken: await send(left) });
      return;
    } catch (error) {
      if (!(error instanceof PgError) || toRefusal(error) === undefined) throw error;
      await undoRows(transaction);
      isKnown = !suspect(writer, error) || (await dropViolators(stage, { names: writer.suspects, asksUnique: true, refuse })).size === 0;
    }
  }
  await indexStage(stage);
  const left = withoutRefused(rows, refused);
  const taken = await writeQuarantined(
    { transaction, send, maxRows: left.length, refuse: (row, refusal) => refuse(row, refusal, false) },
    left,
  );
  countInserted(tally, writer, { batch, rows: withoutRefused(left, refused), taken: taken.taken });
}

/** Remembers the constraint that an error names; false when it names none that is new. */
function suspect({ suspects }: TableWriter, { fields, sqlState }: PgError): boolean {
  const { constraint } = fields;
  if (!sqlState.startsWith('23') || constraint === undefined || suspects.has(constraint)) return false;
  suspects.add(constraint);
  return true;
}

/** Rows of the stage into the table; `rows` ascend, and no staged row between two of them is left out. */
function createStageSender({ table, sending: { writer, transaction } }: Stage): SendRows {
  const sql = `INSERT INTO ${writer.table} (${writer.columnList}) SELECT ${writer.columnList} FROM ${table} WHERE ${ordinal} BETWEEN $1 AND $2`;
  return async (rows) => {
    const { rowCount } = await writer.link.query(sql, [rows[0] ?? 0, rows.at(-1) ?? -1], readRunOptions(transaction));
    return rowCount;
  };
}

async function halveRows(
  sending: Sending,
  rows: Int32Array,
  { send, tally }: { readonly send: SendRows; readonly tally: Tally },
): Promise<void> {
  const { writer, transaction, batch } = sending;
  const refused = new Map<number, Refusal>();
  await keepRows(transaction);
  const { taken } = await writeQuarantined(
    { transaction, send, maxRows: rows.length, refuse: (row, refusal) => refused.set(row, refusal) },
    rows,
  );
  for (const [row, refusal] of refused) tally.refused.set(row, refusal);
  countInserted(tally, writer, { batch, rows: withoutRefused(rows, refused), taken });
}
