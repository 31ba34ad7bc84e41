/** Opens whatever a load may be given as a source: by what it is first, then by format. */
import { createReadStream, type Stats } from 'node:fs';
import { SluiceError } from '../errors.ts';
import { openDatabase } from './database/database.ts';
import { isDatabaseUrl } from './database/database-url.ts';
import { openFileInputs, reopenFileInputs } from './files/file-inputs.ts';
import { notAFileError } from './files/file-handles.ts';
import { chooseFormat } from './formats.ts';
import { isHttpUrl } from './http/address.ts';
import { listInputs } from './files/input-list.ts';
import { PulledIterator } from './memory/iteration.ts';
import { createArraySource, createIterableSource } from './memory/objects.ts';
import type { Source, SourceDescriptor, SourceInput, SourceOptions } from './source.ts';
import { recogniseStream } from './memory/stream-kind.ts';
import { createStreamSource } from './memory/stream.ts';

/**
 * Opens a source. A string or URL is a path (`-` is stdin; `*`, `**`, `?` and the like are expanded if there is no file of that name; a folder is all files below
 * it whose names tell a format) or an http(s) URL, an array of strings is several; `sqlite:FILE?table=…`, `postgres://…?query=…`, `rqlite://…?table=…` are a table or query
 * of a database; other arrays and iterables give rows (objects) or text (bytes, strings). A file is looked at, of an iterable the first item is taken, stdin and
 * pipes of a named format are left alone until `sample`; without one, their first bytes are waited for. The caller closes the source.
 *
 * @throws SLUICE_SOURCE_MISSING, SLUICE_SOURCE_NOT_A_FILE, SLUICE_SOURCE_DENIED, SLUICE_SOURCE_EMPTY or SLUICE_SOURCE_READ for a file;
 * SLUICE_FORMAT_UNKNOWN where no format is known; SLUICE_USAGE for an option or a header line that can't be used. An empty stream is told of by `sample`.
 */
export async function openSource(input: SourceInput, options: SourceOptions = {}): Promise<Source> {
  const { zip, ...chosen } = pickOptions(options);
  if (zip !== undefined) return joinVectors(await openSource(input, { ...chosen, signal: options.signal }), { ...chosen, zip });
  const [first] = Array.isArray(input) ? input : [input];
  if (isPath(first) && isDatabaseUrl(String(first))) return openOneDatabase(Array.isArray(input) ? input : [first]);
  const { signal } = options;
  if (isPath(input)) return openPaths([input], chosen, signal);
  if (ArrayBuffer.isView(input)) return openStream('bytes', [input], chosen);
  if (!Array.isArray(input)) return openIterable(input, chosen);
  if (input.length > 0 && input.every(isPath)) return openPaths(input, chosen, signal);
  return ArrayBuffer.isView(input[0]) ? openStream('array', input, chosen) : createArraySource(input);
}

/**
 * Opens the files of a source once more, in another thread or process; a file is opened when it is first read.
 * @throws SLUICE_USAGE, SLUICE_FORMAT_UNKNOWN
 */
export async function reopenSource(descriptor: SourceDescriptor): Promise<Source> {
  const [first = ''] = descriptor.files;
  if (isDatabaseUrl(first)) return openDatabase(first, descriptor);
  const { zip, ...options } = pickOptions(descriptor.options);
  const rows = reopenFileInputs(descriptor, options);
  return zip === undefined ? rows : joinVectors(rows, { ...options, zip });
}

async function joinVectors(rows: Source, options: SourceOptions): Promise<Source> {
  const { openZip } = await import('./vectors/zip-open.ts');
  return openZip(rows, options);
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
  const { format, columns, delimiter, quote, nullText, maxRowBytes, compression, vectorField, zip } = options;
  const all = Object.entries({ format, columns, delimiter, quote, nullText, maxRowBytes, compression, vectorField, zip });
  return Object.fromEntries(all.filter(([, value]) => value !== undefined));
}

async function openPaths(inputs: readonly (string | URL)[], options: SourceOptions, signal: AbortSignal | undefined): Promise<Source> {
  const list = await listInputs(inputs);
  const { names, stats } = list;
  if (names.every((name, at) => isHttpUrl(name) || stats[at]?.isFile() === true)) return openFileInputs(list, options, signal);
  const [path, stat] = [names[0]!, stats[0]];
  const odd = stats.findIndex((each) => each !== undefined && !each.isFile() && !isPipe(each));
  if (odd >= 0) throw notAFileError(names[odd]!, stats[odd]?.isDirectory() === true);
  if (names.length > 1) {
    throw new SluiceError('SLUICE_USAGE', 'stdin or a pipe can be loaded only alone', {
      hint: 'Load it apart from the files, or join them: cat FILE … |',
    });
  }
  if (path === '-' || path === '/dev/stdin') return openStdin(options);
  // The format is checked before the pipe is opened, which waits for whoever writes to it.
  if (stat?.isFIFO() === true && options.format !== undefined) chooseFormat(path, options);
  return openStream(path, createReadStream(path), options);
}

function isPipe(stat: Stats): boolean {
  return stat.isFIFO() || stat.isCharacterDevice() || stat.isSocket();
}

async function openStdin(options: SourceOptions): Promise<Source> {
  // At a terminal nobody would know what is waited for.
  if (process.stdin.isTTY && options.format === undefined) chooseFormat('stdin', options);
  return openStream('stdin', process.stdin, options);
}

async function openIterable(input: object, options: SourceOptions): Promise<Source> {
  if (!isIterable(input))
    throw new SluiceError('SLUICE_USAGE', 'rows come from a path, an array, an iterable or a stream; this is none of them');
  const isByteStream = 'readableObjectMode' in input && input.readableObjectMode === false;
  const name = isByteStream || input instanceof ReadableStream ? 'stream' : 'iterable';
  if (isByteStream) return openStream(name, input, options);
  const items = new PulledIterator(name, input);
  const first = await items.peek();
  if (first.done !== true && ArrayBuffer.isView(first.value)) return openStream(name, iterate(items), options);
  const isText = first.done === true ? options.format !== undefined : typeof first.value === 'string';
  return isText ? createStreamSource({ name, format: chooseFormat(name, options), chunks: items }) : createIterableSource(name, items);
}

/** The items again as an iterable, closed by the one who reads it. */
function iterate(items: PulledIterator): AsyncIterable<unknown> & { destroy(): void } {
  return {
    [Symbol.asyncIterator]: () => ({ next: async () => items.next() }),
    destroy: () => void items.close(),
  };
}

function isIterable(input: object): input is Iterable<unknown> | AsyncIterable<unknown> {
  return Symbol.asyncIterator in input || Symbol.iterator in input;
}

async function openStream(name: string, chunks: Iterable<unknown> | AsyncIterable<unknown>, options: SourceOptions): Promise<Source> {
  const known = await recogniseStream(name, chunks, options);
  return { ...createStreamSource({ name, format: known.format, chunks: known.chunks }), decisions: known.decisions };
}
