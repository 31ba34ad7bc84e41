/** Where the file is built that a node will be booted with: a folder of its own, which is gone once the node has the file, and also after a process that was killed. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { RqliteLink } from './link.ts';
import { isProcessRunning } from '../../process-life.ts';

const fileName = 'built.db';

function writePrefix({ address }: RqliteLink): string {
  return `sluice-boot-${createHash('sha256').update(address.label).digest('hex').slice(0, 8)}-`;
}

/** A name with the target and the process in it, by which what was left behind is found. */
export function nameBootFile(link: RqliteLink, load: string): string {
  return path.join(tmpdir(), `${writePrefix(link)}${String(process.pid)}-${load}`, fileName);
}

/** The folder of a file; undefined for a name that is not of ours: it comes out of a ledger, and what is in that folder is deleted. */
function readFolder(file: string): string | undefined {
  const folder = path.dirname(file);
  const isOurs = path.dirname(folder) === tmpdir() && /^sluice-boot-[0-9a-f]{8}-\d+-[\w-]+$/u.test(path.basename(folder));
  return isOurs && path.basename(file) === fileName ? folder : undefined;
}

export function hasBootFile(file: string): boolean {
  return readFolder(file) !== undefined && existsSync(file);
}

/** The folder for a file that is begun. Those of processes that are no more, for the same target, are deleted: no ledger knows of them. */
export async function makeBootFolder(link: RqliteLink, file: string): Promise<void> {
  const prefix = writePrefix(link);
  for (const name of await readdir(tmpdir())) {
    if (name.startsWith(prefix) && !isProcessRunning(Number(name.slice(prefix.length).split('-')[0]))) await removeFolder(name);
  }
  // What is built may be nobody else's to read.
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
}

async function removeFolder(name: string): Promise<void> {
  await rm(path.join(tmpdir(), name), { recursive: true, force: true });
}

/** The file, its journals and its folder. */
export async function removeBootFile(file: string): Promise<void> {
  const folder = readFolder(file);
  if (folder !== undefined) await removeFolder(path.basename(folder));
}
