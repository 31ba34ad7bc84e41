/** Tells text that is written for a database's own shell from statements: rows of COPY between the statements, commands of psql and sqlite3. */
import { SluiceError } from '../errors.ts';
import type { Dialect } from '../sql/dialect.ts';
import { readTokens } from '../sql/tokens.ts';

interface ShellText {
  readonly what: string;
  readonly hint: string;
}

/** A file can't be read on there. Code SLUICE_SOURCE_INVALID. */
export class ShellTextError extends SluiceError {
  constructor(place: string, { what, hint }: ShellText) {
    super('SLUICE_SOURCE_INVALID', `${place}: ${what}.`, { hint });
  }
}

/** What is wrong with a statement that only a shell understands; undefined for any other. */
export function findShellText(sql: string, dialect: Dialect): ShellText | undefined {
  const first = sql[0] ?? '';
  if (first === '\\' || first === '.') {
    const [command = ''] = /^[\\.][a-z!?]*/iu.exec(sql) ?? [];
    return {
      what: `${command} is a command of ${first === '.' ? 'the sqlite3 shell' : 'psql'}, no SQL`,
      hint: `Take it out, or run the file with ${first === '.' ? 'sqlite3' : 'psql'}.`,
    };
  }
  if (first !== 'C' && first !== 'c') return undefined;
  return isCopyFromStdin(sql, dialect)
    ? {
        what: 'COPY … FROM STDIN reads rows that stand between the statements, and only psql runs such files',
        hint: 'Run it with psql, write the dump anew with pg_dump --inserts, or put the rows into a file of their own for sluice load.',
      }
    : undefined;
}

function isCopyFromStdin(sql: string, dialect: Dialect): boolean {
  if (!/^copy\b/iu.test(sql) || !/\bstdin\b/iu.test(sql)) return false;
  const words = readTokens(sql, dialect).map(({ kind, text }) => (kind === 'word' ? text.toUpperCase() : ''));
  return words.some((word, at) => word === 'STDIN' && words[at - 1] === 'FROM');
}
