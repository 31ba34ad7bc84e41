/** docs/guides/bulk-statements.md is run from its first block to its last, against `sluice serve` and against rqlited where there is one, and prints what it says. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { findRqlited, startRqlited } from '../server/server.ts';
import { readBlocks, type GuideBlock } from './guide-blocks.ts';

const root = path.join(import.meta.dirname, '../..');
const guide = path.join(root, 'docs/guides/bulk-statements.md');
const cli = path.join(root, 'src/cli/main.ts');

/** What stands below is an answer that only sluice gives. */
const ownHeading = 'Better answers, when asked for';

interface Running {
  readonly port: number;
  close(): Promise<void>;
}

/** Where the guide is read: a folder, the servers that its blocks started, by the port that the guide gives them. */
interface Desk {
  readonly folder: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly servers: Map<string, Running>;
  readonly startServer: (command: string) => Promise<Running>;
}

/** Starts `sluice serve` as the guide has it, but on a free port. */
async function startSluice(command: string, folder: string): Promise<Running> {
  const words = command
    .replace(/localhost:\d+/u, 'localhost:0')
    .split(' ')
    .slice(1);
  const child = spawn(process.execPath, [cli, ...words, '--json'], { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });
  const exit = once(child, 'exit');
  for await (const line of createInterface(child.stdout)) {
    const { port } = JSON.parse(line) as { readonly port: number };
    return {
      port,
      close: async () => {
        child.kill('SIGTERM');
        assert.deepEqual(await exit, [0, null], `${command} ends well`);
      },
    };
  }
  throw new Error(`${command} did not start`);
}

async function openDesk(startServer?: Desk['startServer']): Promise<Desk> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sluice-guide-'));
  const program = path.join(folder, 'sluice');
  await writeFile(program, `#!/bin/sh\nexec '${process.execPath}' '${cli}' "$@"\n`);
  await chmod(program, 0o755);
  const environment = {
    ...process.env,
    PATH: `${folder}${path.delimiter}${process.env['PATH'] ?? ''}`,
    NODE_NO_WARNINGS: '1',
    NO_PROXY: '*',
  };
  return { folder, environment, servers: new Map(), startServer: startServer ?? ((command) => startSluice(command, folder)) };
}

async function closeDesk({ folder, servers }: Desk): Promise<void> {
  for (const server of servers.values()) await server.close();
  await rm(folder, { recursive: true });
}

/** What a block prints on stdout; a command may fail, as some do on purpose. */
async function runBlock({ language, code }: GuideBlock, desk: Desk): Promise<string> {
  const { folder, environment, servers } = desk;
  const command = code.replaceAll(/localhost:(\d+)/gu, (text, port: string) => {
    const server = servers.get(port);
    return server === undefined ? text : `localhost:${String(server.port)}`;
  });
  const script = path.join(folder, 'block.ts');
  // The package's own name resolves from inside it only; a reader has it installed.
  if (language === 'ts') await writeFile(script, command.replace("'sluice'", JSON.stringify(path.join(root, 'src/index.ts'))));
  const [file, args] = language === 'ts' ? [process.execPath, [script]] : ['bash', ['-c', command]];
  return new Promise((resolve, reject) => {
    execFile(file, args, { cwd: folder, env: environment, timeout: 60_000 }, (error, stdout, stderr) => {
      if (error?.killed === true) reject(new Error(`no end: ${command}\n${stderr}`));
      else if (stdout === '' && error !== null) reject(new Error(`${command}\n${stderr}`));
      else resolve(stdout);
    });
  });
}

function normalise(text: string): string {
  return text
    .replaceAll(/"(time|sequence_number)":[\d.e+-]+/gu, '"$1":0')
    .replaceAll('}{', '}\n{')
    .trim();
}

/** Runs the blocks as a reader would, one after another, and compares what they print. Answers how many were run. */
async function followGuide(blocks: readonly GuideBlock[], desk: Desk): Promise<number> {
  for (const block of blocks) {
    if (block.code.startsWith('sluice serve')) {
      const [, port = ''] = /localhost:(\d+)/u.exec(block.code) ?? [];
      desk.servers.set(port, await desk.startServer(block.code));
      continue;
    }
    const printed = await runBlock(block, desk);
    assert.equal(normalise(printed), normalise(block.answer ?? ''), `line ${String(block.line)} of the guide:\n${block.code}`);
  }
  return blocks.length;
}

const blocks = readBlocks(await readFile(guide, 'utf8'));

test('every block of the guide runs against sluice serve and prints what stands below it', async () => {
  const desk = await openDesk();
  try {
    assert.ok((await followGuide(blocks, desk)) > 20, 'the blocks were found');
  } finally {
    await closeDesk(desk);
  }
});

const rqlited = findRqlited();
test(
  'every block of the guide but those on better answers runs against rqlited and prints the same',
  { skip: rqlited === undefined ? 'no rqlited on the PATH or in RQLITED' : false },
  async () => {
    const desk = await openDesk(async () => startRqlited(rqlited ?? '', {}));
    try {
      await followGuide(
        blocks.filter(({ headings }) => !headings.includes(ownHeading)),
        desk,
      );
    } finally {
      await closeDesk(desk);
    }
  },
);

test('the guide has a part on answers that only sluice gives', () => {
  assert.ok(blocks.some(({ headings }) => headings.includes(ownHeading)));
});
