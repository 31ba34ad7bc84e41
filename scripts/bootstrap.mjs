/**
 * Runs one of the project's tasks with the project's own Node, installing it first when it is missing: the only file here that an older Node (≥ 20) may run.
 * It keeps one rule: what it starts gets the arguments, the streams, the signals and the exit status as if it had been started directly.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, statSync, utimesSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = path.resolve(fileURLToPath(new URL('..', import.meta.url)));
const lockFile = path.join(root, 'package-lock.json');
/** npm writes this at the end of an install, so one that was cut short has none. */
const installedFile = path.join(root, 'node_modules', '.package-lock.json');
const projectNode = path.join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'node.cmd' : 'node');

/** The file behind each task but `start`; all run in the project's folder. */
const tasks = {
  test: 'scripts/test.ts',
  check: 'scripts/check.ts',
  unit: 'scripts/unit.ts',
  simulate: 'test/simulate/main.ts',
  bench: 'bench/main.ts',
  format: 'scripts/format.ts',
  build: 'scripts/build.ts',
  docs: 'scripts/docs.ts',
  manifest: 'scripts/manifest.ts',
  postgres: 'scripts/postgres.ts',
};

function isInstalled() {
  if (!existsSync(installedFile) || !existsSync(projectNode)) return false;
  return statSync(installedFile).mtimeMs >= statSync(lockFile).mtimeMs;
}

/** Installs what the lock file names. Only errors are shown: an older Node runs nothing but this file, so npm's engine warnings would mislead. */
function install() {
  process.stderr.write('sluice: installing what package-lock.json names (once)\n');
  const quiet = ['--loglevel=error', '--no-audit', '--no-fund', '--no-update-notifier', '--engine-strict=false'];
  const done = spawnSync('npm', ['ci', '--include=dev', ...quiet], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    shell: process.platform === 'win32',
  });
  if (done.status !== 0 || !existsSync(projectNode)) {
    const why =
      done.error?.message ?? (done.status === 0 ? `${path.relative(root, projectNode)} was not made` : `npm ci ended with ${done.status}`);
    process.stderr.write(`sluice: the installation failed: ${why}\n  → run "npm ci" in the project's folder to see all of it\n`);
    process.exit(1);
  }
  const now = new Date();
  utimesSync(installedFile, now, now);
}

/** The arguments of Node for a task, and the folder to run it in. */
function resolveTask(name, rest) {
  if (name !== 'start') return { cwd: root, args: [path.join(root, tasks[name]), ...rest] };
  if (rest.length === 0) return { cwd: root, args: [path.join(root, 'scripts/demo.ts')] };
  const once = path.join(root, 'scripts/signals.ts');
  return { cwd: process.env.INIT_CWD ?? process.cwd(), args: ['--import', once, path.join(root, 'src/cli/main.ts'), ...rest] };
}

/** Hands over to the project's Node. Where the running Node can, this process becomes it, so that nothing stands between the caller and the task. */
function hand({ cwd, args }) {
  if (typeof process.execve === 'function' && process.platform !== 'win32') {
    process.chdir(cwd);
    process.execve(projectNode, [projectNode, ...args], process.env);
  }
  const child = spawn(projectNode, args, { cwd, stdio: 'inherit', shell: process.platform === 'win32' });
  // Signals may come to this process alone, or to the whole group and so to the child as well: scripts/signals.ts drops the second of a pair.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`sluice: ${projectNode} could not be started: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

const [name = '', ...rest] = process.argv.slice(2);
if (name !== 'start' && !Object.hasOwn(tasks, name)) {
  process.stderr.write(`sluice: no task is called "${name}"; there are: start, ${Object.keys(tasks).join(', ')}\n`);
  process.exit(2);
}
if (!isInstalled()) install();
hand(resolveTask(name, rest));
