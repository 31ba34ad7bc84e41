/** From what a caller names (paths, patterns, folders, URLs) to the files that are meant, in an order that is the same each time. */
import { realpathSync, statSync, type Stats } from 'node:fs';
import { glob, readdir } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SluiceError } from '../../errors.ts';
import { formatCount } from '../../count-text.ts';
import { withoutCompression } from './compression.ts';
import { toSourceError } from './file-handles.ts';
import { findByExtension, isTextFormat } from '../formats.ts';
import { isHttpUrl } from '../http/address.ts';
import type { SourceDecision } from '../source.ts';

/** What the inputs stand for. */
export interface InputList {
  /** Paths as they were named or found, URLs whole, `-` for stdin. */
  readonly names: readonly string[];
  /** Of each path; undefined for a URL and for stdin. */
  readonly stats: readonly (Stats | undefined)[];
  readonly decisions: readonly SourceDecision[];
}

/** Names that a decision lists of what was passed over. */
const maxNames = 5;

/**
 * Lists the files that the inputs stand for, each once.
 * @throws SLUICE_SOURCE_MISSING where there is none, SLUICE_SOURCE_DENIED, SLUICE_SOURCE_READ; SLUICE_USAGE for a URL of another kind
 */
export async function listInputs(inputs: readonly (string | URL)[]): Promise<InputList> {
  const names: string[] = [];
  const stats: (Stats | undefined)[] = [];
  const decisions: SourceDecision[] = [];
  const seen = new Set<string>();
  let twice = 0;
  for (const input of inputs) {
    const listed = await listInput(toName(input));
    decisions.push(...listed.decisions);
    for (const name of listed.names) {
      const isStream = name === '-' || isHttpUrl(name);
      const stat = isStream ? undefined : statPath(name);
      // A link is its file under a second name: loaded by both, its rows would stand there twice.
      const key = stat?.isFile() === true ? realpathSync(name) : name;
      if (seen.has(key)) {
        twice++;
        continue;
      }
      seen.add(key);
      names.push(name);
      stats.push(stat);
    }
  }
  if (twice > 0) decisions.push({ what: 'files', choice: `${formatCount(twice)} left out`, why: 'they were named twice' });
  return { names, stats, decisions };
}

