/** Takes the rows of a load out of its table again, by the load id that provenance wrote beside each. One transaction deletes, notes how many, and marks the load: all of it or nothing. */
import { SluiceError } from '../../errors.ts';
import { refuseUnknownOptions, type NamesOf } from '../../option-names.ts';
import { clearControl, makeControls } from '../../ledger/controls.ts';
import { findDeletion, forgetKeys, recordDeletion } from '../../ledger/deletions.ts';
import { parseDigest } from '../../ledger/digest.ts';
import { count } from '../../ledger/fields.ts';
import type { LedgerLoad } from '../../ledger/reading.ts';
import { makeDeletions } from '../../ledger/schema.ts';
import { endLoad } from '../../ledger/statements.ts';
import { markUndone, replacePlan, returnRejects } from '../../ledger/undo.ts';
import type { Connection, DeleteRequest, Statement } from '../../target/driver.ts';
import { connect } from '../../target/registry.ts';
import { hideSecrets } from '../../secret-text.ts';
import { quoteIdentifier } from '../../target/sql-text.ts';
import { writeCommand } from './command-text.ts';
import { hasProvenance, provenanceNames } from '../lane/row-origin.ts';
import { parseRunPlan, type RunPlan } from '../plan/run-plan.ts';
import { chooseLoad } from '../session/session.ts';
import { isAlive, ledgerNames, openLedger, type LedgerOptions } from './status.ts';

