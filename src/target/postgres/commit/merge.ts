/** Writes a batch in mode upsert or skip: rows wait in a staging table, of those with equal keys one is chosen by the declared order, one statement brings the chosen ones in. */
import { SluiceError } from '../../../errors.ts';
import { addDigest } from '../../../ledger/digest.ts';
import { quoteIdentifier, quoteList } from '../../sql-text.ts';
import type { ResultRow } from '../../driver.ts';
import { encodeArrays, hasArrayForm } from '../wire/arrays.ts';
import { addCounts, createTally, type Tally } from './counts.ts';
import { canCompare, compareKeys, dropRepeats, type Repeats } from './repeats.ts';
import { keepRows, readRunOptions, undoRows } from './transaction.ts';
import { dropViolators } from './violators.ts';
import type { TableWriter } from './writer.ts';
import { toRefusal } from '../errors.ts';
import { writeKeyDigest } from '../wire/key-hash.ts';
import { PgError } from '../link.ts';
import { writeQuarantined } from './quarantine.ts';
import type { Refusal } from '../refusal.ts';
import { closeStage, emptyStage, fillStage, indexStage, openStage, ordinal, type Stage } from './staging.ts';
import { checkNow, withChecks, type Sending } from './write-copy.ts';
import { cutRows } from './write-insert.ts';

/** After this many rounds rows whose chosen ones were refused again and again are written one by one. */
const maxRounds = 8;

/** Writes the rows of the batch at `rows`. */
export async function mergeRows(sending: Sending, rows: Int32Array, tally: Tally): Promise<void> {
  if (isDirect(sending.writer, rows.length) && (await mergeDirectly(sending, rows, tally))) return;
  const stage = await openStage(sending);
  if (stage === undefined) throw toDenied(sending.writer);
  let candidates = rows;
  for (let round = 1; candidates.length > 0; round++) {
    if (round > 1) await emptyStage(stage);
    const count = round > maxRounds ? 1 : candidates.length;
    const left = await mergeRound(stage, candidates.subarray(0, count), tally);
    candidates = Int32Array.from([...left, ...candidates.subarray(count)]);
  }
  await closeStage(stage);
}

function toDenied({ plan, link }: TableWriter): SluiceError {
  return new SluiceError(
    'SLUICE_TARGET_DENIED',
    `Mode ${plan.mode} needs a table for rows to wait in, and this role may not make one in ${link.place}.`,
    {
      hint: 'Ask for GRANT TEMPORARY ON DATABASE …, or for GRANT CREATE ON SCHEMA … of the table.',
    },
  );
}

/** Writes the chosen ones of the rows and answers those whose chosen one was refused. */
async function mergeRound(stage: Stage, rows: Int32Array, tally: Tally): Promise<readonly number[]> {
  const { sending } = stage;
  const refused = new Map<number, Refusal>();
  const refuse = (row: number, refusal: Refusal): void => void refused.set(row, refusal);
  const staged = await fillStage(stage, rows, refuse);
  const repeats = await dropRepeats(stage, staged);
  const chosen = repeats.size === 0 ? staged : staged.filter((row) => !repeats.has(row));
  const send = async (some: Int32Array): Promise<number> => {
    // Counted once the stretch stands: what is deferred may still object to it.
    const own = createTally();
    const count = await withChecks(sending, (checked) => sendMerge(stage, checked, own))(some);
    addCounts(tally, own);
    return count;
  };
  try {
    await send(chosen);
  } catch (error) {
    if (!(error instanceof PgError) || toRefusal(error) === undefined) throw error;
    await undoRows(sending.transaction);
    const dropped = await dropViolators(stage, { names: undefined, asksUnique: false, refuse });
    await indexStage(stage);
    const rest = chosen.filter((row) => !dropped.has(row));
    await writeQuarantined({ transaction: sending.transaction, send, maxRows: rest.length, refuse }, rest);
  }
  await keepRows(sending.transaction);
  for (const [row, refusal] of refused) tally.refused.set(row, refusal);
  return settleRepeats(sending.writer, repeats, tally);
}

/** Rows that gave way to one that was written are done for: replaced at once, or skipped. The others get another round. */
function settleRepeats({ plan }: TableWriter, repeats: Repeats, tally: Tally): readonly number[] {
  const left: number[] = [];
  for (const [row, chosen] of repeats) {
    if (tally.refused.has(chosen)) left.push(row);
    else if (plan.mode === 'upsert') tally.written++;
    else tally.skipped++;
  }
  return left.sort((a, b) => a - b);
}

/** Making a stage takes as long as writing some thousand small rows; a sync mostly has a few that differ. */
const maxDirectRows = 1_000;

