/** One transaction around some work: committed, or rolled back and the error thrown on. */
import type { PgLink } from './link.ts';

/** Runs `work` between BEGIN and COMMIT. `settings` are statements for this transaction alone (SET LOCAL …), sent together with BEGIN. */
export async function runInTransaction<Result>(
  link: PgLink,
  work: () => Promise<Result>,
  settings: readonly string[] = [],
): Promise<Result> {
  await link.script(['BEGIN', ...settings].join('; '));
  let result: Result;
  try {
    result = await work();
  } catch (error) {
    // A link that is gone has nothing to roll back: the server does it by itself.
    if (!link.isBroken) await link.script('ROLLBACK');
    throw error;
  }
  await link.query('COMMIT');
  return result;
}
