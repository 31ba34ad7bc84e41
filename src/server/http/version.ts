/** The version of rqlite that the server's answers are those of: clients read it and choose by it what they may ask for. */
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';

export const rqliteVersion = 'v10.2.7';

/** sluice's own version, for the places where a build is described. */
export function readVersion(): string {
  const manifest = findPackageJSON('.', import.meta.url);
  if (manifest === undefined) return 'unknown';
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { readonly version: string }).version;
}
