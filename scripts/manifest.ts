/**
 * Points package.json at the source (`manifest src`, how the repository runs) or at the build (`manifest dist`, how a package runs: Node strips
 * no types under node_modules). npm has no other place to say it; `prepack` and `postpack` call this, and each form follows from the other alone.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { root } from './steps.ts';

interface Manifest {
  exports: Record<string, string | { types: string; default: string }>;
  bin: Record<string, string>;
}

type Form = 'src' | 'dist';

/** The same module in the other form; a path outside both stays as it is. */
function pointPath(file: string, form: Form): string {
  const match = /^\.\/(?:src|dist)\/(.+)\.(?:ts|js)$/.exec(file);
  if (match === null) return file;
  return form === 'src' ? `./src/${match[1]}.ts` : `./dist/${match[1]}.js`;
}

/** An entry of `exports`; the build has declarations beside its code. */
function pointExport(entry: Manifest['exports'][string], form: Form): Manifest['exports'][string] {
  const from = typeof entry === 'string' ? entry : entry.default;
  const to = pointPath(from, form);
  const isBuilt = to.startsWith('./dist/');
  return isBuilt ? { types: to.replace(/\.js$/, '.d.ts'), default: to } : to;
}

/** Rewrites package.json in one step, so that whoever reads it meanwhile finds one form or the other. */
function pointManifest(form: Form): void {
  const file = path.join(root, 'package.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
  const exports = Object.fromEntries(Object.entries(manifest.exports).map(([name, entry]) => [name, pointExport(entry, form)]));
  const bin = Object.fromEntries(Object.entries(manifest.bin).map(([name, to]) => [name, pointPath(to, form)]));
  const written = `${file}.new`;
  writeFileSync(written, `${JSON.stringify({ ...manifest, exports, bin }, null, 2)}\n`);
  renameSync(written, file);
}

const form = process.argv[2];
if (form !== 'src' && form !== 'dist') {
  process.stderr.write('manifest: say "src" or "dist"\n');
  process.exit(2);
}
pointManifest(form);
