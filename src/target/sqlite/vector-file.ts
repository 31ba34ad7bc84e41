/** The side file of an index: usearch's bytes, then a trailer that says what they belong to. usearch may crash on damaged bytes, so it never sees a file whose digest was not checked. */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, openSync, readSync, readdirSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Metric } from '../driver.ts';
import { createGraph, type HnswGraph, type HnswSettings } from './vector-hnsw.ts';
import { isProcessRunning } from '../../process-life.ts';

/** What a side file says of itself. Row ids are text: they have 64 bits. */
export interface SideFileHeader {
  readonly format: 2;
  readonly table: string;
  readonly column: string;
  readonly metric: Metric;
  readonly dimensions: number;
  readonly rows: number;
  /** The tracking it belongs to, and the build that made it. */
  readonly id: string;
  readonly build: string;
  /** The file says nothing of rows above this one. */
  readonly boundary: string;
  readonly settings: HnswSettings;
  /** As the user called it, and when it was sealed; a file of an older sluice has neither. */
  readonly name?: string | undefined;
  readonly builtAt?: string | undefined;
  /** Some rows with the CRC-32 of their vectors. */
  readonly sample: readonly (readonly [string, number])[];
  /** usearch's bytes and their CRC-32. */
  readonly bytes: number;
  readonly crc: number;
}

/** A file that was opened and found whole. */
export interface SideFile {
  readonly header: SideFileHeader;
  readonly graph: HnswGraph;
  /** Changes whenever the file does. */
  readonly stamp: string;
}

/** … or why there is none. */
export interface NoSideFile {
  readonly problem: string;
}

const magic = Buffer.from('sluiceV1');
/** After the header's JSON: its length, its CRC-32, the magic. */
const footerBytes = 16;
const chunkBytes = 4 << 20;
const maxHeaderBytes = 1 << 20;

/** Where the index of a column lies, beside the database. Two columns never share a name. */
export function locateSideFile(file: string, table: string, column: string): string {
  return `${file}.${encodeName(table)}.${encodeName(column)}.usearch`;
}

/** File names take 255 bytes; longer names are cut, and a digest keeps them apart. */
const maxNameLength = 64;

function encodeName(name: string): string {
  const encoded = [...Buffer.from(name)].map(encodeByte).join('');
  if (encoded.length <= maxNameLength) return encoded;
  return `${encoded.slice(0, 40)}~${createHash('sha256').update(name).digest('hex').slice(0, 16)}`;
}

function encodeByte(byte: number): string {
  const character = String.fromCharCode(byte);
  return /[A-Za-z0-9_-]/u.test(character) ? character : `%${byte.toString(16).padStart(2, '0').toUpperCase()}`;
}

/** The file that a build of this process writes before it is renamed; the process id tells whether its writer lives. */
export function nameTemporary(path: string, build: string): string {
  return `${path}.${String(process.pid)}-${build}.tmp`;
}

/** Removes what killed builds left behind. */
export function removeOrphans(path: string): void {
  const prefix = `${basename(path)}.`;
  for (const name of readdirSync(dirname(path))) {
    const match = /^(\d+)-[0-9a-f]+\.tmp$/u.exec(name.startsWith(prefix) ? name.slice(prefix.length) : '');
    if (match !== null && !isProcessRunning(Number(match[1]))) rmSync(join(dirname(path), name), { force: true });
  }
}

