/** Runs the command line as its users do: as a process of its own, with pipes or in a pseudo-terminal. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export const mainPath: string = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** A hung process must not hang the tests. */
const deadlineMs = 60_000;

export interface Ended {
  /** 128 and the signal's number when a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** The other end of stdin stays open, as that of a program that has more to say. */
  readonly keepsInputOpen?: boolean;
  readonly nodeArguments?: readonly string[];
  /** When stderr holds this text, the process gets the signal. */
  readonly signalAt?: { readonly text: string; readonly signal: NodeJS.Signals };
  /** Stop reading stdout after the first chunk, as `| head` does. */
  readonly closesStdout?: boolean;
}

function cleanEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(SLUICE_|NO_COLOR$|FORCE_COLOR$|NODE_OPTIONS$|NODE_TEST_CONTEXT$)/.test(name),
  );
  return { ...Object.fromEntries(kept), ...extra };
}

/** Runs sluice with pipes. */
export async function runSluice(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const child = spawn(process.execPath, [...(options.nodeArguments ?? []), mainPath, ...args], {
    cwd: options.cwd,
    env: cleanEnvironment(options.env),
    timeout: deadlineMs,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    if (options.closesStdout) child.stdout.destroy();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    const wasThere = stderr.includes(options.signalAt?.text ?? '\0');
    stderr += text;
    if (options.signalAt && !wasThere && stderr.includes(options.signalAt.text)) child.kill(options.signalAt.signal);
  });
  child.stdin.on('error', () => undefined).write(options.input ?? '');
  if (!options.keepsInputOpen) child.stdin.end();
  const [exitCode] = (await once(child, 'close')) as [number | null];
  return { exitCode, stdout, stderr };
}

/** What is typed once a text stands on the screen. */
export interface Step {
  readonly at: RegExp;
  /** Done before anything is typed. */
  readonly prepare?: () => void;
  readonly type: string;
}

export interface TerminalOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly columns?: number;
  readonly steps?: readonly Step[];
}

const pythonTerminal = 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))';

/** A program that gives another one a pseudo-terminal and copies what goes in and out: util-linux `script`, else Python's pty. */
function openPseudoTerminal(command: string): readonly [program: string, args: readonly string[]] {
  if (spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux'))
    return ['script', ['-qefc', command, '/dev/null']];
  if (spawnSync('python3', ['--version']).status === 0) return ['python3', ['-c', pythonTerminal, 'sh', '-c', command]];
  throw new Error('These tests need a pseudo-terminal: install script (util-linux) or python3.');
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Runs sluice in a pseudo-terminal of 24 lines; stdout and stderr are one there. */
export async function runInTerminal(args: readonly string[], options: TerminalOptions = {}): Promise<Omit<Ended, 'stderr'>> {
  const command = `stty cols ${options.columns ?? 80} rows 24; exec ${[process.execPath, mainPath, ...args].map(quote).join(' ')}`;
  const [program, words] = openPseudoTerminal(command);
  const child = spawn(program, words, {
    cwd: options.cwd,
    env: { ...cleanEnvironment(options.env), TERM: 'xterm-256color', SHELL: '/bin/sh' },
    timeout: deadlineMs,
    killSignal: 'SIGKILL',
  });
  const steps = [...(options.steps ?? [])];
  let stdout = '';
  let seen = 0;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    const [step] = steps;
    const found = step?.at.exec(stdout.slice(seen));
    if (!step || !found) return;
    seen += found.index + found[0].length;
    steps.shift();
    step.prepare?.();
    child.stdin.write(step.type);
  });
  child.stdin.on('error', () => undefined);
  const [exitCode] = (await once(child, 'close')) as [number | null];
  return { exitCode, stdout };
}
