/** What no file of the repository may hold: the places of one machine, and addresses of package registries. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const files = globSync(['{src,test,scripts,bench,examples,docs,.ci}/**/*', '*.{json,md}', '.*rc', '.*rc.json', '.*ignore'], {
  cwd: root,
  exclude: ['**/node_modules/**', 'bench/results/**'],
  withFileTypes: true,
})
  .filter((entry) => entry.isFile())
  .map((entry) => path.join(entry.parentPath, entry.name));

/** The files in which the pattern is found. */
function findFiles(pattern: RegExp): readonly string[] {
  return files.filter((file) => pattern.test(readFileSync(file, 'utf8'))).map((file) => path.relative(root, file));
}

test('no file names a folder of the machine that it was written on', () => {
  assert.ok(files.length > 50, 'the files were found');
  assert.deepEqual(findFiles(/(?<![\w.*\\~-])\/(?:work|home|root|Users|tmp|private)\/[\w.]/), []);
});

test('no file names the host of a package registry, and the lock file no addresses', () => {
  assert.deepEqual(findFiles(/registry\.(?:npmjs|yarnpkg|npmmirror)|npm\.pkg\.github|"resolved"\s*:/), []);
});
