/** Runs commands one after another with their output on the caller's streams; a step that fails is named at the end and the others still run. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const root: string = path.resolve(fileURLToPath(new URL('..', import.meta.url)));

export interface Step {
  readonly name: string;
  /** A script run by this Node, then its arguments. */
  readonly args: readonly string[];
  /** Variables beside those of this process. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Path of a JavaScript file that a development dependency installs as its command. */
export function resolveTool(file: string): string {
  return path.join(root, 'node_modules', file);
}

/** Runs one step in the project's folder and returns its exit status; 1 when a signal ended it. */
export function runStep(step: Step): number {
  const done = spawnSync(process.execPath, step.args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...step.environment } });
  if (done.error !== undefined) throw done.error;
  return done.status ?? 1;
}

/** Runs all steps, prints a line with the time of each, and returns the names of those that failed. */
export function runSteps(steps: readonly Step[]): readonly string[] {
  const failed: string[] = [];
  for (const step of steps) {
    const startedMs = performance.now();
    const status = runStep(step);
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    process.stdout.write(`${status === 0 ? '✓' : '✗'} ${step.name} (${seconds} s)\n`);
    if (status !== 0) failed.push(step.name);
  }
  return failed;
}

/** Prints the names of the steps that failed and returns the exit status: 0, or 1 with any. */
export function reportFailed(failed: readonly string[]): number {
  if (failed.length > 0) process.stdout.write(`✗ failed: ${failed.join(', ')}\n`);
  return failed.length === 0 ? 0 : 1;
}
