/** Files that were named, here and behind HTTP servers, as one source: what each is, whether they go together, and which reader suits them. */
import { closeSync, openSync, readSync } from 'node:fs';
import { resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { SluiceError } from '../../errors.ts';
import { formatCount } from '../../count-text.ts';
import { toSourceError } from './file-handles.ts';
import { openFiles, reopenFiles, type FilesInput } from './files.ts';
import { openFileSet, reopenFileSet } from './file-set.ts';
import { chooseFormat } from '../formats.ts';
import { isHttpUrl, nameFile, parseHttpUrl, type HttpAddress } from '../http/address.ts';
import { createHttpMember } from '../http/member.ts';
import { openRemoteFile } from '../http/remote-file.ts';
import type { InputList } from './input-list.ts';
import { findKind, sniffedBytes, type FileKind } from './kind.ts';
import { createLocalMember } from './members.ts';
import type { Source, SourceDecision, SourceDescriptor, SourceOptions } from '../source.ts';

/** Requests that look at files side by side: each is a round trip. */
const probesAtOnce = 16;

/** A file that was named, and what it is. */
interface NamedFile {
  readonly name: string;
  readonly address: HttpAddress | undefined;
  readonly kind: FileKind;
}

/** What of a URL another reader of the session needs and nobody may keep: the URL whole, and the header that opens it. */
type Secrets = readonly { readonly href: string; readonly authorization: string | undefined }[];

/** Opens the files as one source. @throws SLUICE_SOURCE_…, SLUICE_FORMAT_UNKNOWN, SLUICE_USAGE */
export async function openFileInputs(
  { decisions: listed, names }: InputList,
  options: SourceOptions,
  signal?: AbortSignal,
): Promise<Source> {
  const files = await findKinds(names, { ...options, signal });
  const format = findCommonFormat(files);
  const decisions = [...listed, ...describeKinds(files, options)];
  const isPlain = files.every(({ address, kind }) => address === undefined && kind.isText && kind.compression === undefined);
  if (isPlain) return { ...(await openFiles(toFilesInput(names, { ...options, format }))), decisions };
  const isRemote = files.some(({ address }) => address !== undefined);
  const members = files.map(({ address, kind, name }) =>
    address === undefined
      ? createLocalMember(resolve(name), options, kind)
      : createHttpMember(address, { ...options, format: kind.format }),
  );
  const secrets: Secrets = files.flatMap(({ address }) =>
    address === undefined ? [] : [{ href: address.url.href, authorization: address.authorization }],
  );
  return openFileSet({
    members,
    name: nameAll(files.map(({ address, name }) => address?.name ?? name)),
    format,
    options,
    decisions,
    openAtOnce: isRemote ? probesAtOnce : 1,
    isRemote,
    shared: isRemote ? JSON.stringify(secrets) : undefined,
  });
}

/** Opens them once more, in another thread or process; none is looked at before it is read. @throws SLUICE_USAGE, SLUICE_FORMAT_UNKNOWN */
export function reopenFileInputs(descriptor: SourceDescriptor, options: SourceOptions): Source {
  const { files, identity, reader, shared } = descriptor;
  if (reader !== 'set') return reopenFiles(toFilesInput(files, options));
  const secrets = shared === undefined ? [] : [...(JSON.parse(shared) as Secrets)];
  const members = files.map((file) => {
    if (!isHttpUrl(file)) return createLocalMember(file, options);
    const secret = secrets.shift();
    return createHttpMember(parseHttpUrl(secret?.href ?? file, secret?.authorization), options);
  });
  return reopenFileSet({ members, name: nameAll(files), format: options.format ?? '', options, isRemote: identity !== undefined, shared });
}

function toFilesInput(names: readonly string[], options: SourceOptions): FilesInput {
  return { paths: names.map((name) => resolve(name)), name: nameAll(names), format: chooseFormat(names[0] ?? '', options), options };
}

function nameAll(names: readonly string[]): string {
  return names.length === 1 ? names[0]! : `${names[0]} and ${String(names.length - 1)} more`;
}

async function findKinds(names: readonly string[], options: SourceOptions): Promise<NamedFile[]> {
  const files: NamedFile[] = [];
  for (const name of names) {
    if (isHttpUrl(name)) files.push(await findRemoteKind(name, options));
    else files.push({ name, address: undefined, kind: await findKind(name, options, (byteCount) => readFirst(name, byteCount)) });
    if (files.length % namesAtOnce === 0) await setImmediate();
  }
  return files;
}

/** Files that are looked at before other events get their turn. */
const namesAtOnce = 256;

/** A name that tells the format is believed: its file is opened a moment later anyway, and its first bytes looked at then. */
async function findRemoteKind(name: string, options: SourceOptions): Promise<NamedFile> {
  const address = { ...parseHttpUrl(name), signal: options.signal };
  const kind = await findKind(nameFile(address.url), options, async (byteCount) => {
    if (byteCount < sniffedBytes) return new Uint8Array(0);
    const file = await openRemoteFile(address);
    file.close();
    return file.first;
  });
  return { name, address, kind };
}

function readFirst(path: string, byteCount: number): Uint8Array {
  const bytes = Buffer.alloc(byteCount);
  try {
    const descriptor = openSync(path, 'r');
    try {
      return bytes.subarray(0, readSync(descriptor, bytes, 0, byteCount, 0));
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw toSourceError(path, error);
  }
}

/** Files of one load are read by one format. @throws SLUICE_USAGE */
function findCommonFormat(files: readonly NamedFile[]): string {
  const [first] = files;
  if (first === undefined)
    throw new SluiceError('SLUICE_USAGE', 'no file was named as the source', { hint: 'Name a file, a folder or a URL.' });
  const { format } = first.kind;
  const other = files.find(({ kind }) => kind.format !== format);
  if (other === undefined) return format;
  const counts = new Map<string, number>();
  for (const { kind } of files) counts.set(kind.format, (counts.get(kind.format) ?? 0) + 1);
  throw new SluiceError('SLUICE_USAGE', `${show(first)} is ${format} and ${show(other)} is ${other.kind.format}`, {
    problems: files.length <= 2 ? [] : [...counts].map(([name, count]) => `${formatCount(count)} files are ${name}`),
    hint: 'Files of one load need one format; load the others apart.',
  });
}

function show({ address, name }: NamedFile): string {
  return address?.name ?? name;
}

/** How the format was told, where it was not simply asked for, and what is compressed. */
function describeKinds(files: readonly NamedFile[], options: SourceOptions): readonly SourceDecision[] {
  const decisions: SourceDecision[] = [];
  const [first] = files;
  const sniffed = files.filter(({ kind }) => kind.why === 'by its first bytes');
  if (first !== undefined && options.format === undefined) {
    const why =
      sniffed.length === 0
        ? 'by the name'
        : `by the first bytes of ${show(sniffed[0]!)}${sniffed.length > 1 ? ` and ${formatCount(sniffed.length - 1)} more` : ''}`;
    decisions.push({ what: 'format', choice: first.kind.format, why });
  }
  const packed = files.filter(({ kind }) => kind.compression !== undefined);
  if (packed.length > 0) {
    const names = [...new Set(packed.map(({ kind }) => kind.compression))].join(', ');
    const how = files.length === 1 ? names : `${names}: ${formatCount(packed.length)} of ${formatCount(files.length)} files`;
    decisions.push({ what: 'compression', choice: how, why: 'a compressed file is read from its start; small ones share a shard' });
  }
  return decisions;
}
