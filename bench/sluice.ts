/** sluice as its users run it: compiled. Stripping types in every process and thread would be counted as its time and memory otherwise. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import type * as library from '../src/index.ts';

type Library = typeof library;

/** Beside dist/, since the command line looks for the package's version two folders up. */
const folder = path.join(import.meta.dirname, '../.bench-build');

/** The compiled command line. */
export const cliFile: string = path.join(folder, 'cli/main.js');

/** Compiles the sources as they are now; called once by a bench run. */
export function buildLibrary(): void {
  execFileSync(process.execPath, [path.join(import.meta.dirname, '../scripts/build.ts'), folder], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** The compiled library. */
export async function openLibrary(): Promise<Library> {
  if (!existsSync(path.join(folder, 'index.js'))) buildLibrary();
  return (await import(path.join(folder, 'index.js'))) as Library;
}
