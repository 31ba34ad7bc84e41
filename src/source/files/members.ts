/** Opens one file of a set by what it is and where it is: a binary format, or text behind a compression or an HTTP server. */
import { hash } from 'node:crypto';
import { SluiceError } from '../../errors.ts';
import { openLocalFile, type ByteFile } from './byte-file.ts';
import { binaryFormats } from '../binary-formats.ts';
import type { FileFormat } from '../file-format.ts';
import type { Member, MemberFile } from './member-file.ts';
import { chooseFormat } from '../formats.ts';
import { findKind, type FileKind } from './kind.ts';
import type { SourceOptions } from '../source.ts';
import { chunksOf, createChunkInput, createCompressedOrigin, type OpenInput, type TextOrigin } from './text-origin.ts';
import { maxSmallBytes } from './small-decompression.ts';
import { openTextFile } from './text-file.ts';

const digestedBytes = 4096;
/** Hex digits that are kept: 64 bits, more than a chance collision needs. */
const digestLength = 16;

/** A file of this machine; `kind` where it is known already. */
export function createLocalMember(path: string, options: SourceOptions, kind?: FileKind): Member {
  return {
    path,
    open: async () => {
      const file = openLocalFile(path);
      try {
        const found = kind ?? (await findKind(path, options, (byteCount) => file.read(0, Math.min(byteCount, file.byteCount))));
        return await openByteFile(file, { kind: found, options });
      } catch (error) {
        await file.close();
        throw error;
      }
    },
  };
}

/** Opens a file by its kind; `digest` where the file's server vouches for its content, else that of its ends. Closed with what is opened. */
export async function openByteFile(
  file: ByteFile,
  { digest, kind, options }: { readonly kind: FileKind; readonly options: SourceOptions; readonly digest?: string },
): Promise<MemberFile> {
  const known = digest ?? (await digestFile(file));
  if (!kind.isText) return openBinary(file, kind.format, { options, digest: known });
  const format = chooseFormat(file.name, { ...options, format: kind.format });
  const { compression } = kind;
  const about = { name: file.name, byteCount: file.byteCount, digest: known, close: async () => file.close() };
  const origin =
    compression === undefined
      ? createPlainOrigin(file, known)
      : createCompressedOrigin({ ...about, compression, isSmall: isSmall(file), openChunks: chunksOf(file) });
  return openTextFile(origin, format);
}

/** Behind a server only what is wanted is fetched. */
function isSmall(file: ByteFile): boolean {
  return file.isRemote !== true && file.byteCount <= maxSmallBytes;
}

/** Formats that were imported: to ask the loader of modules for each of 10,000 files takes 0.3 s. */
const imported = new Map<string, FileFormat>();

async function importFormat(name: string): Promise<FileFormat> {
  const known = imported.get(name);
  if (known !== undefined) return known;
  const entry = binaryFormats[name];
  if (entry === undefined) throw new SluiceError('SLUICE_INTERNAL', `${name} is no binary format`);
  const { format } = await entry.open();
  imported.set(name, format);
  return format;
}

async function openBinary(
  file: ByteFile,
  format: string,
  { digest, options }: { readonly options: SourceOptions; readonly digest: string },
): Promise<MemberFile> {
  const opened = await (await importFormat(format)).open(file, options);
  return {
    fields: opened.fields,
    declared: opened.declared,
    rowCount: opened.rowCount,
    isWhole: opened.isWhole,
    vectors: opened.vectors,
    sample: (signal) => opened.sample(signal),
    parts: (targetBytes, signal) => opened.parts(targetBytes, signal),
    read: (part, from, readOptions) => opened.read(part, from, readOptions),
    ...(opened.digestPart === undefined ? {} : { digestPart: (part) => opened.digestPart!(part) }),
    byteCount: file.byteCount,
    digest,
    close: async () => {
      await opened.close();
      await file.close();
    },
  };
}

/** Its size and the digests of its first and last bytes. */
async function digestFile(file: ByteFile): Promise<string> {
  const { byteCount } = file;
  const head = await file.read(0, Math.min(digestedBytes, byteCount));
  const tail = await file.read(Math.max(0, byteCount - digestedBytes), byteCount);
  return hash('sha256', Buffer.concat([Buffer.from(`${String(byteCount)}\n`), head, tail]), 'hex').slice(0, digestLength);
}

/** Text as it stands, read a piece at a time. */
function createPlainOrigin(file: ByteFile, digest: string): TextOrigin {
  const { byteCount, name } = file;
  const open = (start: number, end: number | undefined): OpenInput => createChunkInput(chunksOf(file)(start, end), { name, skip: 0 });
  return {
    name,
    byteCount,
    digest,
    textBytes: byteCount,
    isWhole: false,
    open,
    glance: open,
    reread: undefined,
    close: async () => file.close(),
  };
}
