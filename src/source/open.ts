/** Opens whatever a load may be given as a source: by what it is first, then by format. */
import { statSync, createReadStream, type Stats } from 'node:fs';
import { glob } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SluiceError } from '../errors.ts';
import { openDatabase } from './database.ts';
import { isDatabaseUrl } from './database-url.ts';
import { notAFileError, toSourceError } from './file-handles.ts';
import { openFiles, reopenFiles } from './files.ts';
import { chooseFormat } from './formats.ts';
import { PulledIterator } from './iteration.ts';
import { createArraySource, createIterableSource } from './objects.ts';
import type { Source, SourceDescriptor, SourceInput, SourceOptions } from './source.ts';
import { createStreamSource } from './stream.ts';

/**
 * Opens a source. A string or URL is a path (`-` is stdin; `*`, `?` and the like are expanded if there is no file of that name), an array of strings is
 * several; `sqlite:FILE?table=…`, `postgres://…?query=…` are a table or query of a database; other arrays and iterables give rows (objects) or text (bytes, strings). A file is looked at, of an iterable the first item is taken, stdin
 * and pipes are left alone until `sample`. The caller closes the source.
 *
 * @throws SLUICE_SOURCE_MISSING, SLUICE_SOURCE_NOT_A_FILE, SLUICE_SOURCE_DENIED, SLUICE_SOURCE_EMPTY or SLUICE_SOURCE_READ for a file;
 * SLUICE_FORMAT_UNKNOWN where no format is known; SLUICE_USAGE for an option or a header line that can't be used. An empty stream is told of by `sample`.
 */
export async function openSource(input: SourceInput, options: SourceOptions = {}): Promise<Source> {
  const chosen = pickOptions(options);
  const [first] = Array.isArray(input) ? input : [input];
  if (isPath(first) && isDatabaseUrl(String(first))) return openOneDatabase(Array.isArray(input) ? input : [first]);
  if (isPath(input)) return openPaths([input], chosen);
  if (ArrayBuffer.isView(input)) return openStream('bytes', [input], chosen);
  if (!Array.isArray(input)) return openIterable(input, chosen);
  if (input.length > 0 && input.every(isPath)) return openPaths(input, chosen);
  return ArrayBuffer.isView(input[0]) ? openStream('array', input, chosen) : createArraySource(input);
}

/**
 * Opens the files of a source once more, in another thread or process; a file is opened when it is first read.
 * @throws SLUICE_USAGE, SLUICE_FORMAT_UNKNOWN
 */
export async function reopenSource(descriptor: SourceDescriptor): Promise<Source> {
  const [first = ''] = descriptor.files;
  if (isDatabaseUrl(first)) return openDatabase(first, descriptor);
  const options = pickOptions(descriptor.options);
  const paths = descriptor.files;
  return reopenFiles({ paths, name: nameFiles(paths), format: chooseFormat(paths[0] ?? '', options), options });
}

async function openOneDatabase(inputs: readonly unknown[]): Promise<Source> {
  if (inputs.length === 1) return openDatabase(String(inputs[0]));
  throw new SluiceError('SLUICE_USAGE', 'a database can be loaded only alone', { hint: 'Load it apart from the other sources.' });
}

function isPath(input: unknown): input is string | URL {
  return typeof input === 'string' || input instanceof URL;
}

/** The options of a source alone: a caller may hand over all those of a load, which hold what another thread can't be sent. */
function pickOptions(options: SourceOptions): SourceOptions {
  const { format, columns, delimiter, quote, nullText, maxRowBytes } = options;
  const all = Object.entries({ format, columns, delimiter, quote, nullText, maxRowBytes });
  return Object.fromEntries(all.filter(([, value]) => value !== undefined));
}