/** Completes what usearch saved at a temporary path by the trailer, down to the disk. {@link placeSideFile} then puts it in place. */
export function sealSideFile(temporary: string, about: Omit<SideFileHeader, 'bytes' | 'crc' | 'format'>): void {
  const handle = openSync(temporary, 'r+');
  try {
    const bytes = fstatSync(handle).size;
    const header: SideFileHeader = { format: 2, ...about, bytes, crc: digestFile(handle, bytes) };
    const json = Buffer.from(JSON.stringify(header));
    const footer = Buffer.alloc(footerBytes);
    footer.writeUInt32LE(json.length, 0);
    footer.writeUInt32LE(crc32(json), 4);
    magic.copy(footer, 8);
    const trailer = Buffer.concat([json, footer]);
    for (let done = 0; done < trailer.length;) done += writeSync(handle, trailer, done, trailer.length - done, bytes + done);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Puts a written file in place of the old one; whoever has the old one open keeps it. */
export function placeSideFile(temporary: string, path: string): void {
  renameSync(temporary, path);
  if (process.platform === 'win32') return;
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** 4.5 GB/s here, where SHA-256 does 1.8: it stands against damage, not against an enemy, who could write the digest as well. */
function digestFile(handle: number, bytes: number): number {
  const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, bytes));
  let crc = 0;
  for (let done = 0; done < bytes;) {
    const read = readSync(handle, chunk, 0, Math.min(chunk.length, bytes - done), done);
    if (read === 0) break;
    crc = crc32(chunk.subarray(0, read), crc);
    done += read;
  }
  return crc;
}

/** Files opened by this process, by path. Only a few: a graph in use stays alive by its user. */
const opened = new Map<string, { readonly stamp: string; readonly result: SideFile | NoSideFile }>();
const maxOpened = 8;

/** What tells one state of a file from another without reading it. */
function stampFile(path: string): string | undefined {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? undefined : [stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(':');
}

/**
 * Opens a side file, checking the whole of it the first time and whenever it changed. The graph is mapped, not read: pages are shared between
 * processes, and opening costs the digest alone (30 ms for 100 MB). Never throws for what is wrong with the file.
 */
export function openSideFile(path: string): SideFile | NoSideFile {
  const stamp = stampFile(path);
  if (stamp === undefined) return { problem: 'its file is missing' };
  const known = opened.get(path);
  if (known?.stamp === stamp) return known.result;
  const result = readSideFile(path, stamp);
  opened.delete(path);
  const oldest = opened.keys().next();
  if (opened.size >= maxOpened && oldest.done !== true) opened.delete(oldest.value);
  // A file that was replaced while it was read is read again next time.
  if (stampFile(path) === stamp) opened.set(path, { stamp, result });
  return result;
}

function readSideFile(path: string, stamp: string): SideFile | NoSideFile {
  try {
    const header = readHeader(path);
    if ('problem' in header) return header;
    const graph = createGraph(header.dimensions, header.metric, header.settings);
    graph.view(path);
    return { header, graph, stamp };
  } catch (error) {
    return { problem: `its file could not be opened (${error instanceof Error ? error.message : String(error)})` };
  }
}

/** Graphs that are searched more or less widely than they were built for, by file and width: usearch takes the width when a graph is opened. */
const widened = new Map<string, HnswGraph>();
const maxWidened = 4;

/** The graph of an open file, to be searched with another number of candidates. */
export function widenGraph(path: string, { header, graph, stamp }: SideFile, efSearch: number | undefined): HnswGraph {
  if (efSearch === undefined || efSearch === header.settings.expansionSearch) return graph;
  const key = `${path} ${stamp} ${String(efSearch)}`;
  const known = widened.get(key);
  if (known !== undefined) return known;
  const other = createGraph(header.dimensions, header.metric, { ...header.settings, expansionSearch: efSearch });
  other.view(path);
  const oldest = widened.keys().next();
  if (widened.size >= maxWidened && oldest.done !== true) widened.delete(oldest.value);
  widened.set(key, other);
  return other;
}

/** The header of a file whose bytes are as they were written. */
export function readHeader(path: string): SideFileHeader | NoSideFile {
  const handle = openSync(path, 'r');
  try {
    const size = fstatSync(handle).size;
    const footer = readAt(handle, size - footerBytes, footerBytes);
    if (footer === undefined || !footer.subarray(8).equals(magic)) return { problem: 'its file is cut short or not one of sluice' };
    const length = footer.readUInt32LE(0);
    const json = length > maxHeaderBytes ? undefined : readAt(handle, size - footerBytes - length, length);
    if (json === undefined || crc32(json) !== footer.readUInt32LE(4)) return { problem: 'its file is damaged' };
    const header = JSON.parse(json.toString()) as SideFileHeader;
    if (header.format !== 2) return { problem: 'its file has a format of another version of sluice' };
    const isWhole = header.bytes === size - footerBytes - length && digestFile(handle, header.bytes) === header.crc;
    return isWhole ? header : { problem: 'its file is damaged' };
  } finally {
    closeSync(handle);
  }
}

function readAt(handle: number, start: number, length: number): Buffer | undefined {
  if (start < 0 || length <= 0) return undefined;
  const bytes = Buffer.alloc(length);
  return readSync(handle, bytes, 0, length, start) === length ? bytes : undefined;
}

/** Removes the side file of a column and what builds of it left. */
export function removeSideFile(path: string): void {
  rmSync(path, { force: true });
  opened.delete(path);
  removeOrphans(path);
}
