/** Finds rows of a batch with equal keys and chooses one of each by the declared order: the last for upsert, the first for skip. Equality is the table's own. */
import type { Batch } from '../../../rows/batch.ts';
import type { Scalar } from '../../../rows/schema.ts';
import { quoteIdentifier } from '../../sql-text.ts';
import { keepRows, readRunOptions } from './transaction.ts';
import type { TableWriter } from './writer.ts';
import { dropStaged, ordinal, type Stage } from './staging.ts';
import type { WireColumn } from '../wire-column.ts';

/** The rows that give way, each with the row that was chosen instead. */
export type Repeats = ReadonlyMap<number, number>;

/** Types whose values are equal exactly when sluice's forms of them are. Texts too, where no collation calls different ones equal and no length cuts them. */
const exactTypes: ReadonlySet<string> = new Set(['int2', 'int4', 'int8', 'uuid']);

function isExact({ type, column }: WireColumn, hasLooseTexts: boolean): boolean {
  if (type.isArray) return false;
  if (type.name === 'text' && column.type === 'text') return !hasLooseTexts;
  return exactTypes.has(type.name) && (column.type === 'integer' || column.type === 'uuid');
}

/** Whether keys can be compared here; else the server is asked. */
export function canCompare({ keyColumns, hasLooseTexts, mergesNulls }: TableWriter): boolean {
  return keyColumns.every((column) => isExact(column, hasLooseTexts)) && !mergesNulls;
}

/** Takes the rows that give way out of the stage. */
export async function dropRepeats(stage: Stage, rows: Int32Array): Promise<Repeats> {
  const { writer, transaction, batch } = stage.sending;
  const repeats = canCompare(writer) ? compareKeys(writer, batch, rows) : await askRepeats(stage);
  if (repeats.size > 0) {
    await dropStaged(stage, [...repeats.keys()]);
    await keepRows(transaction);
  }
  return repeats;
}

/** Of rows with equal keys all but the chosen one. */
export function compareKeys({ plan, keyColumns }: TableWriter, { columns, values }: Batch, rows: Int32Array): Repeats {
  const keys = keyColumns.map(({ column }) => {
    const data = values[columns.findIndex(({ name }) => name === column.name)];
    return data?.kind === 'scalar' ? data.values : [];
  });
  const repeats = new Map<number, number>();
  const chosen = new Map<Scalar, number>();
  // Walked from the row that wins, so that whoever comes second gives way.
  for (let index = 0; index < rows.length; index++) {
    const row = rows[plan.mode === 'upsert' ? rows.length - 1 - index : index] ?? 0;
    const key = joinKey(keys, row);
    if (key === null) continue;
    const first = chosen.get(key);
    if (first === undefined) chosen.set(key, row);
    else repeats.set(row, first);
  }
  return repeats;
}

/** One value that is equal for equal keys; null where a column is: those equal nothing. */
function joinKey(keys: readonly (readonly Scalar[])[], row: number): Scalar {
  const [first] = keys;
  if (keys.length === 1) return normalize(first?.[row] ?? null);
  const parts = keys.map((values) => values[row] ?? null);
  return parts.includes(null)
    ? null
    : parts.map((part) => String(normalize(part)).replaceAll('\\', '\\\\').replaceAll('|', '\\p')).join('|');
}

/** As it is sent: what is no character of Unicode goes as the mark for that. */
function normalize(value: Scalar): Scalar {
  return typeof value === 'string' && !value.isWellFormed() ? value.toWellFormed() : value;
}

async function askRepeats({ table, sending: { writer, transaction } }: Stage): Promise<Repeats> {
  const names = writer.keyColumns.map(({ column }) => quoteIdentifier(column.name));
  const isSet = writer.mergesNulls ? 'true' : names.map((name) => `${name} IS NOT NULL`).join(' AND ');
  const order = writer.plan.mode === 'upsert' ? 'DESC' : 'ASC';
  const sql = `SELECT r.row, r.chosen FROM (
  SELECT ${ordinal} AS row, first_value(${ordinal}) OVER (PARTITION BY ${names.join(', ')} ORDER BY ${ordinal} ${order}) AS chosen FROM ${table} WHERE ${isSet}
) r WHERE r.chosen <> r.row`;
  const { rows } = await writer.link.query(sql, [], readRunOptions(transaction));
  return new Map(rows.map(({ row, chosen }) => [Number(row), Number(chosen)]));
}
