/**
 * `npm run build [FOLDER]`: src/ as JavaScript with declarations in dist/, or in another folder. The code is put into few files: every lane is a thread that
 * loads them again, and 340 small ones cost it 60 ms instead of 20.
 */
import { chmodSync, globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { rollup } from '@rollup/wasm-node';
import { resolveTool, root, runStep } from './steps.ts';

const dist = path.resolve(root, process.argv[2] ?? 'dist');

/** Threads and processes are started by an address beside the code that starts them; that code lands in the folder itself, whatever it is put together with. */
const started = globSync('**/*-{thread,worker,process}.ts', { cwd: path.join(root, 'src') }).map((file) => file.replace(/\.ts$/, '.js'));
const threads = Object.fromEntries(started.map((file) => [path.basename(file, '.js'), file]));
const entries = {
  index: 'index.js',
  'testing/index': 'testing/index.js',
  'cli/main': 'cli/main.js',
  // The server starts threads too, so its code lands in the folder itself; `server/serve.js` only hands it on.
  serve: 'server/serve.js',
  ...threads,
};

rmSync(dist, { recursive: true, force: true });
const whole = mkdtempSync(path.join(tmpdir(), 'sluice-build-'));
try {
  compile(['--outDir', whole]);
  compile(['--outDir', dist, '--emitDeclarationOnly']);
  await joinFiles(whole);
} finally {
  rmSync(whole, { recursive: true, force: true });
}
chmodSync(path.join(dist, 'cli/main.js'), 0o755);

function compile(args: readonly string[]): void {
  const status = runStep({ name: 'build', args: [resolveTool('typescript/bin/tsc'), '-p', 'tsconfig.build.json', ...args] });
  if (status !== 0) process.exit(status);
}

/** Puts the compiled files of a folder together: what several entries need stands in files of their own. */
async function joinFiles(folder: string): Promise<void> {
  const bundle = await rollup({
    input: Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, path.join(folder, file)])),
    // Packages stay packages: the user's own copies of the optional ones, and their native parts, are found by Node.
    external: (id) => !id.startsWith('.') && !path.isAbsolute(id),
  });
  await bundle.write({
    dir: dist,
    format: 'es',
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
    hoistTransitiveImports: false,
  });
  await bundle.close();
  writeFileSync(path.join(dist, 'server/serve.js'), "export * from '../serve.js';\n");
}
