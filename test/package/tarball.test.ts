/** The package as users get it: packed by npm, installed into an empty project, used from the command line and from code. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'sluice-package-'));
const copy = path.join(folder, 'copy');
const project = path.join(folder, 'project');
after(() => rmSync(folder, { recursive: true, force: true }));

/** Above what the package and its dependencies take installed (34 MB, 25 of them usearch's sources and builds), below what a mistake would add. */
const maxInstalledBytes = 60 << 20;

/** Runs a command and returns what it printed; npm finds no compiler, so whatever compiles fails. */
function run(command: string, args: readonly string[], cwd: string): string {
  const env = { ...process.env, CC: 'no-compiler', CXX: 'no-compiler', npm_config_loglevel: 'error', npm_config_ignore_scripts: undefined };
  const done = spawnSync(command, args, { cwd, env, encoding: 'utf8', timeout: 240_000 });
  assert.equal(done.status, 0, `${command} ${args.join(' ')}\n${done.stdout}\n${done.stderr}`);
  return done.stdout;
}

/** Packs a copy, because packing rewrites package.json for a moment and other tests run meanwhile. */
function packCopy(): string {
  mkdirSync(copy);
  const names = [
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
    'src',
    'scripts',
    'docs',
  ];
  for (const name of names) cpSync(path.join(root, name), path.join(copy, name), { recursive: true, force: true });
  symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'), 'dir');
  // Whatever the age of the real one, nothing may be installed through the link.
  utimesSync(path.join(copy, 'package-lock.json'), new Date(0), new Date(0));
  const printed = run('npm', ['pack', '--json'], copy);
  const [packed] = JSON.parse(printed.slice(printed.indexOf('[\n'))) as { filename: string }[];
  return path.join(copy, packed?.filename ?? '');
}

before(() => {
  const tarball = packCopy();
  mkdirSync(project);
  writeFileSync(path.join(project, 'package.json'), JSON.stringify({ name: 'project', private: true, type: 'module' }));
  run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], project);
});

/** Files under the installed packages. */
function listInstalled(pattern: string): readonly string[] {
  return globSync(pattern, { cwd: path.join(project, 'node_modules') });
}

test('packing leaves package.json as it was', () => {
  assert.equal(readFileSync(path.join(copy, 'package.json'), 'utf8'), readFileSync(path.join(root, 'package.json'), 'utf8'));
});

test('the package holds JavaScript with declarations, its papers, and no source, test or script', () => {
  const files = globSync('**/*', { cwd: path.join(project, 'node_modules/sluice'), withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(path.join(project, 'node_modules/sluice'), path.join(entry.parentPath, entry.name)));
  const others = files.filter(
    (file) => !/^(?:dist\/.+\.(?:js|d\.ts)|docs\/.+\.(?:md|svg|schema\.json)|[A-Z]+(?:\.md)?|package\.json)$/.test(file),
  );
  assert.deepEqual(others, []);
  for (const needed of ['README.md', 'LICENSE', 'dist/index.js', 'dist/index.d.ts', 'dist/cli/main.js'])
    assert.ok(files.includes(needed), needed);
});

test('installing compiles nothing and takes tens of megabytes at most', () => {
  assert.deepEqual(listInstalled('**/build/Release/**'), []);
  const bytes = globSync('**/*', { cwd: path.join(project, 'node_modules'), withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(path.join(entry.parentPath, entry.name)).size, 0);
  assert.ok(bytes < maxInstalledBytes, `${bytes} bytes are installed`);
});

test('the installed command answers to --help and loads a file with two lanes', () => {
  const sluice = path.join(project, 'node_modules/.bin/sluice');
  assert.match(run(sluice, ['--help'], project), /Usage: sluice/);
  const lines = Array.from({ length: 30_000 }, (_, id) => `${id},name ${id},${id % 90}\n`).join('');
  writeFileSync(path.join(project, 'people.csv'), `id,name,age\n${lines}`);
  run(sluice, ['load', 'people.csv', '--to', 'sqlite:people.db', '--table', 'people', '--key', 'id', '--lanes', '2'], project);
  assert.match(run(sluice, ['status', '--in', 'sqlite:people.db', '--json'], project), /"written":\s*30000/);
});

test('a program of the project loads, verifies and searches by the package’s name', () => {
  const program = `
    import { load, search, verify } from 'sluice';
    const rows = [{ id: 1, text: 'a heart attack' }, { id: 2, text: 'a small boat' }];
    const to = 'sqlite:library.db';
    const report = await load({ from: rows, to, table: 'docs', key: ['id'], embed: { column: 'text', with: 'hash' }, cache: false });
    const verified = await verify({ in: to });
    const found = await search({ in: to, table: 'docs', query: 'boat', k: 1 });
    console.log(JSON.stringify({ written: report.counts.written, isOk: verified.isOk, nearest: found.hits[0].key.id }));
  `;
  writeFileSync(path.join(project, 'program.js'), program);
  assert.deepEqual(JSON.parse(run(process.execPath, ['program.js'], project)), { written: 2, isOk: true, nearest: 2 });
});

test('the index is built from the package as well, in its worker thread', () => {
  const program = `
    import { load, search } from 'sluice';
    const rows = Array.from({ length: 500 }, (_, id) => ({ id, v: Float32Array.from({ length: 8 }, (_, at) => Math.sin(id * 8 + at)) }));
    const to = 'sqlite:vectors.db';
    const report = await load({ from: rows, to, table: 'docs', key: ['id'], index: { build: 'always' } });
    const found = await search({ in: to, table: 'docs', query: rows[77].v, k: 1, way: 'index' });
    console.log(JSON.stringify({ kind: report.index?.kind, nearest: found.hits[0].key.id }));
  `;
  writeFileSync(path.join(project, 'vectors.js'), program);
  assert.deepEqual(JSON.parse(run(process.execPath, ['vectors.js'], project)), { kind: 'hnsw', nearest: 77 });
});

test('every export of the package can be imported', () => {
  const manifest = JSON.parse(readFileSync(path.join(project, 'node_modules/sluice/package.json'), 'utf8')) as {
    exports: Record<string, unknown>;
  };
  const names = Object.keys(manifest.exports).filter((name) => !name.endsWith('.json'));
  const program = `for (const name of ${JSON.stringify(names)}) console.log(Object.keys(await import('sluice' + name.slice(1))).length > 0);`;
  assert.equal(run(process.execPath, ['--input-type=module', '-e', program], project), 'true\n'.repeat(names.length));
});

test('the declarations of the package satisfy a strict project', () => {
  const program = `import { load, type LoadReport } from 'sluice';\nexport const report: Promise<LoadReport> = load({ from: [{ id: 1 }], to: 'sqlite:x.db', table: 't' });\n`;
  writeFileSync(path.join(project, 'typed.ts'), program);
  const compilerOptions = {
    module: 'NodeNext',
    strict: true,
    noEmit: true,
    exactOptionalPropertyTypes: true,
    types: ['node'],
    typeRoots: [path.join(root, 'node_modules/@types')],
  };
  writeFileSync(path.join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['typed.ts'] }));
  run(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'], project);
});
