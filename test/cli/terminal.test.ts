/** The command line in a real pseudo-terminal: progress in place, Ctrl-C, colours, widths. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { measureWidth } from '../../src/cli/text-width.ts';
import { runInTerminal, runSluice } from './process.ts';
import { createScreen } from './screen.ts';

const rowCount = 12_000;
/** Long enough that embedding all rows takes a second: time for a Ctrl-C. */
const words = 'a text about nothing in particular '.repeat(8);
const slowly = ['--table', 'docs', '--key', 'id', '--embed', 'text', '--with', 'hash', '--no-cache', '--lanes', '1'];
let folder = '';

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-terminal-'));
  const lines = Array.from({ length: rowCount }, (_, id) => JSON.stringify({ id, text: `${words}${id}` }));
  writeFileSync(join(folder, 'rows.jsonl'), `${lines.join('\n')}\n`);
  writeFileSync(join(folder, 'few.jsonl'), '{"id":-1,"text":"one"}\n{"id":-2,"text":"two"}\n{"id":broken\n');
});

after(() => rmSync(folder, { recursive: true, force: true }));

function seeScreen(output: string): readonly string[] {
  const screen = createScreen();
  screen.write(output);
  assert.ok(screen.isCursorShown(), 'the cursor is hidden at the end');
  return screen.lines();
}

function countRows(file: string): number {
  const database = new DatabaseSync(join(folder, file), { readOnly: true });
  try {
    return Number(database.prepare('SELECT count(*) AS n FROM docs').get()?.['n']);
  } finally {
    database.close();
  }
}

test('a load in a terminal redraws its progress in place and leaves the account of every row', async () => {
  const { exitCode, stdout } = await runInTerminal(
    ['load', 'rows.jsonl', 'few.jsonl', '--to', 'sqlite:a.db', ...slowly, '--batch-rows', '500'],
    { cwd: folder },
  );
  assert.match(stdout, /loading[^\n]*█[^\n]* %/);
  const lines = seeScreen(stdout);
  assert.equal(exitCode, 3, stdout);
  assert.ok(!lines.some((line) => line.includes('█') || line.includes('queued')), 'progress is left on the screen');
  assert.ok(
    lines.some((line) => line.includes('12,003 = 12,002 + 0 + 1: every row is accounted for')),
    lines.join('\n'),
  );
});

test('Ctrl-C finishes the batches in flight, and the command it prints brings in the rest', async () => {
  const { exitCode, stdout } = await runInTerminal(['load', 'rows.jsonl', '--to', 'sqlite:b.db', ...slowly, '--batch-rows', '100'], {
    cwd: folder,
    env: { NO_COLOR: '1' },
    steps: [{ at: /if it stops/, type: '\x03' }],
  });
  const screen = seeScreen(stdout).join('\n');
  assert.equal(exitCode, 130, screen);
  assert.match(screen, /finishing the batches in flight; press Ctrl-C again to stop at once; resume with: sluice resume/);
  assert.ok(countRows('b.db') < rowCount, 'the load ended before it was interrupted');
  const command = /resume with: sluice (resume --in \S+ \S+)/.exec(screen)?.[1];
  assert.ok(command);
  const resumed = await runSluice(command.split(' '), { cwd: folder });
  assert.equal(resumed.exitCode, 0, resumed.stderr);
  assert.equal(countRows('b.db'), rowCount);
});

test('a second Ctrl-C ends at once, with the cursor back, and the load can still be resumed', async () => {
  // Someone else writes into the file: the batch in flight can't be finished.
  let blocker: DatabaseSync | undefined;
  const prepare = (): void => {
    blocker = new DatabaseSync(join(folder, 'c.db'), { timeout: 10_000 });
    blocker.exec('BEGIN IMMEDIATE');
  };
  // Two presses of a hand: the block is redrawn in between.
  const steps = [
    { at: /if it stops/, prepare, type: '\x03' },
    { at: /press Ctrl-C again[^]*?loading[^]*?loading[^]*?loading/, type: '\x03' },
  ];
  const { exitCode, stdout } = await runInTerminal(['load', 'rows.jsonl', '--to', 'sqlite:c.db', ...slowly], { cwd: folder, steps });
  blocker?.exec('ROLLBACK');
  blocker?.close();
  const screen = seeScreen(stdout).join('\n');
  assert.equal(exitCode, 130, screen);
  assert.doesNotMatch(screen, /accounted for/, 'it waited for the batch');
  const resumed = await runSluice(['resume', '--in', 'sqlite:c.db'], { cwd: folder });
  assert.equal(resumed.exitCode, 0, resumed.stderr);
  assert.equal(countRows('c.db'), rowCount);
});

test('in forty columns no line of progress or of a table is wider', async () => {
  const load = await runInTerminal(['load', 'rows.jsonl', '--to', 'sqlite:d.db', ...slowly, '--batch-rows', '500'], {
    cwd: folder,
    columns: 40,
  });
  const frames = load.stdout
    .split('\x1b[?25l')
    .slice(1)
    .map((part) => part.split('\x1b[?25h')[0] ?? '');
  assert.ok(frames.length > 0);
  for (const line of frames.join('\n').split(/\r?\n|\p{Cc}\[\d+A|\p{Cc}\[0J/u)) assert.ok(measureWidth(line) < 40, line);
  const status = await runInTerminal(['status', '--in', 'sqlite:d.db'], { cwd: folder, columns: 40 });
  for (const line of seeScreen(status.stdout)) assert.ok(measureWidth(line) <= 40, line);
});

test('colours are there on a terminal, and NO_COLOR takes them away', async () => {
  const [coloured, plain] = await Promise.all([
    runInTerminal(['plan', 'few.jsonl', '--to', 'sqlite:e.db', '--table', 'docs'], { cwd: folder }),
    runInTerminal(['plan', 'few.jsonl', '--to', 'sqlite:e.db', '--table', 'docs'], { cwd: folder, env: { NO_COLOR: '1' } }),
  ]);
  assert.match(coloured.stdout, /\p{Cc}\[1m/u);
  assert.doesNotMatch(plain.stdout, /\p{Cc}\[\d+m/u);
});