/** By INSERT rows need not wait: the stage would be written by INSERT too, and take as long again (384 floats: 22 and 15k rows/s on a busy machine). */
function isDirect(writer: TableWriter, rowCount: number): boolean {
  if (writer.isPartitioned || !writer.columns.every(hasArrayForm)) return false;
  // The rows of a sync have different keys, as those that don't were refused when their keys were noted.
  if (writer.seen !== undefined) return writer.settings.way === 'insert' || rowCount <= maxDirectRows;
  return writer.settings.way === 'insert' && canCompare(writer);
}

/** Writes the chosen ones of the rows straight into the table. False, and nothing of them is written, when one was refused: the stage tells which. */
async function mergeDirectly({ writer, transaction, batch }: Sending, rows: Int32Array, tally: Tally): Promise<boolean> {
  const repeats: Repeats = writer.seen === undefined ? compareKeys(writer, batch, rows) : new Map();
  const chosen = repeats.size === 0 ? rows : rows.filter((row) => !repeats.has(row));
  const source = `unnest(${writer.columns.map((_, index) => `$${index + 1}`).join(', ')}) AS s (${writer.columnList})`;
  const sql = writeMerge(writer, source);
  const own = createTally();
  try {
    for (const some of cutRows(batch, chosen)) {
      const { rows: answer } = await writer.link.queryEncoded(sql, encodeArrays(writer.columns, batch, some), readRunOptions(transaction));
      countMerged(own, answer[0], some.length);
    }
    if (writer.hasDeferred) await writer.link.script(checkNow, readRunOptions(transaction));
  } catch (error) {
    if (!(error instanceof PgError) || toRefusal(error) === undefined) throw error;
    await undoRows(transaction);
    return false;
  }
  addCounts(tally, own);
  settleRepeats(writer, repeats, tally);
  return true;
}

/** Brings the staged rows between the first and the last of `rows` in, and counts them; no staged row between two of them is left out. */
async function sendMerge({ table, sending: { writer, transaction } }: Stage, rows: Int32Array, tally: Tally): Promise<number> {
  const sql = writeMerge(writer, `${table} s WHERE s.${ordinal} BETWEEN $1 AND $2`);
  const result = await writer.link.query(sql, [rows[0] ?? 0, rows.at(-1) ?? -1], readRunOptions(transaction));
  countMerged(tally, result.rows[0], rows.length);
  return rows.length;
}

function countMerged(tally: Tally, answer: ResultRow | undefined, count: number): void {
  const { changed, added, high, low } = answer ?? {};
  tally.written += Number(changed);
  tally.skipped += count - Number(changed);
  tally.added += Number(added);
  addDigest(tally.digest, { high: Number(high), low: Number(low) });
}

/** The statement answers how many rows it changed, and of those that the table did not have their number and the digest of their keys. Rows come as `s`. */
function writeMerge(writer: TableWriter, source: string): string {
  const { plan, keyColumns, settings, columnList } = writer;
  const key = keyColumns.map(({ column, type }) => ({ name: column.name, type }));
  const digest = settings.tracksKeys ? writeKeyDigest(key) : { high: '0', low: '0' };
  const keyList = quoteList(plan.key);
  const insert = `INSERT INTO ${writer.table} AS t (${columnList}) SELECT ${columnList} FROM ${source} ON CONFLICT (${keyList}) ${writeAction(writer)}`;
  const counts = `SELECT (SELECT count(*) FROM merged)::int8 AS changed, count(*)::int8 AS added, coalesce(${digest.high}, 0)::int8 AS high, coalesce(${digest.low}, 0)::int8 AS low`;
  if (plan.mode === 'skip') return `WITH merged AS (${insert} RETURNING ${writeKeys(writer)}) ${counts} FROM merged`;
  if (!writer.isPartitioned) {
    // A row that was there is locked by the statement before it is replaced, which shows in the new version's xmax.
    return `WITH merged AS (${insert} RETURNING t.xmax = 0 AS sluice_is_new, ${writeKeys(writer)}) ${counts} FROM merged WHERE sluice_is_new`;
  }
  const match = plan.key.map((name) => `o.${quoteIdentifier(name)} = s.${quoteIdentifier(name)}`).join(' AND ');
  const fresh = `SELECT ${keyList} FROM ${source} AND NOT EXISTS (SELECT FROM ${writer.table} o WHERE ${match})`;
  return `WITH fresh AS (${fresh}), merged AS (${insert} RETURNING 1) ${counts} FROM fresh`;
}

function writeKeys({ plan }: TableWriter): string {
  return plan.key.map((name) => `t.${quoteIdentifier(name)}`).join(', ');
}

function writeAction({ plan }: TableWriter): string {
  if (plan.mode === 'skip') return 'DO NOTHING';
  const others = plan.columns.map((column) => column.name).filter((name) => !plan.key.includes(name));
  // With nothing but a key each row still counts as written, so the old one is locked and kept.
  const updated = others.length > 0 ? others : plan.key;
  return `DO UPDATE SET ${updated.map((name) => `${quoteIdentifier(name)} = excluded.${quoteIdentifier(name)}`).join(', ')}`;
}
