/** The verb delete: rows by key or by a condition, all in one transaction or none, counted, and noted in the ledger so that verify still adds up. */
import { randomBytes } from 'node:crypto';
import { SluiceError } from '../errors.ts';
import { refuseUnknownOptions } from '../option-names.ts';
import { recordDeletedRows } from '../ledger/deleted-rows.ts';
import { hasLedger, readLoads } from '../ledger/reading.ts';
import { parseRunPlan, type RunPlan } from '../load/plan/run-plan.ts';
import type { Connection, DeleteOutcome, DeleteRequest, TableDescription } from '../target/driver.ts';
import { connect } from '../target/registry.ts';
import { hideSecrets } from '../secret-text.ts';
import { checkAllowed } from '../target/delete-allowance.ts';
import { listKeys, writeKey } from './key-list.ts';
import { deleteNames, type DeleteOptions, type DeleteReport } from './options.ts';
import { checkWhere, quoteTableFor, wrapWhere } from './where.ts';

const maxShownKeys = 10;

/** A deletion that was understood. */
interface Deletion {
  readonly connection: Connection;
  readonly options: DeleteOptions;
  readonly description: TableDescription;
  readonly rows: DeleteRequest['rows'];
  /** Rows before. */
  readonly total: number;
}

/**
 * Deletes rows of a table. Vector indexes stay right: rows that are gone are found no more.
 * @throws SLUICE_USAGE, SLUICE_TABLE_UNKNOWN, SLUICE_WHERE_INVALID, SLUICE_DELETE_LIMIT, SLUICE_CANCELLED, SLUICE_TARGET_… ; nothing is deleted then
 */
export async function deleteRows(options: DeleteOptions): Promise<DeleteReport> {
  const startedMs = performance.now();
  refuseUnknownOptions('deleteRows', options, deleteNames);
  checkOptions(options);
  const isDryRun = options.dryRun === true;
  const lockTimeout = options.lockTimeoutMs === undefined ? {} : { lockTimeoutMs: options.lockTimeoutMs };
  const connection = await connect(options.in, { isReadOnly: isDryRun, signal: options.signal, ...lockTimeout });
  try {
    const deletion = await prepareDeletion(connection, options);
    const found = await countMatching(deletion);
    refuseAll(deletion, found.deleted);
    checkAllowed({ table: deletion.description.name, maxDeletes: options.maxDeletes }, found.deleted, deletion.total);
    const done = isDryRun ? { outcome: found, recordedAs: undefined } : await runDeletion(deletion);
    const { deleted, missing } = done.outcome;
    return {
      schema: 1,
      database: hideSecrets(options.in),
      table: deletion.description.name,
      isDryRun,
      deleted,
      notFound: missing.length,
      notFoundKeys: showKeys(deletion, missing),
      remaining: isDryRun ? deletion.total : await connection.countRows(deletion.description.name),
      recordedAs: done.recordedAs,
      elapsedMs: performance.now() - startedMs,
    };
  } finally {
    await connection.close();
  }
}

function checkOptions({ keys, keysFrom, maxDeletes, where }: DeleteOptions): void {
  const hasKeys = keys !== undefined || keysFrom !== undefined;
  if (hasKeys === (where !== undefined)) {
    throw new SluiceError(
      'SLUICE_USAGE',
      hasKeys ? 'Rows are named both by key and by a condition.' : 'It is not said which rows are to be deleted.',
      {
        hint: 'Name them by --key or --keys-from, or by --where.',
      },
    );
  }
  const isLimit = maxDeletes === undefined || (typeof maxDeletes === 'number' ? maxDeletes >= 0 : /^\d+(?:\.\d+)?%$/u.test(maxDeletes));
  if (!isLimit)
    throw new SluiceError('SLUICE_USAGE', 'The limit is no number of rows and no share such as 5%.', {
      hint: 'Leave it out for no limit.',
    });
}

