/** Brings back what a load put off: each index or constraint is made and forgotten by the ledger in one transaction, so it is always recorded or there. */
import { SluiceError } from '../../../errors.ts';
import { forgetIndex } from '../../../ledger/statements.ts';
import type { Decision, TablePlan } from '../../driver.ts';
import { DuplicateKeysError, maxDuplicateKeys } from '../../link.ts';
import { quoteList } from '../../sql-text.ts';
import { transactLocking } from './lock.ts';
import { watchBuild, type BuildProgress } from './index-progress.ts';
import { runStatement } from '../ledger.ts';
import { PgError, type PgLink } from '../link.ts';
import { quoteName, quoteTable } from '../qualified-name.ts';
import { readSettings, type PostgresSettings } from '../settings.ts';
import { formatCount } from '../../../count-text.ts';

/** One row of sluice_deferred_indexes. */
export interface Recorded {
  readonly name: string;
  readonly ddl: string;
}

export interface Restoring {
  readonly id: string;
  readonly plan: TablePlan;
  readonly lockTimeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((name: string, progress: BuildProgress) => void) | undefined;
  readonly openSecond: (() => Promise<PgLink>) | undefined;
}

/** The table whose indexes are put off: with `swap` the one that takes the other's place, which may have indexes of the same names. */
export function nameIndexedTable(plan: TablePlan): string {
  return readSettings(plan).publish === 'swap' ? plan.writesTo : plan.table;
}

/** For transactions that make indexes: a limit meant for queries would end them, and their memory is what the plan says. */
export function writeBuildSettings({
  buildMemoryKb,
  buildWorkers,
}: Pick<PostgresSettings, 'buildMemoryKb' | 'buildWorkers'>): readonly string[] {
  return [
    'SET LOCAL statement_timeout = 0',
    ...(buildMemoryKb === undefined ? [] : [`SET LOCAL maintenance_work_mem = ${String(Math.trunc(buildMemoryKb))}`]),
    ...(buildWorkers === undefined ? [] : [`SET LOCAL max_parallel_maintenance_workers = ${String(Math.trunc(buildWorkers))}`]),
  ];
}

/**
 * Makes one recorded index or constraint again.
 * @throws DuplicateKeysError when it is the load's key and rows have equal ones; SLUICE_TARGET_FAILED when rows stand in its way otherwise. It stays recorded then.
 */
export async function restoreIndex(link: PgLink, restoring: Restoring, recorded: Recorded): Promise<Decision> {
  try {
    return await (isConcurrent(recorded.ddl) ? restoreConcurrently(link, restoring, recorded) : restorePlainly(link, restoring, recorded));
  } catch (error) {
    throw await explainRefusal(link, restoring, { recorded, error });
  }
}

function isConcurrent(ddl: string): boolean {
  return /^\s*CREATE\s+(UNIQUE\s+)?INDEX\s+CONCURRENTLY\s/iu.test(ddl);
}

async function restorePlainly(link: PgLink, restoring: Restoring, recorded: Recorded): Promise<Decision> {
  const { id, plan, lockTimeoutMs, signal } = restoring;
  const settings = writeBuildSettings(readSettings(plan));
  return transactLocking(link, { what: `Making ${recorded.name} again`, lockTimeoutMs, signal, settings }, async () => {
    // Forgotten first: another session of the load that makes it at this moment holds the record, and has made it when it lets go.
    if ((await runStatement(link, forgetIndex(id, recorded.name))) === 0) return describe(recorded, 'there');
    const state = await readState(link, plan, recorded);
    if (state.kind === 'invalid') await link.script(`DROP INDEX ${state.index}`);
    if (state.kind !== 'there') await build(link, restoring, recorded);
    return describe(recorded, state.kind);
  });
}

/** Not in a transaction: CONCURRENTLY waits for others to end theirs. What a broken build left behind is not used by any query, yet costs every write: it goes. */
async function restoreConcurrently(link: PgLink, restoring: Restoring, recorded: Recorded): Promise<Decision> {
  const { id, plan, lockTimeoutMs, signal } = restoring;
  const before = await readState(link, plan, recorded);
  if (before.kind === 'invalid') {
    await transactLocking(link, { what: `Dropping the unfinished ${recorded.name}`, lockTimeoutMs, signal }, () =>
      link.script(`DROP INDEX IF EXISTS ${before.index}`),
    );
  }
  if (before.kind !== 'there') {
    await buildOutside(link, restoring, recorded);
    const after = await readState(link, plan, recorded);
    if (after.kind !== 'there') {
      throw new SluiceError('SLUICE_TARGET_FAILED', `The index ${recorded.name} was built and is not valid; it stays recorded.`, {
        hint: 'Resume the load: the unfinished index is dropped and built again.',
      });
    }
  }
  await runStatement(link, forgetIndex(id, recorded.name));
  return describe(recorded, before.kind);
}

async function build(link: PgLink, { plan, signal, onProgress, openSecond }: Restoring, { name, ddl }: Recorded): Promise<void> {
  const watch = {
    table: quoteTable(nameIndexedTable(plan)),
    openSecond,
    onProgress: onProgress && ((progress: BuildProgress) => onProgress(name, progress)),
  };
  await watchBuild(watch, () => link.query(ddl, [], { signal, timeoutMs: 0 }));
}

