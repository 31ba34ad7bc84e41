/** `npm run build [FOLDER]`: src/ as JavaScript with declarations in dist/, or in another folder. Addresses of worker files are rewritten as imports are. */
import { chmodSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { resolveTool, root, runStep } from './steps.ts';

const dist = path.resolve(root, process.argv[2] ?? 'dist');

/** `new URL('./lane-worker.ts', import.meta.url)` and its like: the compiler rewrites imports, not the addresses of worker files. */
const workerAddress = /((?:new URL|import\.meta\.resolve)\(\s*)(['"])(\.{1,2}\/[^'"]+)\.ts\2/g;

/** Rewrites the addresses in one emitted file. */
function mendAddresses(file: string): void {
  const text = readFileSync(file, 'utf8');
  const mended = text.replaceAll(workerAddress, '$1$2$3.js$2');
  if (mended !== text) writeFileSync(file, mended);
}

rmSync(dist, { recursive: true, force: true });
const status = runStep({ name: 'build', args: [resolveTool('typescript/bin/tsc'), '-p', 'tsconfig.build.json', '--outDir', dist] });
if (status !== 0) process.exit(status);
for (const file of globSync('**/*.js', { cwd: dist })) mendAddresses(path.join(dist, file));
chmodSync(path.join(dist, 'cli/main.js'), 0o755);
