/** A vector index made while others write: CREATE INDEX CONCURRENTLY, under a name of its own until it is valid. What fails or is stopped leaves no unfinished index behind. */
import { randomBytes } from 'node:crypto';
import { quoteIdentifier } from '../../sql-text.ts';
import { watchBuild } from '../finish/index-progress.ts';
import { defaultLockTimeoutMs, transactLocking } from '../finish/lock.ts';
import { PgError, type PgLink } from '../link.ts';
import { quoteName } from '../qualified-name.ts';
import { cancelled, countVectors, describeWatch, writeIndex, type Building } from './index-work.ts';

/** Builds beside, then lets the new index take the name of the old one. How many vectors it holds. */
export async function buildConcurrently(link: PgLink, building: Building): Promise<number> {
  const { request, schema, name, column, doomed } = building;
  for (const { name: left, isValid } of doomed) if (!isValid) await dropConcurrently(link, quoteName({ schema, name: left }));
  const replaced = doomed.filter(({ isValid }) => isValid);
  const made = replaced.length === 0 ? name : `sluice_${randomBytes(6).toString('hex')}`;
  try {
    await link.script(writeSettings(building));
    const statement = `CREATE INDEX CONCURRENTLY ${writeIndex(building, made)}`;
    await watchBuild(describeWatch(building), () => link.query(statement, [], { signal: request.signal, timeoutMs: 0 }));
    if (replaced.length > 0) await takePlace(link, building, made);
    return await countVectors(link, column);
  } catch (error) {
    // An index of that name that somebody else made is not ours to drop.
    const isOurs = !(error instanceof PgError) || error.sqlState !== '42P07';
    if (!link.isBroken && isOurs) await dropUnfinished(link, { schema, made, isReplacing: replaced.length > 0 });
    if (request.signal?.aborted === true && error instanceof PgError && error.sqlState === '57014') throw cancelled(request, error);
    throw error;
  } finally {
    if (!link.isBroken)
      await link.script('RESET statement_timeout; RESET lock_timeout; RESET max_parallel_maintenance_workers; RESET maintenance_work_mem');
  }
}

/** It runs outside of a transaction: the settings are the session's, and are reset. */
function writeSettings({ request, settings }: Building): string {
  const workers = request.threads === undefined ? undefined : Math.max(0, Math.trunc(request.threads) - 1);
  return [
    'SET statement_timeout = 0',
    `SET lock_timeout = ${String(Math.max(1, Math.round(request.lockTimeoutMs ?? defaultLockTimeoutMs)))}`,
    ...(workers === undefined ? [] : [`SET max_parallel_maintenance_workers = ${String(workers)}`]),
    ...(settings.memoryKb === undefined ? [] : [`SET maintenance_work_mem = ${String(Math.trunc(settings.memoryKb))}`]),
  ].join('; ');
}

async function takePlace(link: PgLink, { request, schema, name, doomed }: Building, made: string): Promise<void> {
  const wait = { what: `Replacing the index ${name}`, lockTimeoutMs: request.lockTimeoutMs, signal: request.signal };
  await transactLocking(link, wait, async () => {
    for (const { name: old } of doomed) await link.script(`DROP INDEX IF EXISTS ${quoteName({ schema, name: old })}`);
    await link.script(`ALTER INDEX ${quoteName({ schema, name: made })} RENAME TO ${quoteIdentifier(name)}`);
  });
}

/** Only what is not valid, or has a name of our own: an index that was there stays. */
async function dropUnfinished(
  link: PgLink,
  { schema, made, isReplacing }: { readonly schema: string; readonly made: string; readonly isReplacing: boolean },
): Promise<void> {
  const { rows } = await link.query(`SELECT i.indisvalid AS valid FROM pg_index i WHERE i.indexrelid = to_regclass($1::text)`, [
    quoteName({ schema, name: made }),
  ]);
  const [row] = rows;
  if (row !== undefined && (isReplacing || row['valid'] !== true)) await dropConcurrently(link, quoteName({ schema, name: made }));
}

async function dropConcurrently(link: PgLink, quoted: string): Promise<void> {
  await link.script(`DROP INDEX CONCURRENTLY IF EXISTS ${quoted}`);
}
