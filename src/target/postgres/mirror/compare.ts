/** Compares rows of a batch with the stored ones: sent once, brought to the table's types and set beside them by the server; only what differs comes back. */
import { SluiceError } from '../../../errors.ts';
import type { Batch } from '../../../rows/batch.ts';
import type { CompareRequest, RowComparison } from '../../driver.ts';
import { quoteIdentifier } from '../../sql-text.ts';
import { readCatalogTable, type CatalogColumn, type CatalogTable } from '../catalog/table.ts';
import { isArbiter } from '../catalog/schema.ts';
import { readTogether } from '../catalog/transaction.ts';
import { defaultLockTimeoutMs } from '../finish/lock.ts';
import { cutRows, listAllRows } from '../commit/write-insert.ts';
import { toRefusal } from '../errors.ts';
import { PgError, type PgLink } from '../link.ts';
import { quoteName, quoteTable } from '../qualified-name.ts';
import { runInTransaction } from '../transaction.ts';
import { canEncode } from '../wire/encode-field.ts';
import { checkBatch } from '../wire/encode-check.ts';
import { encodeSent, pairColumn, placeColumn, writeSent, type SentColumn } from './sent-values.ts';

/** States of {@link RowComparison}. */
const absent = 0;
const differs = 1;
const equal = 2;

/** What a comparison is made of; the same for all batches of one shape. */
export interface Comparer {
  readonly id: string;
  readonly sql: string;
  readonly sent: readonly SentColumn[];
  /** Names of what the flags of an answer speak of, in their order. */
  readonly flagged: readonly string[];
}

export interface CompareOptions {
  readonly lockTimeoutMs?: number | undefined;
  /** Of an earlier call on the same link; made anew where it is for something else. */
  readonly known: Comparer | undefined;
}

/** How long one piece of a batch may take behind a pooler, which can't be asked whether the server is at work: 1 MB of rows and one probe of an index for each. */
const blindTimeoutMs = 600_000;

/**
 * The comparison, and the comparer for the next batch.
 * @throws SLUICE_TABLE_UNKNOWN, SLUICE_COLUMN_UNKNOWN, SLUICE_TARGET_LOCKED; LinkLostError (landed: no)
 */
export async function compareRows(
  link: PgLink,
  request: CompareRequest,
  options: CompareOptions,
): Promise<{ readonly comparison: RowComparison; readonly comparer: Comparer }> {
  const id = JSON.stringify([request.table, request.key, request.compared, request.filled, request.batch.columns]);
  const comparer = options.known?.id === id ? options.known : await readTogether(link, options, () => openComparer(link, request, id));
  const comparison = { states: new Uint8Array(request.batch.rowCount).fill(equal), differing: new Map<number, readonly string[]>() };
  const wires = comparer.sent.map(({ wire }) => wire);
  const unfit = checkBatch(wires, request.batch);
  // What the columns can't hold is not what they hold: the commit will refuse it, with its reason.
  for (const [row, { column }] of unfit) markDiffering(comparison, row, column === undefined ? [] : [column]);
  const rows = listAllRows(request.batch).filter((row) => !unfit.has(row));
  const settings = [
    'SET TRANSACTION READ ONLY',
    `SET LOCAL lock_timeout = ${String(Math.max(1, Math.round(options.lockTimeoutMs ?? defaultLockTimeoutMs)))}`,
    // The planner takes an estimate for many look-ups as a reason to compile, which takes longer than they do.
    'SET LOCAL jit = off',
  ];
  const asking: Asking = { link, comparer, batch: request.batch, comparison, signal: request.signal };
  for (const some of cutRows(request.batch, rows)) await comparePiece(asking, some, settings);
  return { comparison, comparer };
}

function markDiffering(comparison: Writable, row: number, columns: readonly string[]): void {
  comparison.states[row] = differs;
  comparison.differing.set(row, columns);
}

interface Writable {
  readonly states: Uint8Array;
  readonly differing: Map<number, readonly string[]>;
}

interface Asking {
  readonly link: PgLink;
  readonly comparer: Comparer;
  readonly batch: Batch;
  readonly comparison: Writable;
  readonly signal: AbortSignal | undefined;
}

/** One piece in a transaction of its own, which settings for it need. A value that the cast refuses would be refused by an INSERT too; its row is found by halving. */
async function comparePiece(asking: Asking, rows: Int32Array, settings: readonly string[]): Promise<void> {
  try {
    await runInTransaction(asking.link, () => askPiece(asking, rows), settings);
  } catch (error) {
    if (!(error instanceof PgError) || toRefusal(error) === undefined) throw error;
    const [only] = rows;
    if (rows.length === 1 && only !== undefined) {
      markDiffering(asking.comparison, only, error.fields.column === undefined ? [] : [error.fields.column]);
      return;
    }
    const half = Math.ceil(rows.length / 2);
    await comparePiece(asking, rows.subarray(0, half), settings);
    await comparePiece(asking, rows.subarray(half), settings);
  }
}

async function askPiece({ link, comparer, batch, comparison, signal }: Asking, rows: Int32Array): Promise<void> {
  const { sql, sent, flagged } = comparer;
  const timeoutMs = link.ownsSession ? undefined : blindTimeoutMs;
  const result = await link.queryEncoded(sql, encodeSent(sent, batch, rows), { signal, timeoutMs });
  for (const answer of result.rows) {
    const row = rows[Number(answer['place']) - 1] ?? 0;
    const { flags } = answer;
    if (typeof flags !== 'string') comparison.states[row] = absent;
    else
      markDiffering(
        comparison,
        row,
        flagged.filter((_, at) => flags[at] === '1'),
      );
  }
}

