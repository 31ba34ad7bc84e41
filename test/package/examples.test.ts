/** What the README and the examples show is run as it stands, and prints what they say. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { serve } from '../../src/server/serve.ts';
import { readBlocks } from './guide-blocks.ts';

const run = promisify(execFile);
const root = path.join(import.meta.dirname, '../..');
const cli = path.join(root, 'src/cli/main.ts');

async function inEmptyFolder<Result>(work: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sluice-examples-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function runNode(folder: string, args: readonly string[]): Promise<string> {
  const env = { ...process.env, SLUICE_CACHE: path.join(folder, 'cache.db'), NODE_NO_WARNINGS: '1' };
  const { stdout } = await run(process.execPath, args, { cwd: folder, env, timeout: 60_000 });
  return stdout;
}

const examples: Readonly<Record<string, readonly string[]>> = {
  'load-and-search': ['done: 3 of 3 rows written', '1 0.', 'nature'],
  'stream-with-rejects': ['4 read = 2 written + 2 rejected', '3 VALUE_FORMAT age 2,Bob,about forty', 'tried again: 1 still do not fit'],
  'stop-and-go-on': ['balanced: true', '50000 written in all', 'verified: true'],
};

for (const [name, printed] of Object.entries(examples)) {
  test(`examples/${name}.ts prints what it promises`, async () => {
    await inEmptyFolder(async (folder) => {
      const output = await runNode(folder, [path.join(root, 'examples', `${name}.ts`)]);
      for (const text of printed) assert.ok(output.includes(text), `«${text}» is not in:\n${output}`);
    });
  });
}

test('the first screen of the README works line by line', async () => {
  const readme = await readFile(path.join(root, 'README.md'), 'utf8');
  const commands = [...readme.matchAll(/^npx sluice (.+)$/gmu)].map((match) => match[1] ?? '').slice(0, 2);
  assert.equal(commands.length, 2);
  await inEmptyFolder(async (folder) => {
    const lines = ['the heart stopped beating', 'a heart attack', 'a boat'].map((text, id) => JSON.stringify({ id, text }));
    await writeFile(path.join(folder, 'docs.jsonl'), lines.join('\n'));
    const outputs: string[] = [];
    for (const command of commands) {
      const args = [...command.matchAll(/"([^"]*)"|(\S+)/gu)].map((match) => match[1] ?? match[2] ?? '');
      outputs.push(await runNode(folder, [cli, ...args]));
    }
    assert.match(outputs[1] ?? '', /1 +0\.\d+ +a heart attack/u);
  });
});

test('the code of the README runs and prints what its comments say', async () => {
  const readme = await readFile(path.join(root, 'README.md'), 'utf8');
  const code = /```js\n([\s\S]*?)```/u.exec(readme)?.[1] ?? '';
  await inEmptyFolder(async (folder) => {
    // The package's own name resolves from inside it only; a reader has it installed.
    const file = path.join(folder, 'readme.mjs');
    await writeFile(file, code.replace("'sluice'", JSON.stringify(path.join(root, 'src/index.ts'))));
    const output = await runNode(folder, [file]);
    assert.match(output, /read: 2, written: 2, skipped: 0, rejected: 0/u);
    assert.match(output, /heart/u);
  });
});

test('the lines of the README on batches and the server work one after another', async () => {
  const lines = readBlocks(await readFile(path.join(root, 'README.md'), 'utf8'))
    .filter(({ headings }) => ['Statements in bulk', "A server that rqlite's clients can talk to"].includes(headings.at(-1) ?? ''))
    .flatMap(({ code }) => code.split('\n'))
    .filter((line) => !line.includes('postgres://') && !line.startsWith('npx sluice serve'));
  assert.equal(lines.length, 3);
  await inEmptyFolder(async (folder) => {
    await writeFile(path.join(folder, 'changes.sql'), 'CREATE TABLE t (a);\nINSERT INTO t VALUES (1);\n');
    await writeFile(path.join(folder, 'people.csv'), 'id,name\n1,fiona\n2,sinead\n');
    const server = await serve({ to: `sqlite:${path.join(folder, 'served.db')}`, listen: 'localhost:0' });
    try {
      const address = `localhost:${String(server.port)}`;
      const script = [`npx() { shift; '${process.execPath}' '${cli}' "$@"; }`, ...lines].join('\n').replaceAll('localhost:4001', address);
      const { stdout } = await run('bash', ['-ec', script], { cwd: folder, env: { ...process.env, NO_PROXY: '*' }, timeout: 60_000 });
      assert.ok(stdout.includes('{"results":[{},{"last_insert_id":1,"rows_affected":1}]}'), stdout);
      const answer = await fetch(`${server.url}/db/query?q=${encodeURIComponent('SELECT count(*) FROM people')}`);
      assert.ok((await answer.text()).includes('"values":[[2]]'));
    } finally {
      await server.close();
    }
  });
});
