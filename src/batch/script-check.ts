/** Looks through a file of SQL for rows of COPY before anything of it is run: psql's way of writing a dump, which only psql reads. */
import { SluiceError } from '../errors.ts';
import type { Dialect } from '../sql/dialect.ts';
import { createSqlScanner } from './scan-sql.ts';
import { ShellTextError } from './shell-text.ts';
import type { StatementInput } from './statement-source.ts';

/** What ends the rows of a COPY. No line of SQL begins so, but for one inside a string or a comment. */
const endOfRows = Buffer.from('\n\\.');

/**
 * Reads a file of SQL for rows of COPY before anything of it is run. Where no line ends such rows, that is only a search for three bytes.
 * @throws SLUICE_SOURCE_INVALID, and what reading throws
 */
export async function checkScript(input: StatementInput, dialect: Dialect): Promise<void> {
  if (input.path === undefined || input.format !== 'sql' || !(await holdsRows(input))) return;
  const scanner = createSqlScanner({ name: input.name, dialect, from: { offset: 0, line: 0 }, isAtStart: true });
  for await (const piece of input.read({ offset: 0, crc: 0 })) {
    const { fault } = scanner.push(piece);
    // Another fault is told of when the statements before it were run.
    if (fault instanceof ShellTextError)
      throw new SluiceError(fault.code, fault.message, { hint: `Nothing was run now. ${fault.hint ?? ''}` });
    if (fault !== undefined) return;
  }
}

async function holdsRows(input: StatementInput): Promise<boolean> {
  let tail: Buffer = Buffer.alloc(0);
  for await (const piece of input.read({ offset: 0, crc: 0 })) {
    if (piece.includes(endOfRows) || Buffer.concat([tail, piece.subarray(0, 2)]).includes(endOfRows)) return true;
    tail = piece.subarray(-2);
  }
  return false;
}
