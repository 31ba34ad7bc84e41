/** Compares a target with its ledger: sums, shards, indexes, row counts, and the digest of all keys. Reads only. */
import { refuseUnknownOptions, type NamesOf } from '../option-names.ts';
import { addDigest, formatDigest, parseDigest } from '../ledger/digest.ts';
import { readDeletions } from '../ledger/deletions.ts';
import { readLoads, type LedgerLoad } from '../ledger/reading.ts';
import type { VerifyCheck, VerifyReport } from '../load/options.ts';
import { parseRunPlan, type RunPlan } from '../load/plan/run-plan.ts';
import { chooseLoad } from '../load/session/session.ts';
import { openLedger } from '../load/control/status.ts';
import { checkLedger } from '../load/session/verify-load.ts';
import { SluiceError } from '../errors.ts';
import type { Connection } from '../target/driver.ts';
import type { SourceInput } from '../source/source.ts';
import type { DeepProgress, DeepReport } from './deep-contract.ts';
import { checkValues, describeDifference } from './deep-text.ts';
import { findMissingRows } from './missing-rows.ts';
import { formatCount } from '../count-text.ts';

/** What to verify. */
export interface VerifyOptions {
  /** Target URL. */
  readonly in: string;
  /** A load by id or label: its table is verified. */
  readonly load?: string | undefined;
  /** A table; that of the newest load by default. */
  readonly table?: string | undefined;
  /** Compares the values of every row with the source that it came from. Reads the sources of the loads again. */
  readonly deep?: boolean | undefined;
  /** Deep: the rows of the load again (the newest one's, where none is named), for streams and for files that are elsewhere now. */
  readonly from?: SourceInput | undefined;
  /** Deep: differences are told with the source's values; without it no row data is shown. */
  readonly showsValues?: boolean | undefined;
  /** Deep: readers side by side; the cores of the machine, at most 4, by default. */
  readonly lanes?: number | undefined;
  readonly lockTimeoutMs?: number | undefined;
  readonly onProgress?: ((progress: DeepProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const verifyNames: NamesOf<VerifyOptions> = {
  in: true,
  load: true,
  table: true,
  deep: true,
  from: true,
  showsValues: true,
  lanes: true,
  lockTimeoutMs: true,
  onProgress: true,
  signal: true,
};

/** What `verify` found. */
export interface TableVerification extends VerifyReport {
  readonly deep?: DeepReport | undefined;
}

/** The loads that made a table what it is, and what it held before them. */
interface History {
  readonly table: string;
  readonly loads: readonly LedgerLoad[];
  readonly run: RunPlan;
}

/**
 * Verifies the table of a load: every load into it is balanced and complete, and the table holds as many rows, with the keys, that they account for.
 * @throws SLUICE_LOAD_UNKNOWN, SLUICE_TABLE_UNKNOWN
 */
export async function verify(options: VerifyOptions): Promise<TableVerification> {
  refuseUnknownOptions('verify', options, verifyNames);
  checkDeepOptions(options);
  const connection = await openLedger(options.in, options.lockTimeoutMs);
  try {
    const batch = await findBatch(connection, options);
    if (batch !== undefined) return await verifyBatch(connection, batch);
    const history = await readHistory(connection, options);
    const checks: VerifyCheck[] = [];
    for (const load of history.loads) {
      for (const one of await checkLedger(connection, load)) checks.push({ ...one, name: `${load.load}: ${one.name}` });
    }
    checks.push(...(await checkTable(connection, history)));
    const deep = options.deep === true ? await compareValues(options, connection, history) : undefined;
    checks.push(...(deep?.loads ?? []).map(checkValues));
    const isOk = checks.every((one) => one.isOk);
    const differences = deep?.differences.map(describeDifference) ?? (isOk ? [] : await findMissingRows(connection, history.loads));
    const report = { schema: 1, isOk, table: history.table, loads: history.loads.map((load) => load.load), checks, differences } as const;
    return deep === undefined ? report : { ...report, deep };
  } finally {
    await connection.close();
  }
}

function checkDeepOptions({ deep, from, showsValues, lanes }: VerifyOptions): void {
  if (deep === true && lanes !== undefined && !(Number.isInteger(lanes) && lanes >= 1 && lanes <= 64)) {
    throw new SluiceError('SLUICE_USAGE', `lanes must be 1 to 64, not ${String(lanes)}.`);
  }
  if (deep === true || (from === undefined && showsValues !== true && lanes === undefined)) return;
  throw new SluiceError('SLUICE_USAGE', 'Rows are set beside their source only by a deep verification.', {
    hint: 'Add --deep (deep: true).',
  });
}

async function compareValues(options: VerifyOptions, connection: Connection, { loads }: History): Promise<DeepReport> {
  const { from, lanes, lockTimeoutMs, onProgress, signal } = options;
  const named = options.load === undefined ? undefined : (await chooseLoad(connection, options.load)).load;
  const { verifyDeep } = await import('./deep.ts');
  const showsValues = options.showsValues === true;
  const deletions = await readDeletions(connection);
  return verifyDeep({
    target: options.in,
    connection,
    loads,
    deletions,
    named,
    from,
    showsValues,
    lanes,
    lockTimeoutMs,
    onProgress,
    signal,
  });
}

/** The batch of statements that is meant: by its name, or the newest where there are no loads of rows. */
async function findBatch(connection: Connection, { load: name, table }: VerifyOptions): Promise<LedgerLoad | undefined> {
  if (table !== undefined) return undefined;
  if (name === undefined && (await readLoads(connection)).some((load) => load.mode !== 'batch')) return undefined;
  const found = await chooseLoad(connection, name);
  return found.mode === 'batch' ? found : undefined;
}

/** What statements do to tables can't be told from the ledger: of a batch it is checked alone. */
async function verifyBatch(connection: Connection, batch: LedgerLoad): Promise<VerifyReport> {
  const checks = (await checkLedger(connection, batch)).map((one) => ({ ...one, name: `${batch.load}: ${one.name}` }));
  return { schema: 1, isOk: checks.every((one) => one.isOk), table: '', loads: [batch.load], checks, differences: [] };
}

/** The newest load of rows unless one is named. */
async function chooseRows(connection: Connection, name: string | undefined): Promise<LedgerLoad> {
  if (name !== undefined) return chooseLoad(connection, name);
  const loads = (await readLoads(connection)).filter((load) => load.mode !== 'batch');
  return loads.findLast((load) => load.state !== 'done') ?? loads.at(-1) ?? chooseLoad(connection, undefined);
}

/** The loads since the table was last replaced, or since what it held is known; loads that never became a table's content are left out. */
async function readHistory(connection: Connection, options: VerifyOptions): Promise<History> {
  const named = options.table === undefined ? await chooseRows(connection, options.load) : undefined;
  const table = options.table ?? named?.table ?? '';
  const all = await readLoads(connection, table);
  const newest = all.at(-1);
  if (newest === undefined || (await connection.describe(table)) === undefined) {
    throw new SluiceError(
      'SLUICE_TABLE_UNKNOWN',
      newest === undefined ? `No load into a table ${table} is in the ledger.` : `The table ${table} is gone.`,
      {
        hint: 'sluice status --in … lists the loads and their tables.',
      },
    );
  }
  const published = all.findLastIndex((load) => load.mode === 'replace' && load.state === 'done');
  const since = all.filter((load, index) => index >= published && (load.mode !== 'replace' || load.state === 'done'));
  const loads = since.length > 0 ? since : [newest];
  return { table, loads, run: parseRunPlan((loads.at(-1) ?? newest).plan, newest.load) };
}

async function checkTable(connection: Connection, { table, loads, run }: History): Promise<readonly VerifyCheck[]> {
  const first = loads[0];
  const settings = loads.map((load) => parseRunPlan(load.plan, load.load).table.settings);
  if (first?.baseRows === undefined || settings.some((of) => of['countsRows'] === false)) {
    return [
      {
        name: 'rows in the table',
        isOk: true,
        expected: 'not known',
        found: 'the role may not read the table, or its triggers, rules or ON CONFLICT clauses add or remove rows by themselves',
      },
    ];
  }
  const deletions = await readDeletions(connection);
  const expected = first.baseRows + loads.reduce((sum, load) => sum + load.added - (deletions.get(load.load) ?? 0), 0);
  const canDigest = first.baseDigest !== undefined && settings.every((of) => of['tracksKeys'] === true) && isOneKey(loads);
  if (!canDigest || first.baseDigest === undefined) {
    const found = await connection.countRows(table);
    return [
      rowCheck(expected, found),
      { name: 'key digest', isOk: true, expected: 'not kept', found: 'the table has no key that could be digested' },
    ];
  }
  const digest = parseDigest(first.baseDigest);
  for (const load of loads) addDigest(digest, load.digest);
  const found = await connection.digestKeys(table, run.table.key);
  return [
    rowCheck(expected, found.rows),
    { name: 'key digest', isOk: formatDigest(digest) === found.digest, expected: formatDigest(digest), found: found.digest },
  ];
}

/** Digests of different columns can't be added up. */
function isOneKey(loads: readonly LedgerLoad[]): boolean {
  return new Set(loads.map((load) => JSON.stringify(parseRunPlan(load.plan, load.load).table.key))).size === 1;
}

function rowCheck(expected: number, found: number): VerifyCheck {
  return {
    name: 'rows in the table',
    isOk: expected === found,
    expected: formatCount(expected),
    found: formatCount(found),
  };
}
