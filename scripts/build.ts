/**
 * `npm run build [FOLDER]`: src/ as JavaScript with declarations in dist/, or in another folder. The code is put into few files: every lane is a thread that
 * loads them again, and 340 small ones cost it 60 ms instead of 20.
 */
import { chmodSync, rmSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { build } from 'rolldown';
import { resolveTool, root, runStep } from './steps.ts';

const dist = path.resolve(root, process.argv[2] ?? 'dist');

/** Threads are started by an address beside the code that starts them; that code lands in the folder itself, whatever it is put together with. */
const threads = { 'lane-thread': 'load/lane-thread.ts', 'vector-worker': 'target/sqlite/vector-worker.ts' };
const entries = { index: 'index.ts', 'testing/index': 'testing/index.ts', 'cli/main': 'cli/main.ts', ...threads };

rmSync(dist, { recursive: true, force: true });
const declarations = ['-p', 'tsconfig.build.json', '--emitDeclarationOnly', '--outDir', dist];
const status = runStep({ name: 'build', args: [resolveTool('typescript/bin/tsc'), ...declarations] });
if (status !== 0) process.exit(status);
await build({
  cwd: root,
  input: Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, path.join(root, 'src', file)])),
  platform: 'node',
  // Packages stay packages: the user's own copies of the optional ones, and their native parts, are found by Node.
  external: (id) => !id.startsWith('.') && !path.isAbsolute(id),
  output: { dir: dist, format: 'esm', entryFileNames: '[name].js', chunkFileNames: '[name].js' },
  logLevel: 'warn',
});
chmodSync(path.join(dist, 'cli/main.js'), 0o755);
