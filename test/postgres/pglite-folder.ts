/** Empty PGlite databases for tests: one is made for each test file, which takes seconds, and copied, which takes milliseconds. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { connect } from '../../src/target/registry.ts';

/** In memory where there is such a place: a database is 40 MB. */
const memory = '/dev/shm';

let made: Promise<string> | undefined;

async function makeTemplate(): Promise<string> {
  const folder = mkdtempSync(path.join(existsSync(memory) ? memory : tmpdir(), 'sluice-pglite-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const template = path.join(folder, 'template');
  await (await connect(`pglite:${template}`)).close();
  return template;
}

/** Puts an empty database with pgvector into a folder that is not there yet. */
export async function copyEmptyDatabase(folder: string): Promise<void> {
  await cp(await (made ??= makeTemplate()), folder, { recursive: true });
}

/** A folder for the databases of a test file, gone when it ends. */
export function makeDatabaseFolder(): string {
  const folder = mkdtempSync(path.join(existsSync(memory) ? memory : tmpdir(), 'sluice-pglite-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
