/** From a database's URL to its source, imported only when it is asked for: the clients of databases are optional. */
import { parseDatabaseUrl } from './database-url.ts';
import type { Source, SourceDescriptor } from '../source.ts';

/** Opens a table or query as a source; `descriptor`: once more, as a reader of the same session (or of a later one, where nothing is `shared`). */
export async function openDatabase(url: string, descriptor?: SourceDescriptor): Promise<Source> {
  const address = parseDatabaseUrl(url);
  if (address.scheme === 'sqlite') return (await import('./sqlite.ts')).openSqliteSource(address, descriptor?.shared !== undefined);
  if (address.scheme === 'rqlite') return (await import('./rqlite.ts')).openRqliteSource(address, descriptor?.shared);
  return (await import('./postgres.ts')).openPostgresSource(address, descriptor?.shared);
}
