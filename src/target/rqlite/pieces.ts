/** The statements for a piece of a batch, and what they will have done: counts are known before anything is sent, so that the ledger's mark can go with the rows. */
import { addKey, emptyDigest, type KeyDigest } from '../../ledger/digest.ts';
import type { Refusal } from '../sqlite/errors.ts';
import { countKeysPerStatement, findKnown, writeAllKnown } from './keys.ts';
import { forecastRows } from './probe.ts';
import { guardChanges, guardCondition } from './transaction.ts';
import { guardKnown, readKey, readKeyText, writeInsert, writeTail, type RowRun } from './writer.ts';

/** Rows of a batch that go in one request. */
export interface Piece {
  readonly from: number;
  readonly to: number;
  /** Row by row, because a statement of many rows failed or would not tell enough. */
  readonly isSingle: boolean;
}

/** What a piece is sent as. */
export interface PreparedPiece {
  readonly statements: readonly string[];
  /** The rows that statement `i` writes, for the blame; undefined for guards. */
  readonly rows: readonly (readonly number[] | undefined)[];
  readonly written: number;
  readonly skipped: number;
  readonly added: number;
  readonly digest: KeyDigest;
  readonly refused: ReadonlyMap<number, Refusal>;
}

interface Draft {
  readonly statements: string[];
  readonly rows: (readonly number[] | undefined)[];
  readonly refused: Map<number, Refusal>;
  readonly digest: KeyDigest;
  written: number;
  skipped: number;
  added: number;
}

function push(draft: Draft, statement: string, rows?: readonly number[]): void {
  draft.statements.push(statement);
  draft.rows.push(rows);
}

function countAdded(run: RowRun, draft: Draft, row: number): void {
  draft.added += 1;
  if (run.settings.tracksKeys) addKey(draft.digest, readKey(run, row));
}

/** Many rows a statement. */
function pushBlocks(run: RowRun, draft: Draft, block: { readonly rows: readonly number[]; readonly tail: string }): void {
  const size = Math.max(1, run.settings.rowsPerStatement);
  for (let from = 0; from < block.rows.length; from += size) {
    const part = block.rows.slice(from, from + size);
    push(draft, writeInsert(run, part, block.tail), part);
  }
}

/**
 * Readies a piece; rows known to be refused are in `excluded`.
 * @throws LinkLostError `no`; SLUICE_TARGET_…; BodyTooLarge from the questions that are asked first
 */
export async function preparePiece(
  run: RowRun,
  piece: Piece,
  options: { readonly excluded: ReadonlyMap<number, Refusal>; readonly signal: AbortSignal | undefined },
): Promise<PreparedPiece> {
  const draft: Draft = { statements: [], rows: [], refused: new Map(), digest: emptyDigest(), written: 0, skipped: 0, added: 0 };
  const rows: number[] = [];
  for (let row = piece.from; row < piece.to; row++) {
    const refusal = options.excluded.get(row) ?? run.encoder.refused.get(row);
    if (refusal === undefined) rows.push(row);
    else draft.refused.set(row, refusal);
  }
  const meetsKeys = run.plan.mode === 'upsert' || run.plan.mode === 'skip';
  if (piece.isSingle) await draftSingly(run, draft, { rows, signal: options.signal });
  else if (meetsKeys) await draftByKey(run, draft, rows);
  else draftPlainly(run, draft, rows);
  return draft;
}

function draftPlainly(run: RowRun, draft: Draft, rows: readonly number[]): void {
  pushBlocks(run, draft, { rows, tail: '' });
  draft.written += rows.length;
  for (const row of rows) countAdded(run, draft, row);
}

/**
 * Upsert and skip: which keys are there is asked first, and the transaction fails where that is no longer so. New rows go without ON CONFLICT, and
 * so fail on a key that came meanwhile; those whose key is there, or came earlier in the piece, follow in their order.
 */
async function draftByKey(run: RowRun, draft: Draft, rows: readonly number[]): Promise<void> {
  const { table, key } = { table: run.plan.writesTo, key: run.plan.key };
  const known = await findKnown(
    run.link,
    { table, key },
    rows.map((row) => readKey(run, row)),
  );
  const seen = new Set<string>();
  const fresh: number[] = [];
  const later: number[] = [];
  const stored: number[] = [];
  rows.forEach((row, index) => {
    const text = readKeyText(run, row);
    const isFirst = !seen.has(text);
    seen.add(text);
    if (known.has(index) && isFirst) stored.push(row);
    (known.has(index) || !isFirst ? later : fresh).push(row);
  });
  const size = countKeysPerStatement(key.length);
  for (let from = 0; from < stored.length; from += size) {
    const keys = stored.slice(from, from + size).map((row) => readKey(run, row));
    const { condition, parameters } = writeAllKnown({ table, key }, keys);
    push(draft, guardCondition(condition, parameters), stored.slice(from, from + size));
  }
  pushBlocks(run, draft, { rows: fresh, tail: '' });
  for (const row of fresh) countAdded(run, draft, row);
  draft.written += fresh.length;
  if (run.plan.mode === 'skip') {
    draft.skipped += later.length;
    return;
  }
  pushBlocks(run, draft, { rows: later, tail: writeTail(run.plan) });
  draft.written += later.length;
}

interface Singles {
  readonly rows: readonly number[];
  readonly signal: AbortSignal | undefined;
}

/** Each row is forecast, and what is sent then fails where the forecast does not hold. */
async function draftSingly(run: RowRun, draft: Draft, { rows, signal }: Singles): Promise<void> {
  const forecasts = await forecastRows(run, rows, signal);
  const taken: number[] = [];
  for (const [row, forecast] of forecasts) {
    if (forecast.kind === 'refused') draft.refused.set(row, forecast.refusal);
    else taken.push(row);
  }
  taken.sort((left, right) => left - right);
  const isPlain = run.plan.mode === 'insert' || run.plan.mode === 'replace';
  if (isPlain && !run.settings.isRowwise) {
    draftPlainly(run, draft, taken);
    return;
  }
  const tail = writeTail(run.plan);
  for (const row of taken) {
    const forecast = forecasts.get(row);
    if (forecast?.kind !== 'taken') continue;
    if (run.plan.mode === 'upsert') push(draft, guardKnown(run, row, forecast.isKnown), [row]);
    push(draft, writeInsert(run, [row], tail), [row]);
    push(draft, guardChanges(forecast.changes), [row]);
    if (forecast.changes === 0) {
      draft.skipped += 1;
      continue;
    }
    draft.written += 1;
    if (!forecast.isKnown) countAdded(run, draft, row);
  }
}
