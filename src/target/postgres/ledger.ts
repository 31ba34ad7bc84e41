/** Runs the ledger's statements, whose placeholders are `?`, on PostgreSQL, which wants `$1 …`. The statements stay data that any SQL target can run. */
import { SluiceError } from '../../errors.ts';
import type { ResultRow, Statement } from '../driver.ts';
import { defaultLockTimeoutMs } from './finish/lock.ts';
import type { PgLink, PgResult, RunOptions } from './link.ts';
import { runInTransaction } from './transaction.ts';

/** The ledger has some thirty texts; more means that somebody writes values into them, and those must not fill the memory. */
const maxTexts = 200;

const numberedTexts = new Map<string, string>();

/** A question mark outside of '…' and "…" is a placeholder. */
function numberPlaceholders(sql: string): string {
  const known = numberedTexts.get(sql);
  if (known !== undefined) return known;
  let count = 0;
  const numbered = sql.replaceAll(/'(?:[^']|'')*'|"(?:[^"]|"")*"|\?/gu, (part) => (part === '?' ? `$${++count}` : part));
  if (numberedTexts.size >= maxTexts) numberedTexts.clear();
  numberedTexts.set(sql, numbered);
  return numbered;
}

function sendStatement(link: PgLink, { sql, parameters }: Statement, options: RunOptions): Promise<PgResult> {
  return link.query(numberPlaceholders(sql), parameters, options);
}

/**
 * Runs one statement in the transaction that is open, or in one of its own, and answers how many rows it changed.
 * @throws SLUICE_FENCED when it changed another number of rows than it must; rolling back is the caller's
 */
export async function runStatement(link: PgLink, statement: Statement, options: RunOptions = {}): Promise<number> {
  const { rowCount } = await sendStatement(link, statement, options);
  if (statement.mustChange !== undefined && rowCount !== statement.mustChange) {
    throw new SluiceError('SLUICE_FENCED', `A statement of the ledger changed ${rowCount} rows instead of ${statement.mustChange}.`, {
      hint: 'Another process was quicker; see what it does with `sluice status`.',
    });
  }
  return rowCount;
}

export async function queryStatement(link: PgLink, statement: Statement, options: RunOptions = {}): Promise<readonly ResultRow[]> {
  const { rows } = await sendStatement(link, statement, options);
  return rows;
}

export interface TransactOptions {
  readonly signal?: AbortSignal | undefined;
  readonly lockTimeoutMs?: number | undefined;
}

/** Runs all statements in one transaction, or none, and answers how many rows each changed. A session that died without a word may hold their rows: waits are bounded. */
export async function transact(link: PgLink, statements: readonly Statement[], options: TransactOptions): Promise<readonly number[]> {
  const { signal, lockTimeoutMs = defaultLockTimeoutMs } = options;
  const work = async (): Promise<readonly number[]> => {
    const counts: number[] = [];
    for (const statement of statements) counts.push(await runStatement(link, statement, { signal }));
    return counts;
  };
  return runInTransaction(link, work, [`SET LOCAL lock_timeout = ${String(Math.max(1, Math.round(lockTimeoutMs)))}`]);
}
