/** From a target's URL to its driver, imported only when it is asked for. Adding a driver adds one line here. */
import { SluiceError } from '../errors.ts';
import { hideSecrets } from '../secret-text.ts';
import type { Connection, ConnectOptions, Driver } from './driver.ts';

const drivers: Readonly<Record<string, () => Promise<{ readonly driver: Driver }>>> = {
  sqlite: () => import('./sqlite/index.ts'),
  postgres: () => import('./postgres/index.ts'),
  postgresql: () => import('./postgres/index.ts'),
  pglite: () => import('./pglite/index.ts'),
  rqlite: () => import('./rqlite/index.ts'),
  rqlites: () => import('./rqlite/index.ts'),
};

/** Schemes that `--to` takes. */
export const targetSchemes: readonly string[] = Object.keys(drivers);

/** The scheme of a target URL; a path without one is refused rather than guessed at. */
function readScheme(url: string): string {
  const match = /^([a-z][a-z0-9+.-]*):/iu.exec(url);
  return match?.[1]?.toLowerCase() ?? '';
}

/**
 * The driver for a URL.
 * @throws SLUICE_SCHEME_UNKNOWN with the list of schemes
 */
export async function findDriver(url: string): Promise<Driver> {
  const scheme = readScheme(url);
  const open = drivers[scheme];
  if (open === undefined) {
    const what = scheme === '' ? `The target ${hideSecrets(url)} has no scheme.` : `There is no target with the scheme ${scheme}:.`;
    const known = targetSchemes.map((name) => `${name}:`).join(', ');
    throw new SluiceError('SLUICE_SCHEME_UNKNOWN', what, { hint: `Known schemes: ${known} – for example sqlite:library.db.` });
  }
  return (await open()).driver;
}

/** Opens a connection to the target of a URL; the caller closes it. */
export async function connect(url: string, options: ConnectOptions = {}): Promise<Connection> {
  return (await findDriver(url)).connect(url, options);
}
