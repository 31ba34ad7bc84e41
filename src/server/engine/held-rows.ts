/** Rows that are held until what gave them is durable: bounded, and where they are too many the statement that gave them is undone, so that its error is true. */
import type { Link } from './link.ts';

/**
 * What one request that writes may hold as rows, in characters. Its answer exists four times for a moment (entries, whole text, bytes, what is on its way); twice
 * this much has been seen to pass in 0.5 GB. Pretty answers grow by a factor of up to 12, and a string ends at 2^29 characters.
 */
export const maxHeldLength: number = 64 * 1024 * 1024;
export const maxHeldPrettyLength: number = maxHeldLength / 4;

/** Rows of a statement are more than its answer may hold. */
export class TooManyRows extends Error {}

/** The rows in one text. @throws TooManyRows beyond `room` characters; the statement is reset then */
export function collectRows(pieces: Generator<string, string>, room: number): string {
  const texts: string[] = [];
  let length = 0;
  try {
    for (;;) {
      const next = pieces.next();
      length += next.value.length;
      if (length > room)
        throw new TooManyRows('answer too large: the rows of a request that writes are held until it is done, 64 MiB at most');
      texts.push(next.value);
      if (next.done === true) return texts.join('');
    }
  } finally {
    pieces.return('');
  }
}

/** Runs a write whose answer may yet turn out not to be possible: what `run` throws undoes it, but for what `isKept` lets stand. */
export function runUndoable<Result>(link: Link, run: () => Result, isKept: (error: unknown) => boolean): Result {
  const { db } = link;
  const execute = (sql: string): void => link.trust(() => db.exec(sql));
  const wasOpen = db.isTransaction;
  const undo = (): void => {
    // OR ROLLBACK and the like have ended it themselves.
    if (db.isTransaction) execute(wasOpen ? 'ROLLBACK TO sluice_rows; RELEASE sluice_rows' : 'ROLLBACK');
  };
  const keep = (): void => {
    try {
      execute('RELEASE sluice_rows');
    } catch (error) {
      // Without a transaction around it this was a COMMIT: a deferred key that is broken, a disk that is full.
      undo();
      throw error;
    }
  };
  execute('SAVEPOINT sluice_rows');
  let result: Result;
  try {
    result = run();
  } catch (error) {
    if (isKept(error)) keep();
    else undo();
    throw error;
  }
  keep();
  return result;
}
