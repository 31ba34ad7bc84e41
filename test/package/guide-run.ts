/** Runs the blocks of a page as a reader would, one after another in a folder of its own, and compares what each prints with what the page says. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readBlocks, type GuideBlock } from './guide-blocks.ts';

const root = path.join(import.meta.dirname, '../..');
const blockTimeoutMs = 120_000;

interface Reading {
  readonly folder: string;
  readonly environment: NodeJS.ProcessEnv;
}

/** A folder with `sluice` on the path, as after `npm install -g`. */
async function openReading(environment: NodeJS.ProcessEnv): Promise<Reading> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sluice-page-'));
  const programs = path.join(folder, '.bin');
  const program = path.join(programs, 'sluice');
  await mkdir(programs);
  await writeFile(program, `#!/bin/sh\nexec '${process.execPath}' '${path.join(root, 'src/cli/main.ts')}' "$@"\n`);
  await chmod(program, 0o755);
  const own = {
    PATH: `${programs}${path.delimiter}${path.dirname(process.execPath)}${path.delimiter}${process.env['PATH'] ?? ''}`,
    XDG_CACHE_HOME: path.join(folder, '.cache'),
    NODE_NO_WARNINGS: '1',
    NO_COLOR: '1',
    COLUMNS: '100',
  };
  return { folder, environment: { ...process.env, ...own, ...environment } };
}

/** What a block prints on both streams. A command may fail on purpose: then its answer shows the error. */
async function runBlock({ language, code }: GuideBlock, { folder, environment }: Reading): Promise<{ text: string; failed: boolean }> {
  const script = path.join(folder, 'block.ts');
  // The package's own name resolves from inside it only; a reader has it installed.
  if (language === 'ts') {
    const own = code.replaceAll(/'sluice(?:\/(server|testing))?'/gu, (_, part: string | undefined) =>
      JSON.stringify(
        path.join(root, part === undefined ? 'src/index.ts' : part === 'server' ? 'src/server/serve.ts' : 'src/testing/index.ts'),
      ),
    );
    await writeFile(script, own);
  }
  const command = language === 'ts' ? `'${process.execPath}' block.ts` : code;
  return new Promise((resolve, reject) => {
    const options = { cwd: folder, env: environment, timeout: blockTimeoutMs, maxBuffer: 1 << 24 };
    execFile('bash', ['-c', `exec 2>&1\n${command}`], options, (error, text) => {
      if (error?.killed === true) reject(new Error(`no end: ${code}\n${text}`));
      else resolve({ text, failed: error !== null });
    });
  });
}

/** An answer as a pattern: `…` stands for any text of a line, and alone on a line for any lines. Figures that differ each time are written so. */
function toPattern(answer: string): RegExp {
  const lines = answer.trim().split('\n');
  const parts = lines.map((line) => (line.trim() === '…' ? '(?:.*\\n)*?' : `${toLinePattern(line)}\\n`));
  return new RegExp(`^${parts.join('')}$`, 'u');
}

function toLinePattern(line: string): string {
  return line
    .trimEnd()
    .split('…')
    .map((text) => RegExp.escape(text))
    .join('.*');
}

function tidy(text: string): string {
  return `${text
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
    .trim()}\n`;
}

/** Follows a page from its first block to its last. Answers how many blocks were run. */
export async function followPage(page: string, environment: NodeJS.ProcessEnv = {}): Promise<number> {
  const blocks = readBlocks(await readFile(path.join(root, page), 'utf8'));
  const reading = await openReading(environment);
  try {
    for (const block of blocks) {
      const { text, failed } = await runBlock(block, reading);
      const where = `${page}, line ${String(block.line)}:\n${block.code}\nprinted:\n${text}`;
      if (block.answer === undefined) assert.equal(failed, false, `failed: ${where}`);
      else assert.match(tidy(text), toPattern(block.answer), `another answer than the page shows: ${where}`);
    }
    return blocks.length;
  } finally {
    await rm(reading.folder, { recursive: true });
  }
}
