/** The formats that a source may have, by name. A format of text is made from the options; a new one is one entry here. */
import { extname } from 'node:path';
import { SluiceError } from '../errors.ts';
import { createCsvFormat } from './text/csv.ts';
import { binaryFormats } from './binary-formats.ts';
import { createJsonFormat } from './text/json-array.ts';
import { createJsonlFormat } from './text/jsonl.ts';
import type { SourceOptions } from './source.ts';
import type { TextFormat } from './text/text-format.ts';

interface FormatEntry {
  /** Endings of file names, lower case, with the dot. */
  readonly extensions: readonly string[];
  readonly create: (options: SourceOptions) => TextFormat;
}

const formats: Readonly<Record<string, FormatEntry>> = {
  jsonl: { extensions: ['.jsonl', '.ndjson'], create: (options) => createJsonlFormat(readMaxRowBytes(options)) },
  json: { extensions: ['.json'], create: (options) => createJsonFormat(readMaxRowBytes(options)) },
  csv: { extensions: ['.csv'], create: (options) => createDelimited('csv', options) },
  tsv: { extensions: ['.tsv', '.tab'], create: (options) => createDelimited('tsv', options) },
};

/** Other names that users give to a format. */
const aliases: Readonly<Record<string, string>> = { ndjson: 'jsonl' };

/** Names of the formats of text, for messages and help. */
export const formatNames: readonly string[] = Object.keys(formats);

/** A text may not grow without bound: strings of V8 end at 512 MiB, and a row that long is a file with its newlines lost. */
const maxMaxRowBytes = 256 * 1024 * 1024;
const defaultMaxRowBytes = 16 * 1024 * 1024;

/**
 * The format that the options name, else the one of the file's name; with all its options checked.
 * @throws SLUICE_FORMAT_UNKNOWN, SLUICE_USAGE
 */
export function chooseFormat(name: string, options: SourceOptions): TextFormat {
  const formatName = options.format === undefined ? findByExtension(name) : options.format.toLowerCase();
  const entry = formatName === undefined ? undefined : findEntry(formatName);
  if (entry !== undefined) return entry.create(options);
  if (formatName !== undefined && Object.hasOwn(binaryFormats, formatName)) throw streamError(name, formatName);
  const what =
    options.format === undefined
      ? `the format of ${name} can't be told from its name`
      : `there is no format ${JSON.stringify(options.format)}`;
  throw new SluiceError('SLUICE_FORMAT_UNKNOWN', what, { hint: `Name it with --format: ${formatNames.join(', ')}.` });
}

/** For a format that is read from its end or in parts, of a stream. */
export function streamError(name: string, format: string): SluiceError {
  return new SluiceError('SLUICE_FORMAT_UNKNOWN', `${name} can't be read as ${format}: it is a stream, and ${format} is read in parts`, {
    hint: 'Give it as a file or as an http(s) URL.',
  });
}

/** The format that a caller's name for it means, of text or binary; undefined for none. */
export function nameFormat(name: string): string | undefined {
  const lower = name.toLowerCase();
  const known = Object.hasOwn(aliases, lower) ? aliases[lower]! : lower;
  return isTextFormat(known) || Object.hasOwn(binaryFormats, known) ? known : undefined;
}

export function isTextFormat(name: string): boolean {
  return Object.hasOwn(formats, name);
}

/** Whether each row is parsed by itself, names and all. */
export function isJsonFormat(name: string): boolean {
  return name === 'jsonl' || name === 'json';
}

function findEntry(name: string): FormatEntry | undefined {
  const known = Object.hasOwn(aliases, name) ? aliases[name]! : name;
  return Object.hasOwn(formats, known) ? formats[known] : undefined;
}

/** The format that the name of a file tells by its ending. */
export function findByExtension(name: string): string | undefined {
  const extension = extname(name).toLowerCase();
  return (
    formatNames.find((format) => formats[format]!.extensions.includes(extension)) ??
    Object.keys(binaryFormats).find((format) => binaryFormats[format]?.extensions.includes(extension) === true)
  );
}

function createDelimited(name: 'csv' | 'tsv', options: SourceOptions): TextFormat {
  const delimiter = readByte(options.delimiter ?? (name === 'tsv' ? '\t' : ','), '--delimiter');
  const quote = options.quote === '' ? -1 : readByte(options.quote ?? '"', '--quote');
  if (delimiter === quote) throw new SluiceError('SLUICE_USAGE', 'the delimiter and the quote are the same character');
  return createCsvFormat({
    name,
    columns: options.columns,
    delimiter,
    quote,
    nullText: options.nullText ?? '',
    maxRowBytes: readMaxRowBytes(options),
  });
}

/** A shell passes a tab most easily as the two characters `\t`. */
function readByte(text: string, option: string): number {
  const character = text === '\\t' ? '\t' : text;
  const code = character.charCodeAt(0);
  if (character.length === 1 && code < 128 && character !== '\n' && character !== '\r') return code;
  throw new SluiceError('SLUICE_USAGE', `${option} has to be one ASCII character other than a line end`, {
    hint: `For example ${option} ';' or ${option} '\\t'.`,
  });
}

function readMaxRowBytes(options: SourceOptions): number {
  const bytes = options.maxRowBytes ?? defaultMaxRowBytes;
  if (Number.isInteger(bytes) && bytes >= 1 && bytes <= maxMaxRowBytes) return bytes;
  throw new SluiceError('SLUICE_USAGE', `--max-row-bytes has to be a whole number from 1 to ${maxMaxRowBytes}`);
}