/** Options of {@link undo}. */
export interface UndoOptions extends LedgerOptions {
  /** Id or label. Never guessed: the newest load need not be the one that is meant. */
  readonly load: string;
  /** Counts the rows that would go, and deletes none. */
  readonly isDryRun?: boolean | undefined;
  readonly lockTimeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const undoNames: NamesOf<UndoOptions> = { ...ledgerNames, isDryRun: true, lockTimeoutMs: true, signal: true };

/** What was taken out, or would be. */
export interface UndoReport {
  readonly schema: 1;
  readonly load: string;
  readonly label: string | undefined;
  readonly target: string;
  readonly table: string;
  /** undone: it was done now · nothing_to_do: an earlier undo did it · planned: a dry run. */
  readonly state: 'undone' | 'nothing_to_do' | 'planned';
  /** Rows that bear the load's id. */
  readonly deleted: number;
  /** What an undo can't give back. */
  readonly warnings: readonly string[];
}

/**
 * Deletes the rows that a load wrote last, counts them in the ledger, and marks the load as undone: the same input can then be loaded again. Rows that later loads
 * updated are theirs and stay; what this load updated or replaced does not come back.
 * @throws SLUICE_LOAD_UNKNOWN; SLUICE_USAGE for a load without provenance, or one that runs; SLUICE_TARGET_…
 */
export async function undo(options: UndoOptions): Promise<UndoReport> {
  refuseUnknownOptions('undo', options, undoNames);
  const reader = await openLedger(options.in, options.lockTimeoutMs);
  let found: LedgerLoad;
  try {
    found = await chooseLoad(reader, options.load);
    if (found.state === 'undone')
      return describe(options, found, { state: 'nothing_to_do', deleted: await readDeleted(reader, found.load) });
    await refuseUnfit(reader, found, options.in);
    if (options.isDryRun === true) return describe(options, found, { state: 'planned', deleted: await countRows(reader, found) });
  } finally {
    await reader.close();
  }
  return describe(options, found, { state: 'undone', deleted: await takeOut(options, found) });
}

/** @throws SLUICE_USAGE */
async function refuseUnfit(reader: Connection, found: LedgerLoad, target: string): Promise<void> {
  const { load, mode, table } = found;
  if (mode === 'batch')
    throw new SluiceError('SLUICE_USAGE', `${load} is a batch of statements; what they did can't be undone.`, {
      hint: 'Run statements that undo it.',
    });
  if (await isAlive(reader, found)) {
    throw new SluiceError('SLUICE_USAGE', `Load ${load} is running.`, { hint: `Stop it first: ${writeCommand('cancel', target, load)}` });
  }
  if (!hasProvenance(readPlan(found).table.columns)) {
    throw new SluiceError('SLUICE_USAGE', `Load ${load} wrote no provenance, so its rows can't be told from others in ${table}.`, {
      hint: 'Delete them by a condition of your own: sluice delete. Loads with --provenance can be undone.',
    });
  }
  const description = await reader.describe(table);
  if (description?.columns.some(({ name }) => name === provenanceNames.load) === true) return;
  throw new SluiceError(
    'SLUICE_TABLE_UNKNOWN',
    description === undefined ? `The table ${table} is not there.` : `The table ${table} has no column ${provenanceNames.load} any more.`,
    { hint: 'Without it nothing tells which rows the load wrote.' },
  );
}

function readPlan(found: LedgerLoad): RunPlan {
  return parseRunPlan(found.plan, found.load);
}

async function countRows(reader: Connection, { load, table }: LedgerLoad): Promise<number> {
  const sql = `SELECT count(*) AS n FROM ${quoteIdentifier(table)} WHERE ${provenanceNames.load} = ?`;
  const rows = await reader.query({ sql, parameters: [load] });
  return rows[0] === undefined ? 0 : count(rows[0], 'n');
}

async function readDeleted(reader: Connection, load: string): Promise<number> {
  if ((await reader.describe('sluice_deletions')) === undefined) return 0;
  const rows = await reader.query(findDeletion(load, 'undone'));
  return rows[0] === undefined ? 0 : count(rows[0], 'deleted_count');
}

async function takeOut({ in: target, lockTimeoutMs, signal }: UndoOptions, found: LedgerLoad): Promise<number> {
  const { load, state, table } = found;
  const connection = await connect(target, { signal, ...(lockTimeoutMs === undefined ? {} : { lockTimeoutMs }) });
  try {
    if (connection.deleteRows === undefined) {
      throw new SluiceError('SLUICE_USAGE', `${connection.capabilities.name} has no way to delete rows with their account.`, {
        hint: `Delete the rows whose ${provenanceNames.load} is ${load} yourself.`,
      });
    }
    // Tables that a ledger of an earlier sluice lacks; and a load that a dead process left is no longer running.
    await connection.transact([makeControls, makeDeletions, ...(state === 'running' ? [endLoad(load, 'cancelled')] : [])]);
    const noted = noteLabel(found);
    const closing: readonly Statement[] = [markUndone(load), replacePlan(load, noted.plan), returnRejects(load), clearControl(load)];
    const request: DeleteRequest = {
      table,
      key: readPlan(found).table.key,
      // An id is digits, letters and hyphens; a quote in it would be doubled all the same.
      rows: { where: `${quoteIdentifier(provenanceNames.load)} = '${load.replaceAll("'", "''")}'` },
      record: ({ count: deleted, digest }) => [
        recordDeletion(load, 'undone', deleted),
        ...closing,
        ...settleDigest(noted, deleted, digest),
      ],
      signal,
      lockTimeoutMs,
    };
    const { deleted } = await connection.deleteRows(request);
    // Nothing was there to delete, so nothing was recorded with it.
    if (deleted === 0) await connection.transact([recordDeletion(load, 'undone', 0), ...closing]);
    return deleted;
  } finally {
    await connection.close();
  }
}

/** The label is free again, and still finds the load until another one takes it. */
function noteLabel(found: LedgerLoad): LedgerLoad {
  return { ...found, plan: JSON.stringify({ ...readPlan(found), undoneLabel: found.label }) };
}

/**
 * The ledger's digest without the keys that are gone. A target that can't tell their digest deleted all that the load ever added, or the keys of the table are
 * no longer known from here on: then its rows are only counted.
 */
function settleDigest(found: LedgerLoad, deleted: number, digest: string | undefined): readonly Statement[] {
  const plan = readPlan(found);
  if (digest !== undefined) return [forgetKeys(found.load, parseDigest(digest))];
  if (plan.table.settings['tracksKeys'] !== true) return [];
  const isWhole = deleted === found.added && (found.mode === 'insert' || found.mode === 'skip');
  if (isWhole) return [forgetKeys(found.load, found.digest)];
  const table = { ...plan.table, settings: { ...plan.table.settings, tracksKeys: false } };
  return [replacePlan(found.load, JSON.stringify({ ...plan, table }))];
}

function describe({ in: target }: UndoOptions, found: LedgerLoad, what: Pick<UndoReport, 'state' | 'deleted'>): UndoReport {
  const { load, table } = found;
  const label = found.label ?? readPlan(found).undoneLabel;
  return { schema: 1, load, label, target: hideSecrets(target), table, ...what, warnings: listWarnings(found, what.deleted) };
}

function listWarnings({ added, counts, mode }: LedgerLoad, deleted: number): readonly string[] {
  const warnings: string[] = [];
  if (mode === 'upsert' || mode === 'sync')
    warnings.push('Rows that the load updated are deleted too: what they held before does not come back.');
  if (mode === 'sync') warnings.push('Rows that the load deleted as vanished do not come back.');
  if (mode === 'replace') warnings.push('The table that the load replaced does not come back.');
  if (deleted < Math.min(added, counts.written))
    warnings.push('Some rows of the load were updated by later loads, or deleted since; those are not touched.');
  return warnings;
}
