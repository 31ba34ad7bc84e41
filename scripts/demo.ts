/** `npm start` without arguments: WordNet's definitions into one searchable SQLite file, by the commands that a user would type. A second run finds nothing to do. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { root } from './steps.ts';
import { writeDefinitions } from './wordnet.ts';

const source = 'data/wordnet.jsonl';
const target = 'sqlite:data/wordnet.db';
const table = 'definitions';

/** The words of a definition, a description without them, and a filter. */
const commands: readonly (readonly string[])[] = [
  ['load', source, '--to', target, '--table', table, '--key', 'id', '--embed', 'text', '--with', 'hash'],
  ['verify', '--in', target],
  ['search', 'heart attack', '--in', target, '--table', table, '-k', '5'],
  ['search', 'small boat propelled with a paddle', '--in', target, '--table', table, '-k', '5'],
  ['search', 'speak softly in a low voice', '--in', target, '--table', table, '-k', '5', '--where', "pos = 'v'"],
];

/** The command as it would be typed. */
function quoteCommand(args: readonly string[]): string {
  return ['sluice', ...args].map((arg) => (/^[\w./:=-]+$/.test(arg) ? arg : `"${arg}"`)).join(' ');
}

/** Runs one command of the CLI on this terminal and returns its exit status. Signals are passed on; scripts/signals.ts drops those that came twice. */
async function runCommand(args: readonly string[]): Promise<number> {
  process.stdout.write(`\n$ ${quoteCommand(args)}\n`);
  const preload = ['--import', path.join(root, 'scripts/signals.ts')];
  const child = spawn(process.execPath, [...preload, path.join(root, 'src/cli/main.ts'), ...args], { cwd: root, stdio: 'inherit' });
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  const passed: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of passed) process.on(signal, pass);
  const status = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']));
  });
  for (const signal of passed) process.off(signal, pass);
  return status;
}

/** Runs the commands until one fails, and returns its exit status. */
async function runDemo(): Promise<number> {
  if (!existsSync(path.join(root, source))) {
    const count = writeDefinitions(path.join(root, source));
    process.stdout.write(`${source}: ${count.toLocaleString('en')} definitions of WordNet 3.1, as JSON lines\n`);
  }
  for (const command of commands) {
    const status = await runCommand(command);
    if (status !== 0) return status;
  }
  process.stdout.write('\nYour own data: npm start -- load FILE --to sqlite:FILE.db --table NAME   (npm start -- --help for all of it)\n');
  return 0;
}

process.exitCode = await runDemo();