function toName(input: string | URL): string {
  const text = String(input);
  if (/^file:/iu.test(text)) return fileURLToPath(input);
  if (isHttpUrl(text)) return text;
  if (!(input instanceof URL) && !/^[a-z][a-z0-9+.-]+:\/\//iu.test(text)) return text;
  throw new SluiceError(
    'SLUICE_USAGE',
    `a source is a file, an http(s) URL, a stream or a database, not a ${text.split(':')[0] ?? ''} URL`,
    {
      hint: 'Give a URL of https: (object stores make signed ones), or pipe it in: … | sluice load - --format …',
    },
  );
}

async function listInput(name: string): Promise<Pick<InputList, 'names' | 'decisions'>> {
  if (name === '-' || isHttpUrl(name)) return { names: [name], decisions: [] };
  if (isFolder(name)) return withoutEmpty(await listFolder(name));
  if (statLink(name) !== undefined || !/[*?[{]/u.test(name)) return { names: [name], decisions: [] };
  return withoutEmpty(await listPattern(name));
}

/**
 * Leaves out files of text without a byte, which writers of many parts make where a part has no rows. One that was named alone, or a format that is never empty,
 * is another matter: there it is a file that was not written.
 */
function withoutEmpty(list: Pick<InputList, 'names' | 'decisions'>): Pick<InputList, 'names' | 'decisions'> {
  const empty = list.names.filter(isEmptyText);
  if (empty.length === 0 || empty.length === list.names.length) return list;
  const isLeftOut = new Set(empty);
  const decision = { what: 'files', choice: `${formatCount(empty.length)} left out`, why: `no byte in them: ${listShort(empty)}` };
  return { names: list.names.filter((name) => !isLeftOut.has(name)), decisions: [...list.decisions, decision] };
}

function isEmptyText(path: string): boolean {
  const format = findByExtension(path);
  if (format === undefined || !isTextFormat(format)) return false;
  const stat = statLink(path);
  return stat?.isFile() === true && stat.size === 0;
}

/** The last names of a few paths. */
function listShort(paths: readonly string[]): string {
  const names = paths.slice(0, maxNames).map((path) => basename(path));
  return `${names.join(', ')}${paths.length > maxNames ? ', …' : ''}`;
}

async function listPattern(pattern: string): Promise<Pick<InputList, 'names' | 'decisions'>> {
  const wantsHidden = /(?:^|[\\/])\./u.test(pattern);
  const names: string[] = [];
  let folders = 0;
  for await (const match of glob(pattern)) {
    if (!wantsHidden && isHidden(match)) continue;
    if (isFolder(match)) folders++;
    else names.push(match);
  }
  if (names.length === 0) {
    throw new SluiceError('SLUICE_SOURCE_MISSING', `no file matches ${pattern}`, {
      hint:
        folders > 0
          ? 'It matches folders only: name one of them, or end the pattern with /**.'
          : 'Check the path; a relative one begins at the working directory.',
    });
  }
  return { names: names.toSorted(), decisions: [{ what: 'files', choice: formatCount(names.length), why: `they match ${pattern}` }] };
}

function isHidden(path: string): boolean {
  return path.split(sep).some((part) => part.startsWith('.') && part !== '.' && part !== '..');
}

/** All files below a folder whose names tell a format; hidden ones and others are passed over. */
async function listFolder(folder: string): Promise<Pick<InputList, 'names' | 'decisions'>> {
  const names: string[] = [];
  const others: string[] = [];
  for (const path of await walk(folder)) {
    if (findByExtension(withoutCompression(path)) === undefined) others.push(path);
    else names.push(path);
  }
  const passed =
    others.length === 0 ? undefined : `${formatCount(others.length)} passed over, whose names tell no format: ${listShort(others)}`;
  if (names.length === 0) {
    throw new SluiceError('SLUICE_SOURCE_MISSING', `there is no file to load in ${folder}${passed === undefined ? '' : ` (${passed})`}`, {
      hint:
        passed === undefined
          ? 'Check the path: the folder is empty.'
          : 'Name the files by a pattern, and their format: "FOLDER/*" --format …',
    });
  }
  const decision = { what: 'files', choice: `${formatCount(names.length)} below ${folder}`, why: passed ?? 'all of them' };
  return { names: names.toSorted(), decisions: [decision] };
}

/**
 * Files below a folder, links to files among them; a link that leads nowhere is a file that is missing, and told of when it is looked at. Links to folders
 * are not followed: they may lead in a circle.
 */
async function walk(folder: string): Promise<string[]> {
  const paths: string[] = [];
  const folders = [folder];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    for (const entry of await readFolder(next)) {
      if (entry.name.startsWith('.')) continue;
      const path = join(next, entry.name);
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isFile() || (entry.isSymbolicLink() && leadsToFile(path))) paths.push(path);
    }
  }
  return paths;
}

async function readFolder(path: string): ReturnType<typeof readEntries> {
  try {
    return await readEntries(path);
  } catch (error) {
    throw toSourceError(path, error);
  }
}

function readEntries(path: string) {
  return readdir(path, { withFileTypes: true });
}

function isFolder(path: string): boolean {
  return statLink(path)?.isDirectory() === true;
}

function leadsToFile(path: string): boolean {
  return statLink(path)?.isFile() ?? true;
}

/** What a path leads to; undefined where that can't be told, which `statPath` will say of a path that is meant. */
function statLink(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}

function statPath(path: string): Stats {
  try {
    return statSync(path);
  } catch (error) {
    throw toSourceError(path, error);
  }
}
