/** scripts/bootstrap.mjs in a project of its own, whose packages are folders beside it: what it starts must not notice that it was there. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'sluice-bootstrap-'));
const project = path.join(folder, 'project');
after(() => rmSync(folder, { recursive: true, force: true }));

/** Stands in for the CLI: says how it was called, copies its input, then does what its first argument says. */
const program = `
import { text } from 'node:stream/consumers';
const [what, value] = process.argv.slice(2);
if (what === 'wait') {
  let count = 0;
  process.on('SIGINT', () => { count++; setTimeout(() => process.exit(100 + count), 400); });
  setInterval(() => {}, 1000);
  console.log('ready');
} else {
  console.log(JSON.stringify({ args: process.argv.slice(2), cwd: process.cwd(), input: await text(process.stdin), version: process.version }));
  process.exitCode = what === 'exit' ? Number(value) : 0;
}
`;

/** The project: the real scripts, a package called node that is this process's Node, and a lock file made by npm. */
function makeProject(): void {
  mkdirSync(path.join(project, 'src/cli'), { recursive: true });
  mkdirSync(path.join(folder, 'node'));
  mkdirSync(path.join(folder, 'elsewhere'));
  for (const file of ['bootstrap.mjs', 'signals.ts']) cpSync(path.join(root, 'scripts', file), path.join(project, 'scripts', file));
  writeFileSync(path.join(project, 'src/cli/main.ts'), program);
  symlinkSync(process.execPath, path.join(folder, 'node/node'));
  writeFileSync(path.join(folder, 'node/package.json'), JSON.stringify({ name: 'node', version: '1.0.0', bin: { node: 'node' } }));
  const { start: script } = (JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { scripts: { start: string } }).scripts;
  const manifest = {
    name: 'project',
    version: '1.0.0',
    type: 'module',
    scripts: { start: script },
    devDependencies: { node: 'file:../node' },
  };
  writeFileSync(path.join(project, 'package.json'), JSON.stringify(manifest));
  const made = spawnSync('npm', ['install', '--package-lock-only', '--offline', '--no-audit'], { cwd: project, encoding: 'utf8' });
  assert.equal(made.status, 0, made.stderr);
}

makeProject();

interface Answer {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly input: string;
  readonly version: string;
}

/** Runs `npm start -- …` from another folder. */
function start(args: readonly string[], input = ''): { answer: Answer; status: number | null; stderr: string } {
  const done = spawnSync('npm', ['--prefix', project, '--silent', 'start', '--', ...args], {
    cwd: path.join(folder, 'elsewhere'),
    encoding: 'utf8',
    input,
    env: { ...process.env, npm_config_loglevel: 'silent' },
  });
  return { answer: JSON.parse(done.stdout || 'null') as Answer, status: done.status, stderr: done.stderr };
}

const hiddenLock = path.join(project, 'node_modules/.package-lock.json');

test('the first start installs by itself, says so on stderr alone, and then runs', () => {
  assert.equal(existsSync(hiddenLock), false);
  const { answer, status, stderr } = start(['load', 'a file', '--to', 'x']);
  assert.deepEqual({ args: answer.args, status }, { args: ['load', 'a file', '--to', 'x'], status: 0 });
  assert.match(stderr, /^sluice: installing[^\n]*\n$/);
});

test('a start with everything installed prints nothing of its own and installs nothing', () => {
  const before = statSync(hiddenLock).mtimeMs;
  const { stderr, status } = start(['load']);
  assert.deepEqual({ stderr, status, mtime: statSync(hiddenLock).mtimeMs }, { stderr: '', status: 0, mtime: before });
});

test('a lock file newer than the installation installs again', () => {
  const later = new Date(Date.now() + 2_000);
  utimesSync(path.join(project, 'package-lock.json'), later, later);
  assert.match(start(['load']).stderr, /installing/);
  utimesSync(path.join(project, 'package-lock.json'), new Date(0), new Date(0));
  assert.equal(start(['load']).stderr, '');
});

test('an installation that was cut short is made again', () => {
  rmSync(hiddenLock);
  assert.match(start(['load']).stderr, /installing/);
});

test('the program gets the caller’s folder, standard input and exit status', () => {
  const { answer, status } = start(['exit', '7'], 'a\nb\n');
  assert.equal(status, 7);
  assert.equal(answer.input, 'a\nb\n');
  assert.equal(path.basename(answer.cwd), 'elsewhere');
});

test('a task that does not exist is refused with the list of tasks', () => {
  const done = spawnSync(process.execPath, [path.join(project, 'scripts/bootstrap.mjs'), 'nothing'], { encoding: 'utf8' });
  assert.equal(done.status, 2);
  assert.match(done.stderr, /no task is called "nothing"; there are: start, test/);
});

/** Sends SIGINT to a running `npm start -- wait` and returns its exit status: 100 and the number of signals that the program saw. */
async function interrupt(isGroup: boolean): Promise<number | null> {
  const child = spawn('npm', ['--silent', 'start', '--', 'wait'], { cwd: project, detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  await new Promise((resolve) => child.stdout.once('data', resolve));
  process.kill(isGroup ? -(child.pid ?? 0) : (child.pid ?? 0), 'SIGINT');
  const tooLate = setTimeout(() => process.kill(-(child.pid ?? 0), 'SIGKILL'), 20_000);
  try {
    return await ended;
  } finally {
    clearTimeout(tooLate);
  }
}

test('a Ctrl-C, which a terminal sends to every process of the group, reaches the program once', async () => {
  assert.equal(await interrupt(true), 101);
});

test('a SIGINT to npm alone reaches the program once', async () => {
  assert.equal(await interrupt(false), 101);
});
