/** docs/guides/server.md speaks of every option of `sluice serve` and of no other, with its defaults, of every figure of `/metrics`, and of every permission. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { commands } from '../../src/cli/command-list.ts';
import { routes } from '../../src/server/http/route-list.ts';
import { startServer } from '../server/server.ts';

const guide = readFileSync(new URL('../../docs/guides/server.md', import.meta.url), 'utf8');

/** The rows of the table below a heading, by cell. */
function readTable(heading: string): readonly (readonly string[])[] {
  const part = guide.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const rows = part.split('\n').filter((line) => line.startsWith('| '));
  return rows.slice(2).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

function unquote(cell: string | undefined): string {
  return (cell ?? '').replaceAll('`', '');
}

test('the table of options is that of sluice serve --help, in its order and with its defaults', () => {
  const options = commands.find(({ name }) => name === 'serve')?.groups.flatMap((group) => group.options) ?? [];
  assert.ok(options.length > 10);
  // What help gives no default for is off where it is a switch, and none where it takes a value.
  const expected = options.map(({ flags, description }) => {
    const named = /\(default: ([^,)]+(?:,\d+)*)/u.exec(description)?.[1];
    return [flags, named ?? (flags.includes('<') ? 'none' : 'off')];
  });
  const found = readTable('Options').map(([flags, value]) => [unquote(flags), unquote(value)]);
  assert.deepEqual(found, expected);
});

test('the table of permissions has every route that needs one', () => {
  const told = new Map(readTable('Users').map(([names, paths]) => [unquote(names), unquote(paths)]));
  for (const { path, permissions } of routes) {
    for (const permission of permissions) {
      const paths = [...told].find(([names]) => names.split(', ').includes(permission))?.[1] ?? '';
      assert.ok(paths.includes(path.replace(/\/$/u, '')), `${permission} is needed for ${path}`);
    }
  }
});

test('every figure of /metrics is named', async () => {
  const server = await startServer({});
  try {
    await (await fetch(`${server.url}/readyz`)).text();
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const names = [...text.matchAll(/^# TYPE (\w+) /gmu)].map(([, name]) => name ?? '');
    assert.ok(names.length > 10);
    assert.deepEqual(
      names.filter((name) => !guide.includes(`\`${name}\``)),
      [],
    );
  } finally {
    await server.close();
  }
});
