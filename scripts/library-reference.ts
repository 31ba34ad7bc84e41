/** docs/reference/library.md out of the public surface: every export of `sluice` with its docblock and signature, as they stand in the sources. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './steps.ts';

interface Exported {
  readonly name: string;
  readonly file: string;
}

/** The re-exports of an index: `export { a, type B } from './x.ts'`. */
function listExports(index: string): readonly Exported[] {
  const text = readFileSync(index, 'utf8');
  return [...text.matchAll(/export (?:type )?\{([^}]*)\} from '([^']+)'/gu)].flatMap(([, names = '', from = '']) =>
    names
      .split(',')
      .map((name) => name.replace(/\btype\b/u, '').trim())
      .filter((name) => name !== '')
      .map((name) => ({ name, file: path.join(path.dirname(index), from) })),
  );
}

interface Declared {
  readonly kind: string;
  readonly doc: string;
  readonly code: string;
}

/** Where the file only hands a name on, the declaration is where it came from. */
function findDeclaration({ name, file }: Exported): Declared {
  const text = readFileSync(file, 'utf8');
  const opening = new RegExp(`^export (?:declare )?(?:async )?(?:abstract )?(function\\*?|class|interface|const|type) ${name}\\b`, 'mu');
  const match = opening.exec(text);
  if (match !== null) return readDeclaration(text, match.index, match[1] ?? '');
  const next = listExports(file).find((exported) => exported.name === name);
  if (next === undefined || !existsSync(next.file)) throw new Error(`${name} is exported by ${file} and declared nowhere`);
  return findDeclaration(next);
}

function readDeclaration(text: string, start: number, kind: string): Declared {
  const before = text.slice(0, start).trimEnd();
  const doc = before.endsWith('*/') ? readDocblock(before.slice(before.lastIndexOf('/**'))) : '';
  return { kind, doc, code: kind === 'function' || kind === 'function*' ? readSignature(text, start) : readBlock(text, start) };
}

function readDocblock(comment: string): string {
  return comment
    .replace(/^\/\*\*|\*\/$/gu, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/u, '').trim())
    .join('\n')
    .replaceAll(/@throws /gu, '\nThrows: ')
    .replaceAll(/@(?:returns|see) /gu, '\n')
    .replaceAll(/\{@link ([^}]+)\}/gu, '`$1`')
    .trim();
}

/** Up to the brace that opens the body. */
function readSignature(text: string, start: number): string {
  const end = /\)(?:: [^\n]*)? \{\n/u.exec(text.slice(start));
  const signature = text.slice(start, start + (end === null ? 0 : end.index + end[0].length - 3));
  return signature.replace('export ', '');
}

/** To the end of the declaration: its lines are indented, its last one is not. */
function readBlock(text: string, start: number): string {
  const lines = text.slice(start).split('\n');
  const first = lines[0] ?? '';
  if (first.endsWith(';')) return first.replace('export ', '');
  const last = lines.findIndex((line, place) => place > 0 && /^[^\s/*]/u.test(line));
  return lines
    .slice(0, (last < 0 ? 0 : last) + 1)
    .join('\n')
    .replace('export ', '');
}

function writeEntry(exported: Exported): string {
  const { doc, code } = findDeclaration(exported);
  return `### ${exported.name}\n\n${doc}\n\n\`\`\`typescript\n${code}\n\`\`\`\n`;
}

/** The page as Markdown, not yet laid out. */
export function writeLibraryReference(): string {
  const all = listExports(path.join(root, 'src/index.ts'));
  const kinds = all.map((exported) => ({ exported, isFunction: findDeclaration(exported).kind.startsWith('function') }));
  const sections: readonly (readonly [string, readonly Exported[]])[] = [
    ['Functions', kinds.filter(({ isFunction }) => isFunction).map(({ exported }) => exported)],
    ['Types and values', kinds.filter(({ isFunction }) => !isFunction).map(({ exported }) => exported)],
  ];
  const server = listExports(path.join(root, 'src/server/serve.ts'));
  const body = sections.map(([title, list]) => `## ${title}\n\n${list.map(writeEntry).join('\n')}`).join('\n');
  return `# Library

Made from the sources by \`npm run docs\`; a test fails when it is out of date. Everything here is imported from \`sluice\`; \`sluice/server\` has \`serve\`${server.length > 0 ? ` and ${server.map(({ name }) => `\`${name}\``).join(', ')}` : ''},
\`sluice/testing\` the conformance suite that a driver passes. An option that a function does not have is refused with SLUICE_USAGE and the nearest name that it has.

${body}`;
}
