/** What drivers say at the end of a sync: of what was deleted, of what could not be, and of keys that are lost. */
import { formatCount } from '../count-text.ts';
import { SluiceError } from '../errors.ts';
import type { Decision } from './driver.ts';

/** What the report says of it. */
export function describeDeletion(deletedCount: number, keepsVanished: string | undefined): Decision {
  if (keepsVanished !== undefined) return { what: 'vanished rows', choice: 'none deleted', why: keepsVanished };
  return {
    what: 'vanished rows',
    choice: `${formatCount(deletedCount)} deleted`,
    why: 'the whole source was read, and they are not in it',
  };
}

/** The keys seen are gone with a session that another load has taken the place of, or with somebody's DROP TABLE. */
export function seenLost(table: string): SluiceError {
  return new SluiceError(
    'SLUICE_TARGET_FAILED',
    `The keys that this sync of ${table} has seen are gone from the target, so nobody can tell which rows vanished. None was deleted.`,
    {
      hint: 'Sync again from the beginning, with --again.',
    },
  );
}

/** What is said when something in the target keeps a row that vanished from the source. */
export function explainKeptRows(why: string, table: string, cause: unknown): SluiceError {
  return new SluiceError(
    'SLUICE_TARGET_FAILED',
    `Rows that vanished from the source can't be deleted from ${table}: ${why}. None was deleted.`,
    {
      cause,
      hint: 'Other rows still need them, or a trigger keeps them: mend that, then resume. Mode upsert deletes nothing.',
    },
  );
}
