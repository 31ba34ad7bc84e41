/** Which database a `pglite:` URL names: a folder, or the one in this process's memory. */
import { resolve } from 'node:path';
import { SluiceError } from '../../errors.ts';

export interface Place {
  /** undefined: in memory. */
  readonly folder: string | undefined;
  /** For messages. */
  readonly name: string;
}

/** Reads `pglite:./folder`, `pglite:/data/folder`, `pglite:///data/folder`, `pglite:memory`. */
export function parsePlace(url: string): Place {
  const [path = '', query = ''] = url
    .slice(url.indexOf(':') + 1)
    .replace(/^\/\/(?=\/)/u, '')
    .split('?', 2);
  if (path === '' || path.startsWith('//') || !isUnderstood(query)) {
    throw new SluiceError('SLUICE_USAGE', `The target ${url} names no folder.`, {
      hint: 'Write it as pglite:./folder, or pglite:memory for a database that ends with the process.',
    });
  }
  if (path === 'memory') return { folder: undefined, name: 'pglite:memory' };
  const folder = resolve(decodePath(path));
  return { folder, name: folder };
}

/** What a URL as a source may say besides; a typing error must not go unseen. */
function isUnderstood(query: string): boolean {
  return [...new URLSearchParams(query).keys()].every((name) => ['table', 'query', 'schema'].includes(name));
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // A lone percent sign is a legal character of a file name.
    return path;
  }
}
