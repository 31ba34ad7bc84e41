/** A file behind an HTTP server as one file of a set. */
import { hash } from 'node:crypto';
import { SluiceError } from '../../errors.ts';
import type { Member, MemberFile } from '../files/member-file.ts';
import { chooseFormat } from '../formats.ts';
import { findKind, type FileKind } from '../files/kind.ts';
import { openByteFile } from '../files/members.ts';
import type { SourceOptions } from '../source.ts';
import { openTextFile } from '../files/text-file.ts';
import { createChunkInput, createCompressedOrigin, type TextOrigin } from '../files/text-origin.ts';
import { nameFile, type HttpAddress } from './address.ts';
import { openRemoteFile, toByteFile, type RemoteFile } from './remote-file.ts';

/** Hex digits that are kept: 64 bits. */
const digestLength = 16;
/** Bytes that are fetched at once for who looks at a few. */
const glanceBytes = 64 * 1024;
/** Of the end of a file whose server gives it no validator. */
const tailBytes = 4096;

/** A file of a URL. It is asked for when it is opened, which tells what it is. */
export function createHttpMember(address: HttpAddress, options: SourceOptions): Member {
  let current: RemoteFile | undefined;
  return {
    path: address.name,
    interrupt: () => current?.close(),
    open: async () => {
      const file = await openRemoteFile(address);
      current = file;
      try {
        const kind = await findKind(nameFile(address.url), options, () => file.first);
        return await openKind(file, kind, options);
      } catch (error) {
        file.close();
        throw error;
      }
    },
  };
}

async function openKind(file: RemoteFile, kind: FileKind, options: SourceOptions): Promise<MemberFile> {
  const { name } = file.address;
  const digest = await digestRemote(file);
  if (!kind.isText) {
    if (!file.hasRanges || file.byteCount === undefined) throw rangesError(name, kind.format);
    return openByteFile(toByteFile({ ...file, byteCount: file.byteCount }), { kind, options, digest });
  }
  const format = chooseFormat(name, { ...options, format: kind.format });
  const { compression } = kind;
  const { byteCount } = file;
  const origin =
    compression === undefined
      ? createRemoteOrigin(file, digest)
      : createCompressedOrigin({
          name,
          byteCount,
          digest,
          compression,
          openChunks: (start, end) => file.stream(start, end),
          close: async () => file.close(),
        });
  return openTextFile(origin, format);
}

function rangesError(name: string, format: string): SluiceError {
  return new SluiceError(
    'SLUICE_SOURCE_INVALID',
    `the server of ${name} gives no ranges of it, and a ${format} file can't be read from its start alone`,
    {
      hint: 'Fetch it first (curl -O URL), and load it from disk.',
    },
  );
}

/** Size and validator; without a validator, the bytes at both ends as far as they can be had. */
async function digestRemote(file: RemoteFile): Promise<string> {
  const { byteCount, first, hasRanges, validator } = file;
  const parts: (string | Uint8Array)[] = [`${String(byteCount)}\n${validator ?? ''}\n`];
  if (validator === undefined) {
    parts.push(first.subarray(0, tailBytes));
    if (hasRanges && byteCount !== undefined) parts.push(await file.read(Math.max(0, byteCount - tailBytes), byteCount));
  }
  return hash('sha256', Buffer.concat(parts.map((part) => Buffer.from(part))), 'hex').slice(0, digestLength);
}

function createRemoteOrigin(file: RemoteFile, digest: string): TextOrigin {
  const { address, byteCount, hasRanges } = file;
  const { name } = address;
  return {
    name,
    byteCount,
    digest,
    textBytes: hasRanges ? byteCount : undefined,
    isWhole: !hasRanges,
    // Without ranges the bytes before are read and passed over here, where it is noticed if there are fewer.
    open: (start, end) =>
      hasRanges ? createChunkInput(file.stream(start, end), { name, skip: 0 }) : createChunkInput(file.stream(0), { name, skip: start }),
    glance: hasRanges ? (start, end) => openGlance(file, start, end) : undefined,
    reread: undefined,
    close: async () => file.close(),
  };
}

function openGlance(file: RemoteFile, start: number, end: number): ReturnType<NonNullable<TextOrigin['glance']>> {
  let at = start;
  return {
    lowBytes: 1,
    async read(target, place, length) {
      const bytes = await file.read(at, Math.min(end, at + Math.min(length, glanceBytes)));
      target.set(bytes, place);
      at += bytes.length;
      return bytes.length;
    },
  };
}