async function openComparer(link: PgLink, request: CompareRequest, id: string): Promise<Comparer> {
  const found = await readCatalogTable(link, request.table);
  if (found === undefined) {
    throw new SluiceError('SLUICE_TABLE_UNKNOWN', `There is no table ${quoteTable(request.table)} in ${link.place}.`, {
      hint: 'It was dropped or renamed; load it again.',
    });
  }
  const pick = (name: string): SentColumn => {
    const stored = findColumn(link, found, name);
    const column = request.batch.columns.find((each) => each.name === name);
    if (column === undefined) throw new SluiceError('SLUICE_INTERNAL', `The batch has no column ${name} to compare.`);
    const pair = pairColumn(column, stored);
    if (canEncode(pair.wire)) return pair;
    throw new SluiceError(
      'SLUICE_COLUMN_UNKNOWN',
      `The column ${name} of ${quoteTable(request.table)} is now ${stored.declaredType}, which values of type ${column.type} can't be compared with.`,
      { hint: 'It was altered since the load: change it back, or load anew.' },
    );
  };
  const key = request.key.map(pick);
  const compared = request.compared.filter((name) => !request.key.includes(name)).map(pick);
  // Keys that the table calls equal may be written otherwise: AB and ab of a collation without case.
  const loose = key.filter(({ stored, wire }) => request.compared.includes(wire.column.name) && !isPlain(stored));
  const flags = [
    ...[...loose, ...compared].map(({ stored }) => ({ name: stored.name, test: writeDiffers(stored) })),
    ...(request.filled ?? []).map((name) => ({ name, test: `t.${quoteIdentifier(findColumn(link, found, name).name)} IS NULL` })),
  ];
  const sent = [...key, ...compared];
  const tests = flags.map(({ test }) => test);
  return { id, sql: writeSql(found, { key, sent, tests }), sent, flagged: flags.map(({ name }) => name) };
}

function findColumn({ place }: PgLink, found: CatalogTable, name: string): CatalogColumn {
  const column = found.columns.find((each) => each.name === name);
  if (column !== undefined) return column;
  throw new SluiceError('SLUICE_COLUMN_UNKNOWN', `The table ${quoteName(found)} in ${place} has no column ${name}.`, {
    hint: 'It was altered since the load was planned: add the column again, or load anew with --again.',
  });
}

/** Types whose values are equal exactly when they are the same. Not among them: numeric (1.0 = 1.00), floats (0 = -0), jsonb, citext, intervals. */
const plainTypes: ReadonlySet<string> = new Set(
  'int2 int4 int8 oid bool uuid date time timestamp timestamptz bytea text varchar name'.split(' '),
);

function isPlain({ baseName, elementOid, isDeterministic }: CatalogColumn): boolean {
  return elementOid === 0 && isDeterministic && plainTypes.has(baseName);
}

/**
 * Whether the stored value `t` is another than the sent one `s`. By the image of the value where equality is looser than that, or missing (json), or an operator of an
 * extension that may not be on the search path. The image of a composite holds more than its fields: it is compared as text.
 */
function writeDiffers(stored: CatalogColumn): string {
  const name = quoteIdentifier(stored.name);
  if (isPlain(stored)) return `t.${name} IS DISTINCT FROM s.${name}`;
  if (stored.baseKind === 'c' || stored.elementKind === 'c') return `t.${name}::text IS DISTINCT FROM s.${name}::text`;
  // Without the casts the server takes the operator to be one between the fields.
  return `ROW(t.${name})::record OPERATOR(pg_catalog.*<>) ROW(s.${name})::record`;
}

interface Parts {
  readonly key: readonly SentColumn[];
  readonly sent: readonly SentColumn[];
  readonly tests: readonly string[];
}

/** Answers the places of rows that the table lacks (`flags` null) and of those that differ, with a 1 for each column in which they do. */
function writeSql(found: CatalogTable, { key, sent, tests }: Parts): string {
  // Rows of tables that inherit from this one are others' rows; partitions are its own.
  const table = `${found.kind === 'p' ? '' : 'ONLY '}${quoteName(found)} t`;
  const match = key.map(({ stored: { name } }) => `t.${quoteIdentifier(name)} = s.${quoteIdentifier(name)}`).join(' AND ');
  const list = tests.map((test) => `(${test})::int`).join('::text || ');
  const flags = tests.length === 0 ? `''` : `CASE WHEN ${tests.join(' OR ')} THEN ${list}::text ELSE '' END`;
  const names = key.map(({ stored }) => stored.name);
  const isUnique = found.indexes.some(
    (index) =>
      isArbiter(index) && index.columns.length === names.length && index.columns.every((name) => name !== null && names.includes(name)),
  );
  if (isUnique) {
    return `SELECT s.${placeColumn} AS place, o.flags FROM ${writeSent(sent)} s
LEFT JOIN LATERAL (SELECT ${flags} AS flags FROM ${table} WHERE ${match} OFFSET 0) o ON true WHERE o.flags IS DISTINCT FROM ''`;
  }
  // Of several rows with the key one that is equal will do. Without an index each look-up would read the whole table, so the planner may choose another join.
  return `SELECT place, flags FROM (SELECT DISTINCT ON (s.${placeColumn}) s.${placeColumn} AS place, CASE WHEN t.tableoid IS NOT NULL THEN ${flags} END AS flags
FROM ${writeSent(sent)} s LEFT JOIN ${table} ON ${match} ORDER BY 1, 2 NULLS LAST) o WHERE flags IS DISTINCT FROM ''`;
}
