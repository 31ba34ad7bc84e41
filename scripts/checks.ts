/** What is checked without running sluice, as data: types, lint rules, layout, unused code. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Step } from './steps.ts';
import { resolveTool, root } from './steps.ts';

/** Folders with code of the project; those that are there. */
function listFolders(): readonly string[] {
  return ['src', 'test', 'scripts', 'bench', 'examples'].filter((folder) => existsSync(path.join(root, folder)));
}

/** Every check, the quickest first. */
export const checks: readonly Step[] = [
  { name: 'types (tsc)', args: [resolveTool('typescript/bin/tsc'), '-p', 'tsconfig.json'] },
  { name: 'rules (oxlint, type-aware)', args: [resolveTool('oxlint/bin/oxlint'), '--deny-warnings', ...listFolders()] },
  { name: 'layout (prettier)', args: [resolveTool('prettier/bin/prettier.cjs'), '--check', '--log-level=warn', '.'] },
  { name: 'unused code (knip)', args: [resolveTool('knip/bin/knip.js'), '--no-progress'] },
];
