/** A table that would be loaded into itself, or into its own file where a reader keeps the writer out. */
import { openSync, closeSync, readSync, existsSync } from 'node:fs';
import { parseSqliteUrl } from '../../target/sqlite/connect.ts';
import { dropSecrets } from '../../secret-text.ts';
import { isDatabaseUrl, parseDatabaseUrl, type DatabaseAddress } from './database-url.ts';
import type { SourceInput } from '../source.ts';

/** Where the rows are to go. */
export interface Destination {
  readonly to: string;
  readonly table: string;
}

/** Why rows of the source can't go there while it is read; undefined where they can. @throws SLUICE_USAGE for a URL that can't be read */
export function findSelfLoad(from: SourceInput, { table, to }: Destination): string | undefined {
  const only: unknown = Array.isArray(from) ? from[0] : from;
  if (!(typeof only === 'string' || only instanceof URL) || !isDatabaseUrl(String(only))) return undefined;
  const address = parseDatabaseUrl(String(only));
  if (!isSamePlace(address, to)) return undefined;
  const { scheme, selection } = address;
  const isSameTable =
    selection.kind === 'table' &&
    (scheme === 'sqlite' || scheme === 'rqlite' ? selection.table.toLowerCase() === table.toLowerCase() : selection.table === table);
  if (isSameTable) return `The table ${table} can't be loaded into itself; name another one with --table.`;
  if (scheme !== 'sqlite' || isWal(parseSqliteUrl(to))) return undefined;
  return `${parseSqliteUrl(to)} is source and target at once, and its journal lets nobody write while somebody reads: turn it to WAL first (PRAGMA journal_mode = WAL).`;
}

function isSamePlace({ publicUrl, scheme, url }: DatabaseAddress, to: string): boolean {
  if (scheme !== 'sqlite') return dropSecrets(to) === publicUrl;
  return /^sqlite:/iu.test(to) && parseSqliteUrl(to) === parseSqliteUrl(url);
}

/** Byte 18 of the file is 2 in WAL mode. @see https://sqlite.org/fileformat.html#file_format_version_numbers */
function isWal(file: string): boolean {
  if (!existsSync(file)) return true;
  const bytes = Buffer.alloc(20);
  const handle = openSync(file, 'r');
  try {
    readSync(handle, bytes, 0, bytes.length, 0);
  } finally {
    closeSync(handle);
  }
  return bytes[18] === 2;
}
