/** Connection services: named groups of settings in ~/.pg_service.conf or the system's file, read as libpq reads them. @see https://www.postgresql.org/docs/current/libpq-pgservice.html */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '../../../errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The file's text; undefined where there is none. */
export function readOptionalFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return undefined;
    throw new SluiceError('SLUICE_USAGE', `The file ${path} can't be read.`, { cause: error, hint: 'Check its rights.' });
  }
}

/** The settings of one section of a service file; undefined where it has no such section. */
export function parseService(text: string, service: string): ReadonlyMap<string, string> | undefined {
  let found: Map<string, string> | undefined;
  for (const line of text.split(/\r?\n/u).map((part) => part.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    if (line.startsWith('[')) {
      // The first section of that name counts, and it ends where the next one begins.
      if (found !== undefined) return found;
      if (line === `[${service}]`) found = new Map();
      continue;
    }
    const at = line.indexOf('=');
    if (found !== undefined && at > 0) found.set(line.slice(0, at).trim(), line.slice(at + 1));
  }
  return found;
}

export interface ServiceRequest {
  readonly service: string;
  readonly environment: Environment;
  readonly home: string;
}

/** The settings of a service: PGSERVICEFILE or ~/.pg_service.conf first, then pg_service.conf in PGSYSCONFDIR. @throws SLUICE_USAGE when none defines it */
export function readService({ service, environment, home }: ServiceRequest): ReadonlyMap<string, string> {
  const named = environment['PGSERVICEFILE'];
  const folder = environment['PGSYSCONFDIR'];
  // Without PGSYSCONFDIR: where Debian's packages and a plain build look.
  const folders = folder === undefined ? ['/etc/postgresql-common', '/usr/local/pgsql/etc', '/etc'] : [folder];
  const files = [named ?? join(home, '.pg_service.conf'), ...folders.map((each) => join(each, 'pg_service.conf'))];
  for (const file of files) {
    const text = readOptionalFile(file);
    const settings = text === undefined ? undefined : parseService(text, service);
    if (settings !== undefined) return settings;
  }
  throw new SluiceError('SLUICE_USAGE', `There is no connection service called ${JSON.stringify(service)}.`, {
    hint: `Looked in ${files.join(', ')}; PGSERVICEFILE names another file.`,
  });
}
