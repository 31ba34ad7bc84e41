/** Configuration files, presets and where every option comes from. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { findNearest } from '../../src/nearest.ts';
import { readConfig } from '../../src/cli/config/file.ts';
import { presetNames } from '../../src/cli/config/presets.ts';
import { loadShape } from '../../src/cli/config/shape.ts';
import { isSluiceError } from '../../src/errors.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { runSluice } from './process.ts';

function write(context: TestContext, text: string, name = 'load.yaml'): string {
  const file = path.join(makeFolder(context), name);
  writeFileSync(file, text);
  return file;
}

function listProblems(file: string, env: Readonly<Record<string, string>> = {}): readonly string[] {
  try {
    readConfig(file, env);
  } catch (error) {
    assert.ok(isSluiceError(error, 'SLUICE_CONFIG_INVALID'));
    return error.problems.length > 0 ? error.problems : [error.message];
  }
  return [];
}

test('a load that a file describes is the load of the same options', async (context) => {
  const folder = makeFolder(context);
  writeFileSync(path.join(folder, 'people.csv'), 'id,name,years\n1,a,3\n2,b,4\n');
  const file = path.join(folder, 'load.yaml');
  writeFileSync(
    file,
    'from: people.csv\nto: sqlite:people.db\ntable: people\nkey: id\ncolumns: { age: { type: integer, from: years } }\noutput: { progress: none }\n',
  );
  // Paths begin at the folder of the file, not at the one that it is called from.
  const { exitCode, stdout } = await runSluice(['load', '-c', file, '--json'], { cwd: path.dirname(folder) });
  assert.equal(exitCode, 0, stdout);
  const report = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as { readonly counts: { readonly written: number } };
  assert.equal(report.counts.written, 2);
  assert.ok(existsSync(path.join(folder, 'people.db')));
});

test('every mistake is told at once, with its line and what was meant', (context) => {
  const file = write(
    context,
    'tabel: t\nkey: [a]\nsource:\n  fromat: csv\nformat: csv\nmode: upsret\nlimits: 5\ntarget: { atomic: maybe }\ncolumns: { a: { typ: text } }\nlannes: 2\n',
  );
  const problems = listProblems(file);
  const wanted = [
    /:1:1: .*"tabel"; did you mean table\?/u,
    /:4:3: .*"fromat" under source; did you mean format\?/u,
    /:5:1: .*did you mean source\.format\?/u,
    /:6:7: mode is one of .*did you mean upsert\?/u,
    /:7:1: limits takes keys/u,
    /:8:19: target\.atomic is true or false/u,
    /:9:17: columns\.a has no key "typ"/u,
    /:10:1: .*"lannes"; did you mean speed\.lanes\?/u,
  ];
  assert.equal(problems.length, wanted.length, problems.join('\n'));
  wanted.forEach((pattern, at) => assert.match(problems[at] ?? '', pattern));
});

test('a file that is no YAML, has a key twice or nests without end is refused with the place', (context) => {
  assert.match(listProblems(write(context, 'table: [a\nto: x'))[0] ?? '', /load\.yaml:\d+:\d+:/u);
  assert.match(listProblems(write(context, 'table: a\ntable: b\n'))[0] ?? '', /:2:1: .*unique/u);
  assert.match(listProblems(write(context, '- a\n'))[0] ?? '', /described by keys/u);
  const bomb = `a: &a [x, x]\n${'bcdefghij'
    .split('')
    .map((letter, at) => `${letter}: &${letter} [${`*${'abcdefghi'[at] ?? 'a'},`.repeat(9)}]`)
    .join('\n')}\n`;
  assert.ok(listProblems(write(context, bomb)).length > 0);
  assert.match(listProblems(write(context, `# ${'x'.repeat(2 ** 20)}`))[0] ?? '', /bytes/u);
  assert.match(listProblems(path.join(makeFolder(context), 'none.yaml'))[0] ?? '', /could not be read \(ENOENT\)/u);
});

test('JSON is taken as it is, and an empty key says nothing', (context) => {
  const { values } = readConfig(write(context, '{"table":"t","key":["a","b"],"mode":null}', 'load.json'), {});
  assert.deepEqual([values.get('table')?.value, values.get('key')?.value, values.has('mode')], ['t', 'a,b', false]);
});

test('variables are filled in, missing ones are named, and secrets are known as such', (context) => {
  const folder = makeFolder(context);
  writeFileSync(path.join(folder, 'secret'), 'pass word\n');
  const file = path.join(folder, 'load.yaml');
  writeFileSync(file, 'to: postgres://app@${HOST}/${DB:-app}\npassword: file:secret\ntable: env:TABLE\nlabel: a $${b}\n');
  const { values } = readConfig(file, { HOST: 'db', TABLE: 't' });
  assert.equal(values.get('to')?.value, 'postgres://app@db/app');
  assert.deepEqual([values.get('password')?.value, values.get('password')?.isSecret], ['pass word', true]);
  assert.deepEqual([values.get('table')?.isSecret, values.get('label')?.value], [true, 'a ${b}']);
  assert.match(listProblems(file, { TABLE: 't' })[0] ?? '', /variable HOST is not set/u);
});

test('flags win over the environment, that over the file, that over the preset; secrets are never shown', async (context) => {
  const file = write(
    context,
    'from: postgres://me:topsecret@localhost/app?table=t\nto: postgres://app@localhost/app\npassword: env:DB_PASSWORD\ntable: fromfile\nspeed: { lanes: 3 }\npreset: small-memory\n',
  );
  const env = { DB_PASSWORD: 'hunter2', SLUICE_TABLE: 'fromenv', SLUICE_KEY: 'id' };
  const { stdout, stderr } = await runSluice(['config', 'show', '-c', file, '--key', 'other', '--json'], { env });
  const { options } = JSON.parse(stdout) as {
    readonly options: readonly { readonly option: string; readonly value: string; readonly origin: string }[];
  };
  const found = Object.fromEntries(options.map(({ option, origin, value }) => [option, `${value} by ${origin}`]));
  assert.equal(found['key'], 'other by flag');
  assert.equal(found['table'], 'fromenv by environment');
  assert.equal(found['lanes'], '3 by file');
  assert.equal(found['batch-bytes'], '1MiB by preset');
  assert.equal(found['from'], 'postgres://me:***@localhost/app?table=t by file');
  assert.ok(!`${stdout}${stderr}`.includes('hunter2'));
});

test('plan --write makes a file that plans the same, in whatever folder it lies, and never writes over one', async (context) => {
  const folder = makeFolder(context);
  mkdirSync(path.join(folder, 'conf'));
  writeFileSync(path.join(folder, 'people.csv'), 'id,name,age\n1,a,3\n2,b,4\n');
  const asked = [
    'people.csv',
    '--to',
    'sqlite:people.db',
    '--table',
    'people',
    '--key',
    'id',
    '--map',
    'years=age',
    '--mode',
    'upsert',
    '--max-rejects',
    '5%',
  ];
  const written = await runSluice(['plan', ...asked, '--write', 'conf/load.yaml', '--json'], { cwd: folder });
  assert.equal(written.exitCode, 0, written.stderr);
  const again = await runSluice(['plan', '-c', path.join('conf', 'load.yaml'), '--json'], { cwd: folder });
  const [first, second] = [written, again].map(
    ({ stdout }) =>
      JSON.parse(stdout) as {
        readonly table: { readonly ddl: unknown };
        readonly columns: readonly { readonly name: string; readonly type: string }[];
      },
  );
  assert.deepEqual(second?.table.ddl, first?.table.ddl);
  assert.deepEqual(
    second?.columns.map(({ name, type }) => [name, type]),
    first?.columns.map(({ name, type }) => [name, type]),
  );
  const refused = await runSluice(['plan', ...asked, '--write', 'conf/load.yaml'], { cwd: folder });
  assert.equal(refused.exitCode, 2);
  assert.match(refused.stderr, /there already/u);
  assert.doesNotMatch(readFileSync(path.join(folder, 'conf/load.yaml'), 'utf8'), /undefined|null/u);
});

test('a password given on the command line is not written into a file', async (context) => {
  const folder = makeFolder(context);
  writeFileSync(path.join(folder, 'people.csv'), 'id\n1\n');
  const file = path.join(folder, 'load.yaml');
  // The server is not there: the plan fails, and nothing at all is written.
  const { exitCode, stderr } = await runSluice(
    ['plan', 'people.csv', '--to', 'postgres://app:hunter2@127.0.0.1:1/app', '--table', 't', '--write', file],
    { cwd: folder },
  );
  assert.notEqual(exitCode, 0);
  assert.ok(!stderr.includes('hunter2') && !existsSync(file));
});

test('the nearest word is what was meant, and nothing where nothing is near', () => {
  assert.equal(findNearest('max_rejects', ['max-rejects', 'max-deletes']), 'max-rejects');
  assert.equal(findNearest('tabel', Object.keys(loadShape)), 'table');
  assert.equal(findNearest('xyzzy', ['table', 'key']), undefined);
  assert.ok(presetNames.includes('safe'));
});

test('what a file names is told as it would be typed in the current folder, and absolute where it was', async (context) => {
  const folder = makeFolder(context);
  const inner = path.join(folder, 'jobs');
  mkdirSync(inner);
  writeFileSync(path.join(folder, 'people.csv'), 'id\n1\n');
  writeFileSync(path.join(inner, 'load.yaml'), 'from: ../people.csv\nto: sqlite:people.db\ntable: people\noutput: { progress: none }\n');
  const run = async (config: string, cwd: string): Promise<string> => {
    const { stderr, exitCode } = await runSluice(['load', '-c', config, '--again'], { cwd });
    assert.equal(exitCode, 0, stderr);
    return stderr;
  };
  const above = await run('jobs/load.yaml', folder);
  assert.match(above, /^done: people\.csv → sqlite:jobs\/people\.db, table people/mu);
  assert.match(above, /^→ sluice verify --in sqlite:jobs\/people\.db /mu);
  assert.match(await run('load.yaml', inner), /^done: \.\.\/people\.csv → sqlite:people\.db, table people/mu);
  assert.ok(
    (await run(path.join(inner, 'load.yaml'), inner)).includes(
      `done: ${path.join(folder, 'people.csv')} → sqlite:${path.join(inner, 'people.db')}`,
    ),
  );
});

test('a file whose name alone would be stdin or a URL is still a file', (context) => {
  const file = write(context, 'from: [./-, "./a:b.csv", "-"]\n');
  const cwd = process.cwd();
  process.chdir(path.dirname(file));
  try {
    assert.deepEqual(readConfig('load.yaml', {}).values.get('from')?.value, ['./-', './a:b.csv', '-']);
  } finally {
    process.chdir(cwd);
  }
});