async function openPaths(inputs: readonly (string | URL)[], options: SourceOptions): Promise<Source> {
  const paths: string[] = [];
  for (const input of inputs) paths.push(...(await expandPath(toPath(input))));
  const stats = paths.map((path) => (path === '-' ? undefined : statPath(path)));
  if (stats.every((stat) => stat?.isFile())) return openRegularFiles(paths, options);
  const [path, stat] = [paths[0]!, stats[0]];
  if (paths.length > 1) {
    throw new SluiceError('SLUICE_USAGE', 'stdin or a pipe can be loaded only alone', {
      hint: 'Load it apart from the files, or join them: cat FILE … |',
    });
  }
  if (path === '-' || path === '/dev/stdin') return openStream('stdin', process.stdin, options);
  if (stat !== undefined && !isPipe(stat)) throw notAFileError(path, stat.isDirectory());
  // The format is checked before the pipe is opened, which waits for whoever writes to it.
  chooseFormat(path, options);
  return openStream(path, createReadStream(path), options);
}

function isPipe(stat: Stats): boolean {
  return stat.isFIFO() || stat.isCharacterDevice() || stat.isSocket();
}

async function openRegularFiles(names: readonly string[], options: SourceOptions): Promise<Source> {
  const formats = names.map((name) => chooseFormat(name, options));
  const format = formats[0]!;
  const other = formats.findIndex(({ name }) => name !== format.name);
  if (other >= 0) {
    throw new SluiceError('SLUICE_USAGE', `${names[0]} is ${format.name} and ${names[other]} is ${formats[other]?.name}`, {
      hint: 'Files of one load need one format; load the others apart.',
    });
  }
  return openFiles({ paths: names.map((name) => resolve(name)), name: nameFiles(names), format, options });
}

function nameFiles(names: readonly string[]): string {
  return names.length === 1 ? names[0]! : `${names[0]} and ${names.length - 1} more`;
}

function toPath(input: string | URL): string {
  const text = String(input);
  if (/^file:/i.test(text)) return fileURLToPath(input);
  if (!(input instanceof URL) && !/^[a-z][a-z0-9+.-]+:\/\//i.test(text)) return text;
  throw new SluiceError('SLUICE_USAGE', `a source is a file, a stream or a database, not a ${text.split(':')[0]} URL`, {
    hint: 'Pipe it in: curl URL | sluice load - --format …',
  });
}

/** The files that a pattern stands for, sorted, so that the order of the input is the same each time. */
async function expandPath(path: string): Promise<string[]> {
  if (!/[*?[{]/.test(path) || statSync(path, { throwIfNoEntry: false }) !== undefined) return [path];
  const matches: string[] = [];
  for await (const match of glob(path)) matches.push(match);
  if (matches.length > 0) return matches.toSorted();
  throw new SluiceError('SLUICE_SOURCE_MISSING', `no file matches ${path}`, {
    hint: 'Check the path; a relative one begins at the working directory.',
  });
}

function statPath(path: string): Stats {
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) throw notAFileError(path, true);
    return stat;
  } catch (error) {
    throw toSourceError(path, error);
  }
}

async function openIterable(input: object, options: SourceOptions): Promise<Source> {
  if (!isIterable(input))
    throw new SluiceError('SLUICE_USAGE', 'rows come from a path, an array, an iterable or a stream; this is none of them');
  const isByteStream = 'readableObjectMode' in input && input.readableObjectMode === false;
  const name = isByteStream || input instanceof ReadableStream ? 'stream' : 'iterable';
  if (isByteStream) return openStream(name, input, options);
  const items = new PulledIterator(name, input);
  const first = await items.peek();
  const isText = first.done === true ? options.format !== undefined : typeof first.value === 'string' || ArrayBuffer.isView(first.value);
  return isText ? createStreamSource({ name, format: chooseFormat(name, options), chunks: items }) : createIterableSource(name, items);
}

function isIterable(input: object): input is Iterable<unknown> | AsyncIterable<unknown> {
  return Symbol.asyncIterator in input || Symbol.iterator in input;
}

function openStream(name: string, chunks: Iterable<unknown> | AsyncIterable<unknown>, options: SourceOptions): Source {
  return createStreamSource({ name, format: chooseFormat(name, options), chunks: new PulledIterator(name, chunks) });
}