async function prepareDeletion(connection: Connection, options: DeleteOptions): Promise<Deletion> {
  if (connection.deleteRows === undefined)
    throw new SluiceError('SLUICE_USAGE', `Rows can't be deleted on ${connection.capabilities.name} this way.`, {
      hint: 'Use sluice batch.',
    });
  const description = await connection.describe(options.table);
  if (description === undefined)
    throw new SluiceError('SLUICE_TABLE_UNKNOWN', `There is no table ${options.table} in ${hideSecrets(options.in)}.`, {
      hint: 'Check the name; sluice status --in … lists the tables that were loaded.',
    });
  if (/^sluice_/iu.test(description.name))
    throw new SluiceError('SLUICE_USAGE', `${description.name} belongs to the ledger: without its rows loads could not be resumed.`, {
      hint: 'Name a table of your own.',
    });
  const { where } = options;
  if (where !== undefined) await checkWhere(connection, description.name, where);
  const rows = where === undefined ? { keys: await listKeys(description, options) } : { where };
  return { connection, options, description, rows, total: await connection.countRows(description.name) };
}

/** What would go now. */
async function countMatching({ connection, description, rows, total }: Deletion): Promise<DeleteOutcome> {
  if ('keys' in rows) {
    const missing = await connection.missingKeys(description.name, description.key, rows.keys);
    return { deleted: rows.keys.length - missing.length, missing };
  }
  if (total === 0) return { deleted: 0, missing: [] };
  const from = quoteTableFor(connection, description.name);
  const [row] = await connection.query({ sql: `SELECT count(*) AS n FROM ${from} WHERE ${wrapWhere(rows.where)}`, parameters: [] });
  return { deleted: Number(row?.['n'] ?? 0), missing: [] };
}

function refuseAll({ description, options, total }: Deletion, count: number): void {
  if (total === 0 || count < total || options.allowsAll === true || options.dryRun === true) return;
  throw new SluiceError('SLUICE_USAGE', `That would delete every row of ${description.name}.`, {
    hint: 'If it is meant, say so with --yes. Nothing was deleted.',
  });
}

async function runDeletion(deletion: Deletion): Promise<{ readonly outcome: DeleteOutcome; readonly recordedAs: string | undefined }> {
  const { connection, description, options, rows } = deletion;
  const plan = await readPlan(connection, description.name);
  const ledgerKey = plan?.table.key ?? [];
  // The ledger digests the key that loads named; rows may be named by another.
  const isSameKey = JSON.stringify(ledgerKey) === JSON.stringify(description.key);
  const name = `delete-${new Date().toISOString().replaceAll(/[-:T]/gu, '').slice(0, 14)}-${randomBytes(3).toString('hex')}`;
  let recordedAs: string | undefined;
  const outcome = await connection.deleteRows?.({
    table: description.name,
    key: 'keys' in rows ? description.key : ledgerKey,
    rows,
    maxDeletes: options.maxDeletes,
    record: ({ count, digest }) => {
      if (plan === undefined) return [];
      recordedAs = name;
      const kept = 'keys' in rows && !isSameKey ? undefined : digest;
      return recordDeletedRows({
        name,
        table: plan.table.table,
        source: describeRows(rows),
        plan: writePlan(plan, kept),
        count,
        digest: kept,
      });
    },
    signal: options.signal,
    lockTimeoutMs: options.lockTimeoutMs,
  });
  return { outcome: outcome ?? { deleted: 0, missing: [] }, recordedAs };
}

/** The plan of the newest load into the table; undefined where the ledger has none. */
async function readPlan(connection: Connection, table: string): Promise<RunPlan | undefined> {
  if (!(await hasLedger(connection))) return undefined;
  const loads = await readLoads(connection, table);
  const newest = loads.at(-1);
  return newest === undefined ? undefined : parseRunPlan(newest.plan, newest.load);
}

/** Without a digest of the keys, what the table holds can only be counted from now on. */
function writePlan(plan: RunPlan, digest: string | undefined): string {
  const settings = digest === undefined ? { ...plan.table.settings, tracksKeys: false } : plan.table.settings;
  return JSON.stringify({ ...plan, source: undefined, sourceName: 'deletion', embed: undefined, table: { ...plan.table, settings } });
}

function describeRows(rows: DeleteRequest['rows']): string {
  return 'keys' in rows ? 'rows by key' : 'rows by a condition';
}

function showKeys({ rows }: Deletion, missing: readonly number[]): readonly string[] {
  if (!('keys' in rows)) return [];
  return missing.slice(0, maxShownKeys).map((index) => writeKey(rows.keys[index] ?? []));
}
