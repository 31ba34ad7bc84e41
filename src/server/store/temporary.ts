/** Files that the server makes for a moment: beside the database, on its disk, and gone at the latest at the next start. */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** A path for one file; `remove` also takes the journal files that SQLite puts beside it. */
export interface TemporaryFile {
  readonly path: string;
  remove(): Promise<void>;
}

function nameFolder(file: string): string {
  return `${file}-sluice-temp`;
}

/** The file itself is not made. */
export async function makeTemporary(file: string, ending: string): Promise<TemporaryFile> {
  const folder = nameFolder(file);
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${randomUUID()}${ending}`);
  return {
    path,
    remove: async () => {
      for (const suffix of ['', '-journal', '-wal', '-shm']) await rm(`${path}${suffix}`, { force: true });
    },
  };
}

/** Removes what a killed process left; to be called before the first request, by the one process that serves the database. Tells how many files there were. */
export async function removeLeftovers(file: string): Promise<number> {
  const folder = nameFolder(file);
  await mkdir(folder, { recursive: true });
  const names = await readdir(folder);
  await rm(folder, { recursive: true, force: true });
  return names.length;
}