/** Outside of a transaction settings count for the session, which a pooler hands on to others: there the server's own stay in force. */
async function buildOutside(link: PgLink, restoring: Restoring, recorded: Recorded): Promise<void> {
  if (!link.ownsSession) return build(link, restoring, recorded);
  const settings = writeBuildSettings(readSettings(restoring.plan)).map((setting) => setting.replace('SET LOCAL ', ''));
  for (const setting of settings) await link.script(`SET ${setting}`);
  try {
    await build(link, restoring, recorded);
  } finally {
    if (!link.isBroken) for (const setting of settings) await link.script(`RESET ${setting.replace(/ =.*/u, '')}`);
  }
}

type State = { readonly kind: 'missing' | 'there' | 'invalid'; readonly index: string };

/** Whether the table has it already: somebody may have made it meanwhile, or an earlier session did and was killed. A validation may always be run again. */
async function readState(link: PgLink, plan: TablePlan, { name, ddl }: Recorded): Promise<State> {
  if (/\sVALIDATE\s+CONSTRAINT\s/iu.test(ddl)) return { kind: 'missing', index: '' };
  const { rows } = await link.query(
    `SELECT n.nspname::text AS schema, i.indisvalid AS valid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.indrelid = to_regclass($1::text) AND c.relname = $2::text
UNION ALL
SELECT '', true FROM pg_constraint k WHERE k.conrelid = to_regclass($1::text) AND k.conname = $2::text AND k.conindid = 0`,
    [quoteTable(nameIndexedTable(plan)), name],
  );
  const row = rows[0];
  if (row === undefined) return { kind: 'missing', index: '' };
  return { kind: row['valid'] === true ? 'there' : 'invalid', index: quoteName({ schema: String(row['schema']), name }) };
}

function describe({ name, ddl }: Recorded, before: State['kind']): Decision {
  if (/\sVALIDATE\s+CONSTRAINT\s/iu.test(ddl))
    return { what: 'constraint checked', choice: name, why: 'it was carried over to the new table without reading the rows again' };
  if (before === 'there') return { what: 'index kept', choice: name, why: 'it was there already' };
  const why = before === 'invalid' ? 'an unfinished build of it was found and dropped' : 'it was put off until the rows were there';
  return { what: 'index made', choice: name, why };
}

/** unique_violation · foreign_key_violation · check_violation · exclusion_violation · not_null_violation: the rows are what stands in the way. */
const rowStates = new Set(['23505', '23503', '23514', '23P01', '23502']);

async function explainRefusal(
  link: PgLink,
  restoring: Restoring,
  { recorded, error }: { recorded: Recorded; error: unknown },
): Promise<unknown> {
  if (restoring.signal?.aborted === true && error instanceof PgError && error.sqlState === '57014') {
    return new SluiceError('SLUICE_CANCELLED', `${recorded.name} was not made: it was stopped. It stays recorded.`, { cause: error });
  }
  if (!(error instanceof PgError) || !rowStates.has(error.sqlState) || link.isBroken) return error;
  const table = nameIndexedTable(restoring.plan);
  if (error.sqlState === '23505' && isKeyDdl(recorded.ddl, restoring.plan.key))
    return findDoubledKeys(link, { table, key: restoring.plan.key, cause: error });
  return new SluiceError(
    'SLUICE_TARGET_FAILED',
    `${recorded.name} can't be made on ${table}: rows stand in its way (PostgreSQL ${error.sqlState}). It stays recorded.`,
    {
      cause: error,
      hint: `Mend the rows, then resume the load. Its statement: ${recorded.ddl}`,
    },
  );
}

/** Whether the statement makes exactly the load's key. */
function isKeyDdl(ddl: string, key: readonly string[]): boolean {
  const columns = /(?:PRIMARY KEY|UNIQUE|USING btree)[^(]*\(([^()]*)\)/iu.exec(ddl)?.[1];
  const names = columns?.split(',').map((name) =>
    name
      .trim()
      .replace(/^"(.*)"$/u, '$1')
      .replaceAll('""', '"'),
  );
  return key.length > 0 && names !== undefined && names.length === key.length && names.every((name) => key.includes(name));
}

/** The keys that came more than once, as an error for the flow: it settles them and finishes again. */
export async function findDoubledKeys(
  link: PgLink,
  { table, key, cause }: { readonly table: string; readonly key: readonly string[]; readonly cause: PgError },
): Promise<SluiceError> {
  const columns = quoteList(key);
  const { rows } = await link.query(
    `SELECT ${columns} FROM ${quoteTable(table)} GROUP BY ${columns} HAVING count(*) > 1 LIMIT ${String(maxDuplicateKeys + 1)}`,
    [],
    { timeoutMs: 0 },
  );
  const limit = formatCount(maxDuplicateKeys);
  if (rows.length > maxDuplicateKeys) {
    return new SluiceError('SLUICE_KEYS_DOUBLED', `More than ${limit} keys (${key.join(', ')}) came more than once into ${table}.`, {
      cause,
      hint: 'Choose a key that tells the rows apart.',
    });
  }
  const keys = rows.map((row) => key.map((name) => row[name] ?? null));
  return new DuplicateKeysError(keys, `${formatCount(keys.length)} keys (${key.join(', ')}) came more than once into ${table}.`, {
    cause,
  });
}
