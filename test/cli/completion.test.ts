/** Completion: what is offered at the cursor, and that real shells take it. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { test, type TestContext } from 'node:test';
import { commands } from '../../src/cli/command-list.ts';
import { listCandidates, type Names } from '../../src/cli/completion/candidates.ts';
import { cutLine } from '../../src/cli/completion/words.ts';
import { load } from '../../src/load/load.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { mainPath, runSluice } from './process.ts';

const names: Names = { tables: ['docs', 'people'], loads: [{ load: '2026-1', label: 'nightly', state: 'done', table: 'docs' }] };

async function offer(line: string): Promise<readonly string[]> {
  const { words } = await listCandidates(cutLine(line), { commands, ask: () => Promise.resolve(names) });
  return words.map(({ word }) => word);
}

test('commands, options, choices, tables and loads are offered where they belong', async () => {
  assert.deepEqual(await offer('sluice rej'), ['rejects']);
  assert.deepEqual(await offer('sluice load a.csv --max-del'), ['--max-deletes']);
  assert.deepEqual(await offer('sluice load a.csv --mode up'), ['upsert']);
  assert.deepEqual(await offer('sluice load a.csv --mode=s'), ['--mode=skip', '--mode=sync']);
  assert.deepEqual(await offer('sluice load a.csv --to sqlite:x.db --table '), ['docs', 'people']);
  assert.deepEqual(await offer('sluice search "heart attack" --in sqlite:x.db --table p'), ['people']);
  assert.deepEqual(await offer('sluice status --in sqlite:x.db '), ['2026-1', 'nightly']);
  assert.deepEqual(await offer('sluice completion '), ['bash', 'zsh', 'fish']);
  assert.deepEqual(await offer('sluice index r'), ['rebuild']);
  assert.deepEqual(await offer('sluice nothing '), []);
  assert.ok(!(await offer('sluice comp')).includes('complete'), 'what only scripts ask is not offered');
});

test('a line is cut into words as a shell does it', () => {
  assert.deepEqual(cutLine(`sluice search "a b" 'c "d' e\\ f g`), { before: ['sluice', 'search', 'a b', 'c "d', 'e f'], current: 'g' });
  assert.deepEqual(cutLine('sluice load "half a'), { before: ['sluice', 'load'], current: 'half a' });
});

test('a target that is not there, or does not answer, offers nothing and keeps nobody waiting', async () => {
  const none = await runSluice(['complete', '--line', 'sluice status --in sqlite:none.db ']);
  assert.deepEqual([none.exitCode, none.stdout, none.stderr], [0, 'words\n', '']);
  const silent = await runSluice(['complete', '--line', 'sluice load x --to postgres://a@192.0.2.1/b --table ']);
  assert.deepEqual([silent.exitCode, silent.stdout, silent.stderr], [0, 'words\n', '']);
});

/** A folder with `sluice` on the path and a database with a load. */
async function makeShell(context: TestContext): Promise<{ readonly folder: string; readonly env: NodeJS.ProcessEnv }> {
  const folder = makeFolder(context);
  const programs = path.join(folder, 'bin');
  mkdirSync(programs);
  writeFileSync(path.join(programs, 'sluice'), `#!/bin/sh\nexec '${process.execPath}' '${mainPath}' "$@"\n`);
  chmodSync(path.join(programs, 'sluice'), 0o755);
  writeFileSync(path.join(folder, 'my data.csv'), 'id\n1\n');
  await load({ from: [{ id: 1 }], to: `sqlite:${path.join(folder, 'my.db')}`, table: 'people', label: 'first' });
  return { folder, env: { ...process.env, PATH: `${programs}${path.delimiter}${process.env['PATH'] ?? ''}`, HOME: folder } };
}

function isThere(shell: string): boolean {
  return spawnSync(shell, ['-c', 'exit 0']).status === 0;
}

test('bash completes by the script', { skip: isThere('bash') ? false : 'bash is not installed' }, async (context) => {
  const { env, folder } = await makeShell(context);
  const complete = (line: string, words: readonly string[]): string => {
    const script = `eval "$(sluice completion bash)"; COMP_LINE=${JSON.stringify(line)}; COMP_POINT=\${#COMP_LINE}; COMP_WORDS=(${words.map((word) => JSON.stringify(word)).join(' ')}); COMP_CWORD=${String(words.length - 1)}; _sluice_complete; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync('bash', ['-c', script], { env, cwd: folder, encoding: 'utf8' }).trim();
  };
  assert.equal(complete('sluice rej', ['sluice', 'rej']), 'rejects');
  assert.equal(complete('sluice status --in sqlite:my.db fi', ['sluice', 'status', '--in', 'sqlite', ':', 'my.db', 'fi']), 'first');
  assert.equal(
    complete('sluice load x --to sqlite:my.db --table ', ['sluice', 'load', 'x', '--to', 'sqlite', ':', 'my.db', '--table', '']),
    'people',
  );
  assert.equal(
    complete('sluice load x --to sqlite:m', ['sluice', 'load', 'x', '--to', 'sqlite', ':', 'm']).split('\n').toSorted().join(),
    'my data.csv,my.db',
  );
  assert.equal(complete('sluice load x --index hnsw:l', ['sluice', 'load', 'x', '--index', 'hnsw', ':', 'l']), 'l2');
});

test('fish completes by the script', { skip: isThere('fish') ? false : 'fish is not installed' }, async (context) => {
  const { env, folder } = await makeShell(context);
  const script = `sluice completion fish | source; complete -C 'sluice status --in sqlite:my.db fi'; complete -C 'sluice load x --mode sy'`;
  const printed = execFileSync('fish', ['-c', script], { env, cwd: folder, encoding: 'utf8' });
  assert.match(printed, /^first\tpeople, done\nsync/u);
});

test('zsh takes the script', { skip: isThere('zsh') ? false : 'zsh is not installed' }, async (context) => {
  const { env, folder } = await makeShell(context);
  const script = `autoload -U compinit; compinit -u -d ${path.join(folder, 'dump')}; eval "$(sluice completion zsh)"; print -r -- $_comps[sluice]`;
  assert.equal(execFileSync('zsh', ['-f', '-c', script], { env, cwd: folder, encoding: 'utf8' }).trim(), '_sluice_complete');
});
