/** Writes a batch's rejects into the ledger, many a statement. */
import type { Batch, Reject } from '../../../rows/batch.ts';
import { insertReject } from '../../../ledger/statements.ts';
import type { Mark, RejectKeeping } from '../../driver.ts';
import { encodeArrays } from '../wire/arrays.ts';
import { keepRows, readRunOptions, undoRows, type BatchTransaction } from './transaction.ts';
import { PgError, type EncodedParameter } from '../link.ts';
import type { Refusal } from '../refusal.ts';
import type { WireColumn } from '../wire-column.ts';
import { listAllRows } from './write-insert.ts';

/** A statement carries at most this many rejects and about this many characters of them. */
const maxRejects = 10_000;
const maxCharacters = 4 * 1024 * 1024;

const insertRejectsSql = `INSERT INTO sluice_rejects (load, shard, shard_row, byte_offset, shard_line, class, code, column_name, message, raw, is_cut)
SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`;

const textType = { name: 'text', oid: 25, typmod: -1, isArray: false, elementOid: 0, kind: 'base' } as const;
const integerType = { ...textType, name: 'int8', oid: 20 } as const;

/** The parameters of {@link insertReject}, in its order. */
const rejectColumns: readonly WireColumn[] = [
  ['load', textType],
  ['shard', integerType],
  ['shard_row', integerType],
  ['byte_offset', integerType],
  ['shard_line', integerType],
  ['class', textType],
  ['code', textType],
  ['column_name', textType],
  ['message', textType],
  ['raw', textType],
  ['is_cut', integerType],
].map(([name, type]) => ({
  column: { name, field: name, type: type === textType ? 'text' : 'integer', isNullable: true },
  type,
})) as readonly WireColumn[];

/** Places of the row and of its mark among the parameters. */
const rawIndex = 9;
const isCutIndex = 10;

type RejectRow = (string | number | bigint | null)[];

/** The rejects of the rows that the target refused, in the order of the batch. */
export function listRejects(batch: Batch, refused: ReadonlyMap<number, Refusal>): readonly Reject[] {
  return [...refused].sort(([a], [b]) => a - b).map(([row, refusal]) => toReject(batch, row, refusal));
}

function toReject({ places }: Batch, row: number, { code, message, column }: Refusal): Reject {
  return {
    code,
    message,
    ...(column === undefined ? {} : { column }),
    row: places.rows[row] ?? 0,
    offset: places.offsets[row] ?? 0,
    line: places.lines[row] ?? 0,
    raw: places.raw(row),
  };
}

export async function writeRejects(
  transaction: BatchTransaction,
  rejects: readonly Reject[],
  { mark, keeping }: { readonly mark: Mark; readonly keeping: RejectKeeping },
): Promise<void> {
  let rows: RejectRow[] = [];
  let characters = 0;
  for (const reject of rejects) {
    const row = toRow(reject, mark, keeping);
    rows.push(row);
    characters += String(row[rawIndex] ?? '').length;
    if (rows.length < maxRejects && characters < maxCharacters) continue;
    await sendRejects(transaction, rows);
    rows = [];
    characters = 0;
  }
  if (rows.length > 0) await sendRejects(transaction, rows);
}

/** PostgreSQL's texts hold neither NUL nor half a surrogate pair: a row with one is kept with a mark in its place, and counts as cut. */
function toRow(reject: Reject, mark: Mark, keeping: RejectKeeping): RejectRow {
  const row = insertReject(mark, reject, keeping).parameters.map((value) => (value instanceof Uint8Array ? null : value));
  const raw = row[rawIndex];
  if (typeof raw !== 'string') return row;
  const kept = raw.toWellFormed().replaceAll('\u0000', '\ufffd');
  if (kept === raw) return row;
  return row.with(rawIndex, kept).with(isCutIndex, 1);
}

async function sendRejects(transaction: BatchTransaction, rows: readonly RejectRow[]): Promise<void> {
  const { link } = transaction;
  await keepRows(transaction);
  try {
    await link.queryEncoded(insertRejectsSql, encodeRejects(rows), readRunOptions(transaction));
  } catch (error) {
    if (!isUntranslatable(error)) throw error;
    await undoRows(transaction);
    const bare = rows.map((row) => row.with(rawIndex, null).with(isCutIndex, 1));
    await link.queryEncoded(insertRejectsSql, encodeRejects(bare), readRunOptions(transaction));
  }
}

/** One array a column, as rows of a load by INSERT. */
function encodeRejects(rows: readonly RejectRow[]): readonly EncodedParameter[] {
  const nowhere = new Float64Array();
  const batch: Batch = {
    columns: rejectColumns.map(({ column }) => column),
    values: rejectColumns.map((_, index) => ({ kind: 'scalar', values: rows.map((row) => row[index] ?? null) })),
    rowCount: rows.length,
    byteCount: 0,
    places: { offsets: nowhere, rows: nowhere, lines: nowhere, raw: () => '' },
  };
  return encodeArrays(rejectColumns, batch, listAllRows(batch));
}

/** In a database that is not in UTF-8 some characters have no place: then the reject stays without its row. */
function isUntranslatable(error: unknown): boolean {
  return error instanceof PgError && (error.sqlState === '22P05' || error.sqlState === '22021');
}
