/** A Python of the benchmark's own with the rivals' clients at fixed versions, made once beside the inputs. */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { dataFolder } from '../data.ts';
import type { Timing } from '../postgres-database.ts';

const packages = ['psycopg[binary]==3.3.4', 'pgvector==0.5.1', 'numpy==2.4.6', 'pyarrow==26.0.1', 'sqlite-utils==4.2.1'];
const folder = path.join(dataFolder, 'python');
const installTimeoutMs = 5 * 60_000;
const runTimeoutMs = 15 * 60_000;

function run(file: string, args: readonly string[], timeout: number): string {
  const done = spawnSync(file, args, { encoding: 'utf8', timeout });
  if (done.status !== 0)
    throw new Error(`${path.basename(file)} ${args[0] ?? ''} ended with ${done.status ?? done.signal}: ${done.stderr}`);
  return done.stdout;
}

/** The path of its python. */
export function providePython(): string {
  const file = path.join(folder, 'bin/python3');
  // Another list of packages is installed anew.
  const finished = path.join(folder, `.complete-${packages.join('-').replaceAll(/[^\w.-]/gu, '_')}`);
  if (existsSync(finished)) return file;
  rmSync(folder, { recursive: true, force: true });
  run('python3', ['-m', 'venv', folder], installTimeoutMs);
  run(file, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages], installTimeoutMs);
  run('touch', [finished], installTimeoutMs);
  return file;
}

/** Runs a script that prints its own figures on the last line. */
export function runPython(script: string, args: readonly string[]): Timing {
  const printed = run(providePython(), [path.join(import.meta.dirname, script), ...args], runTimeoutMs);
  return JSON.parse(printed.trimEnd().split('\n').at(-1) ?? '') as Timing;
}
