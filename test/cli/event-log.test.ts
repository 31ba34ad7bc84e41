/** `--log`: a line of JSON for each thing that happens, without rows and secrets; a log that can't be written ends the load before it begins. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { makeFolder } from '../fixtures/load-folder.ts';
import { runSluice } from './process.ts';

type Line = Readonly<Record<string, unknown>>;

function readLines(file: string): readonly Line[] {
  return readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

test('a log tells options, phases, warnings, rejects by cause and the end, and a second load goes on in it', async (context) => {
  const folder = makeFolder(context);
  writeFileSync(path.join(folder, 'rows.csv'), 'id,age\n1,3\n2,hidden\n3,5\n');
  const args = [
    'load',
    'rows.csv',
    '--to',
    'sqlite:rows.db',
    '--table',
    't',
    '--column',
    'age:integer',
    '--progress',
    'none',
    '--log',
    'load.log',
  ];
  const { exitCode } = await runSluice(args, { cwd: folder });
  assert.equal(exitCode, 3);
  const lines = readLines(path.join(folder, 'load.log'));
  const events = lines.map(({ event }) => event);
  for (const event of ['begin', 'phase', 'decision', 'rejects', 'end']) assert.ok(events.includes(event), `${event} in ${events.join()}`);
  const end = lines.at(-1) as { readonly state: string; readonly counts: Line };
  assert.deepEqual([end.state, end.counts], ['done', { read: 3, written: 2, skipped: 0, rejected: 1 }]);
  assert.ok(lines.every(({ level, time }) => typeof level === 'string' && typeof time === 'string'));
  assert.doesNotMatch(readFileSync(path.join(folder, 'load.log'), 'utf8'), /hidden/u);
  await runSluice(args, { cwd: folder });
  assert.equal(readLines(path.join(folder, 'load.log')).filter(({ event }) => event === 'begin').length, 2);
});

test('a password is not in the log, and a failure is', async (context) => {
  const folder = makeFolder(context);
  writeFileSync(path.join(folder, 'rows.csv'), 'id\n1\n');
  const { exitCode } = await runSluice(
    ['load', 'rows.csv', '--to', 'postgres://app:hunter2@127.0.0.1:1/app', '--table', 't', '--log', 'load.log', '--progress', 'none'],
    { cwd: folder },
  );
  assert.notEqual(exitCode, 0);
  const text = readFileSync(path.join(folder, 'load.log'), 'utf8');
  assert.doesNotMatch(text, /hunter2/u);
  assert.match(text, /"event":"failed","code":"SLUICE_TARGET_UNREACHABLE"/u);
});

test('a log that can not be written ends the command before anything is', async (context) => {
  const folder = makeFolder(context);
  writeFileSync(path.join(folder, 'rows.csv'), 'id\n1\n');
  const { exitCode, stderr } = await runSluice(['load', 'rows.csv', '--to', 'sqlite:rows.db', '--table', 't', '--log', 'none/load.log'], {
    cwd: folder,
  });
  assert.equal(exitCode, 2);
  assert.match(stderr, /--log: none\/load\.log can't be written/u);
  assert.equal(existsSync(path.join(folder, 'rows.db')), false);
});
