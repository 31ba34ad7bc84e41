/** ~/.pgpass: the password for a host, port, database and user; not read when others may read it. @see https://www.postgresql.org/docs/current/libpq-pgpass.html */
import { statSync } from 'node:fs';
import { readOptionalFile } from './service-file.ts';

export interface PasswordKey {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

export interface PasswordFinding {
  readonly password: string | undefined;
  /** Why the file was left alone, where it was. */
  readonly complaint: string | undefined;
}

/** The fields of a line; `\:` and `\\` stand for themselves. */
function splitLine(line: string): readonly string[] {
  const fields = [''];
  for (let at = 0; at < line.length; at++) {
    const character = line[at] ?? '';
    if (character === ':' && fields.length < 5) fields.push('');
    else fields[fields.length - 1] += character === '\\' && at + 1 < line.length ? (line[++at] ?? '') : character;
  }
  return fields;
}

/** The first line that fits decides, `*` fits everything. */
export function findPassword(text: string, key: PasswordKey): string | undefined {
  const wanted = [key.host, String(key.port), key.database, key.user];
  for (const line of text.split(/\r?\n/u)) {
    if (line.startsWith('#')) continue;
    const raw = /^((?:\\.|[^:\\])*):((?:\\.|[^:\\])*):((?:\\.|[^:\\])*):((?:\\.|[^:\\])*):/u.exec(line);
    if (raw === null) continue;
    const fields = splitLine(line);
    if (wanted.every((value, index) => raw[index + 1] === '*' || fields[index] === value)) return fields[4];
  }
  return undefined;
}

/** Looks into the file; a missing one has no password. */
export function readPassword(file: string, key: PasswordKey): PasswordFinding {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats === undefined) return { password: undefined, complaint: undefined };
  if (!stats.isFile()) return { password: undefined, complaint: `${file} is not a plain file and was not read.` };
  if (process.platform !== 'win32' && (stats.mode & 0o077) !== 0) {
    return { password: undefined, complaint: `${file} can be read by others and was left alone: chmod 600 ${file}.` };
  }
  return { password: findPassword(readOptionalFile(file) ?? '', key), complaint: undefined };
}
