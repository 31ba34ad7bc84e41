/** The rule of ARCHITECTURE.md: imports of src/ go one way, types included; no driver imports another; nothing goes round in a circle. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const src = fileURLToPath(new URL('../../src', import.meta.url));

/** A folder may import from its own layer and from those before it. `testing` sits beside what users call: it is published and tests drivers. */
const layers: readonly (readonly string[])[] = [
  [
    'errors.ts',
    'count-text.ts',
    'nearest.ts',
    'option-names.ts',
    'process-life.ts',
    'quantity-text.ts',
    'secret-text.ts',
    'synced-folder.ts',
    'rows',
    'sql',
  ],
  ['source', 'embed', 'target', 'ledger'],
  ['load', 'batch', 'search', 'verify', 'bench', 'check', 'collection', 'export'],
  ['report'],
  ['index.ts', 'testing'],
  ['cli', 'server'],
];

/** Contracts are shapes without code and stand below those who speak by them: rows are built from what a source yields, for a table as its target describes it. */
const contracts: ReadonlyMap<string, number> = new Map([
  [path.join('source', 'source.ts'), 0],
  [path.join('target', 'batch-contract.ts'), 0],
  [path.join('target', 'capabilities.ts'), 0],
  [path.join('target', 'commit-contract.ts'), 0],
  [path.join('target', 'delete-contract.ts'), 0],
  [path.join('target', 'driver.ts'), 0],
  [path.join('target', 'search-contract.ts'), 0],
  [path.join('target', 'strategy.ts'), 0],
  [path.join('load', 'options.ts'), 1],
  [path.join('load', 'report', 'report-contract.ts'), 1],
]);

/** Import and export statements, `import()` of a literal, and addresses of worker files. */
const importPattern = /(?:\bfrom\s*|\bimport\s*\(?\s*)'(\.{1,2}\/[^']+)'/g;

/** Every file of src/ with the files that it imports, relative to src/. */
function readImports(): ReadonlyMap<string, readonly string[]> {
  const files = globSync('**/*.ts', { cwd: src });
  return new Map(
    files.map((file) => {
      const text = readFileSync(path.join(src, file), 'utf8');
      return [file, [...text.matchAll(importPattern)].map((match) => path.join(path.dirname(file), match[1] ?? ''))];
    }),
  );
}

const imports = readImports();

function rankOf(file: string): number {
  const top = file.split(path.sep)[0] ?? '';
  return contracts.get(file) ?? layers.findIndex((names) => names.includes(top));
}

/** The driver that a file belongs to; undefined outside of drivers. */
function driverOf(file: string): string | undefined {
  const [top, driver, rest] = file.split(path.sep);
  return top === 'target' && rest !== undefined ? driver : undefined;
}

/** A circle of imports that begins and ends at some file, or undefined. */
function findCircle(): readonly string[] | undefined {
  const finished = new Set<string>();
  const visit = (file: string, way: readonly string[]): readonly string[] | undefined => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file];
    if (finished.has(file)) return undefined;
    for (const next of imports.get(file) ?? []) {
      const circle = visit(next, [...way, file]);
      if (circle !== undefined) return circle;
    }
    finished.add(file);
    return undefined;
  };
  for (const file of imports.keys()) {
    const circle = visit(file, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

test('every file of src/ belongs to a layer', () => {
  assert.ok(imports.size > 40, 'the files were found');
  assert.deepEqual(
    [...imports.keys()].filter((file) => rankOf(file) < 0),
    [],
  );
});

test('imports go from later layers to earlier ones, by type as well', () => {
  const wrong = [...imports].flatMap(([file, targets]) =>
    targets.filter((target) => rankOf(target) > rankOf(file)).map((target) => `${file} → ${target}`),
  );
  assert.deepEqual(wrong, []);
});

test('every import names a file that is there', () => {
  const wrong = [...imports].flatMap(([file, targets]) =>
    targets.filter((target) => !imports.has(target)).map((target) => `${file} → ${target}`),
  );
  assert.deepEqual(wrong, []);
});

test('no import goes round in a circle, by type as well', () => {
  assert.equal(findCircle(), undefined);
});

/** Drivers of the same database by another way. */
const relatives: ReadonlyMap<string, string> = new Map([
  ['pglite', 'postgres'],
  ['rqlite', 'sqlite'],
]);

test('no driver imports another, but pglite may import postgres, and rqlite sqlite', () => {
  const wrong = [...imports].flatMap(([file, targets]) =>
    targets
      .filter((target) => driverOf(file) !== undefined && driverOf(target) !== undefined && driverOf(file) !== driverOf(target))
      .filter((target) => relatives.get(driverOf(file) ?? '') !== driverOf(target))
      .map((target) => `${file} → ${target}`),
  );
  assert.deepEqual(wrong, []);
});
