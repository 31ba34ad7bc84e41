/** How long the last searches of a table took, as the commands of this user saw them: in the user's cache folder, so that a search writes nothing into the database. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { defaultCachePath } from '../embed/cache-file.ts';
import { hideSecrets } from '../secret-text.ts';

/** One search; nothing of what was asked for is kept. */
export interface SearchNote {
  readonly at: string;
  readonly column: string | undefined;
  readonly k: number;
  /** `index` or `exact`. */
  readonly way: string;
  readonly tookMs: number;
}

/** A table's notes stay below 3 kB. */
const maxNotes = 20;

function locateNotes(database: string, table: string): string {
  const [, scheme = '', rest = ''] = /^(sqlite|pglite):(.*)$/isu.exec(database) ?? [];
  const place = scheme === '' ? hideSecrets(database) : `${scheme}:${path.resolve(rest)}`;
  const name = createHash('sha256')
    .update(JSON.stringify([place, table.toLowerCase()]))
    .digest('hex');
  return path.join(path.dirname(defaultCachePath()), 'searches', `${name.slice(0, 32)}.json`);
}

/** Newest first; empty where none is kept. */
export async function readSearchNotes(database: string, table: string): Promise<readonly SearchNote[]> {
  try {
    const found: unknown = JSON.parse(await readFile(locateNotes(database, table), 'utf8'));
    return Array.isArray(found) ? (found as readonly SearchNote[]) : [];
  } catch {
    // No file, no right to read it, or one that was cut short: there are no notes then, and nothing depends on them.
    return [];
  }
}

/** Keeps a note; false where the folder can't be written, which is no reason for a search to fail. */
export async function noteSearch(database: string, table: string, note: SearchNote): Promise<boolean> {
  const file = locateNotes(database, table);
  const notes = [note, ...(await readSearchNotes(database, table))].slice(0, maxNotes);
  const temporary = `${file}.${String(process.pid)}.tmp`;
  try {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(temporary, JSON.stringify(notes));
    await rename(temporary, file);
    return true;
  } catch {
    // A home that is read-only or full: the search itself was answered.
    return false;
  }
}
