/** `npm run docs`: writes the pages of docs/reference that are made from the code. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import * as prettier from 'prettier';
import { commands } from '../src/cli/command-list.ts';
import { writeConfigSchema } from '../src/cli/config/json-schema.ts';
import { writeCliReference } from './cli-reference.ts';
import { writeConfigReference } from './config-reference.ts';
import { writeLibraryReference } from './library-reference.ts';
import { writeReportSchema } from './report-schema.ts';
import { root } from './steps.ts';

/** Pages by their path. */
const pages: Readonly<Record<string, () => string>> = {
  'docs/reference/cli.md': writeCliReference,
  'docs/reference/configuration.md': writeConfigReference,
  'docs/reference/load.schema.json': () => JSON.stringify(writeConfigSchema(commands)),
  'docs/reference/library.md': writeLibraryReference,
  'docs/reference/report.schema.json': writeReportSchema,
};

/** The pages as they should be, laid out as prettier lays out the rest. */
export async function writePages(): Promise<Readonly<Record<string, string>>> {
  const written: Record<string, string> = {};
  for (const [page, write] of Object.entries(pages)) {
    const options = await prettier.resolveConfig(path.join(root, page));
    written[page] = await prettier.format(write(), { ...options, parser: page.endsWith('.json') ? 'json' : 'markdown' });
  }
  return written;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const [page, text] of Object.entries(await writePages())) {
    writeFileSync(path.join(root, page), text);
    process.stdout.write(`${page}\n`);
  }
}
