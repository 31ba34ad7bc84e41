/** Runs PostgreSQL's programs, as a plain user also where the caller is root: the server refuses to run as root. Each run has a deadline. */
import { spawn, spawnSync } from 'node:child_process';
import process from 'node:process';

export interface Program {
  readonly file: string;
  readonly args: readonly string[];
  readonly timeoutMs: number;
  /** Without root's rights; where the caller has none, as the caller. */
  readonly isUnprivileged?: boolean;
  /** A server that a program leaves behind keeps its streams open: nobody may wait for their end. */
  readonly leavesServer?: boolean;
}

interface User {
  readonly uid: number;
  readonly gid: number;
}

/** Whom root becomes: an account that every system has and that owns nothing. */
const plainUser = 'nobody';

function readId(flag: '-u' | '-g'): number {
  const id = Number.parseInt(spawnSync('id', [flag, plainUser], { encoding: 'utf8' }).stdout, 10);
  if (!Number.isInteger(id)) throw new Error(`there is no user ${plainUser}, and the server does not run as root`);
  return id;
}

/** Who runs the server: undefined for the caller, who is no root. */
export function chooseUser(): User | undefined {
  return process.getuid?.() === 0 ? { uid: readId('-u'), gid: readId('-g') } : undefined;
}

/**
 * Runs one program to its end and returns what it wrote to stdout.
 * @throws Error with what it wrote to stderr, when it fails or its time is up
 */
export function runProgram({ file, args, timeoutMs, isUnprivileged = false, leavesServer = false }: Program): Promise<string> {
  const user = isUnprivileged ? chooseUser() : undefined;
  const env = user === undefined ? process.env : { ...process.env, HOME: '/' };
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: ['ignore', leavesServer ? 'ignore' : 'pipe', leavesServer ? 'ignore' : 'pipe'],
      env,
      ...user,
    });
    let output = '';
    let errors = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text));
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    const name = file.slice(file.lastIndexOf('/') + 1);
    child.once('error', (error) => reject(new Error(`${name} could not be started: ${error.message}`, { cause: error })));
    child.once(leavesServer ? 'exit' : 'close', (status: number | null) => {
      clearTimeout(timer);
      const how = status === null ? `did not end within ${String(timeoutMs / 1000)} s` : `ended with status ${String(status)}`;
      if (status === 0) resolve(output);
      else reject(new Error(`${name} ${args[0] ?? ''} ${how}${errors === '' ? '' : `: ${errors.trim()}`}`));
    });
  });
}
