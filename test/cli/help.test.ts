/** Help, mistakes and interrupts: answered at once, without the library, with the next step. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { commands } from '../../src/cli/command-list.ts';
import { watchInterrupts } from '../../src/cli/interruption.ts';
import { runSluice } from './process.ts';

/** Prints each module that the process asks for. */
const tellModules = `import { registerHooks } from 'node:module'; registerHooks({ resolve(name, context, next) { process._rawDebug('module ' + name); return next(name, context); } });`;

test('help is answered without loading the library, its checks or its databases', async () => {
  const { exitCode, stdout, stderr } = await runSluice(['--help'], {
    nodeArguments: ['--import', `data:text/javascript,${encodeURIComponent(tellModules)}`],
  });
  assert.equal(exitCode, 0);
  for (const { isHidden, name } of commands) assert.equal(new RegExp(`^ {2}${name} `, 'm').test(stdout), isHidden !== true, name);
  const modules = [...stderr.matchAll(/^module (.*)$/gm)].map(([, name]) => name ?? '');
  assert.ok(modules.includes('commander'), 'the hook sees modules');
  const heavy = modules.filter((name) =>
    /^(zod|usearch|sqlite-vec|node:sqlite|node:worker_threads|\.\.\/index\.ts|\.\/request\.ts)$/.test(name),
  );
  assert.deepEqual(heavy, []);
});

test('each command has help with at least two examples', async () => {
  for (const spec of commands) assert.ok(spec.examples.length >= 2, spec.name);
  const { exitCode, stdout } = await runSluice(['help', 'load']);
  assert.equal(exitCode, 0);
  assert.match(stdout, /^Usage: sluice load <from\.\.\.> \[options\]/);
  assert.match(stdout, /\nExamples:\n {2}# .*\n {2}sluice load /);
});

test('the list of commands shows no example of a command that it does not name', async () => {
  const { stdout } = await runSluice(['--help']);
  const find = (pattern: RegExp): readonly string[] => Array.from(stdout.matchAll(pattern), ([, name = '']) => name);
  const named = new Set(find(/^ {2}([a-z]+)(?: |$)/gmu));
  const shown = find(/^ {2}(?:eval "\$\()?sluice ([a-z]+)/gmu);
  assert.ok(shown.length > 10);
  assert.deepEqual(
    shown.filter((name) => !named.has(name)),
    [],
  );
});

test('the version is that of the package', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  assert.deepEqual(await runSluice(['--version']), { exitCode: 0, stdout: `${version}\n`, stderr: '' });
});

test('a mistyped command or option is told with the nearest one, on stderr or as an event', async () => {
  const command = await runSluice(['laod']);
  assert.deepEqual([command.exitCode, command.stdout], [2, '']);
  assert.match(command.stderr, /^sluice: unknown command 'laod' \[SLUICE_USAGE\]\n {2}→ did you mean load\?/);
  const option = await runSluice(['load', '--tabel', 'x', '--json']);
  const event = JSON.parse(option.stdout);
  assert.deepEqual([option.exitCode, option.stderr, event.code], [2, '', 'SLUICE_USAGE']);
  assert.match(event.hint, /--table/);
});

test('without a command there is help on stderr, and 2', async () => {
  const { exitCode, stdout, stderr } = await runSluice([]);
  assert.deepEqual([exitCode, stdout], [2, '']);
  assert.match(stderr, /^Usage: sluice <command>/);
});

test('one Ctrl-C that arrives twice, as under npm, is one', (context) => {
  const exit = context.mock.method(process, 'exit', () => undefined as never);
  let told = 0;
  const watch = watchInterrupts(
    () => told++,
    () => undefined,
  );
  try {
    process.emit('SIGINT');
    process.emit('SIGINT');
    assert.deepEqual([told, watch.signal.aborted, exit.mock.callCount()], [1, true, 0]);
  } finally {
    watch.release();
  }
  assert.equal(process.listenerCount('SIGINT'), 0);
});
