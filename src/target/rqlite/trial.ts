/** Statements that are tried without a trace: in a savepoint that is rolled back, each answered for itself. docs/spec/rqlite-driver.md says what that rests on. */
import { SluiceError } from '../../errors.ts';
import type { Entry } from './answer.ts';
import type { RqliteLink } from './link.ts';

const [begin, undo, end] = ['["SAVEPOINT sluice_probe"]', '["ROLLBACK TO sluice_probe"]', '["RELEASE sluice_probe"]'] as const;

/**
 * The statements of one request that is no transaction, so that an error stops nothing. A savepoint and not BEGIN: where somebody left a transaction open it nests in
 * that, and ROLLBACK would end theirs. Only where no clause or trigger can end a transaction.
 */
export function wrapTrial(statements: readonly string[]): readonly string[] {
  return [begin, ...statements, undo, end];
}

/**
 * The entries of the statements that were tried.
 * @throws SLUICE_TARGET_FULL, SLUICE_TARGET_FAILED when the savepoint did not hold
 */
export function unwrapTrial(link: RqliteLink, entries: readonly Entry[]): readonly Entry[] {
  const around = [entries[0], entries.at(-2), entries.at(-1)];
  const broken = around.find((entry) => entry?.error !== undefined)?.error;
  if (broken === undefined) return entries.slice(1, -2);
  if (around[0]?.error !== undefined) throw new SluiceError('SLUICE_TARGET_FAILED', `${link.address.label} makes no savepoint: ${broken}.`);
  // A full disk, or memory that ran out, ends SQLite's transaction in the middle: what came behind stood on its own.
  const cause = entries.find((entry) => /full|disk I\/O|out of memory/iu.test(entry.error ?? ''))?.error ?? broken;
  throw new SluiceError(
    /full/iu.test(cause) ? 'SLUICE_TARGET_FULL' : 'SLUICE_TARGET_FAILED',
    `${link.address.label} lost the savepoint of a trial (${cause}), so that statements of the trial may have stayed.`,
    { hint: 'Mend what is wrong there, and compare the table with its ledger (sluice verify) before going on.' },
  );
}
