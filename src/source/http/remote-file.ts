/** A file behind an HTTP server: probed once, pinned to what it was then, read by ranges or, from a server without them, from its start. */
import { SluiceError } from '../../errors.ts';
import type { ByteFile } from '../files/byte-file.ts';
import type { HttpAddress } from './address.ts';
import { BrokenLinkError, getHttp, type HttpAnswer } from './exchange.ts';
import { readRefusal, toSetback, waitForRetry, type Tries } from './retry.ts';

/** What is asked for first: the size, the validator, and the bytes that a format is told by. Small files come whole. */
const probedBytes = 64 * 1024;
/** A body of which nothing came for so long is taken for dead. The time that the reader itself takes does not count. */
const idleTimeoutMs = 30_000;

/** What a file was when it was opened. */
interface Pin {
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  /** Undefined where the server does not say. */
  readonly byteCount: number | undefined;
}

export interface RemoteFile {
  readonly address: HttpAddress;
  readonly byteCount: number | undefined;
  /** Whether any range of it can be asked for. */
  readonly hasRanges: boolean;
  /** Its first bytes: 64 KiB, or all. */
  readonly first: Uint8Array;
  /** What the server identifies its content by; undefined where it does not. */
  readonly validator: string | undefined;
  /**
   * The bytes from one place to another or the end. A link that is cut is taken up again at the byte.
   * @throws SLUICE_SOURCE_READ, SLUICE_SOURCE_CHANGED
   */
  stream(start: number, end?: number): AsyncGenerator<Uint8Array, void, undefined>;
  /** The same in one piece. */
  read(start: number, end: number): Promise<Uint8Array>;
  /** Ends every stream. */
  close(): void;
}

/** Asks what is there. @throws SLUICE_SOURCE_MISSING, SLUICE_SOURCE_DENIED, SLUICE_SOURCE_READ */
export async function openRemoteFile(address: HttpAddress): Promise<RemoteFile> {
  const tries: Tries = { count: 0 };
  for (;;) {
    try {
      const answer = await getHttp(address, { headers: { range: `bytes=0-${String(probedBytes - 1)}` } });
      const refusal = readRefusal(address, answer);
      if (refusal === undefined) return await readProbe(address, answer);
      answer.body.destroy();
      await waitForRetry(address, tries, refusal);
    } catch (error) {
      await waitForRetry(address, tries, toSetback(address, error));
    }
  }
}

async function readProbe(address: HttpAddress, answer: HttpAnswer): Promise<RemoteFile> {
  const { headers, status } = answer;
  const hasRanges = status === 206 && /^bytes 0-\d+\/\d+$/u.test(headers['content-range'] ?? '');
  const pin: Pin = {
    etag: headers.etag,
    lastModified: headers['last-modified'],
    byteCount: status === 416 ? 0 : readTotal(answer),
  };
  if (status === 416) {
    answer.body.destroy();
    return createRemoteFile(address, { pin, hasRanges: true, first: new Uint8Array(0) });
  }
  const first = await readFirst(answer);
  return createRemoteFile(address, { pin, hasRanges, first });
}

/** The first bytes; of a link that is cut, those that came: they are only looked at. */
async function readFirst(answer: HttpAnswer): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const piece of readBody(answer)) {
      pieces.push(piece);
      length += piece.length;
      if (length >= probedBytes) break;
    }
  } catch (error) {
    if (!(error instanceof BrokenLinkError) || length === 0 || error.code === 'ABORT_ERR') throw error;
  }
  return Buffer.concat(pieces).subarray(0, probedBytes);
}

function readTotal({ headers, status }: HttpAnswer): number | undefined {
  const text = status === 206 ? /\/(\d+)$/u.exec(headers['content-range'] ?? '')?.[1] : headers['content-length'];
  const total = text === undefined ? NaN : Number(text);
  return Number.isSafeInteger(total) ? total : undefined;
}

/** The chunks of a body; a wait that is too long and a cut are broken links. */
async function* readBody({ body }: HttpAnswer): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks: AsyncIterator<Uint8Array> = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await nextWithin(chunks);
      if (next.done === true) return;
      yield next.value;
    }
  } catch (error) {
    if (error instanceof BrokenLinkError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'cut';
    throw new BrokenLinkError(code, error);
  } finally {
    body.destroy();
  }
}

async function nextWithin(chunks: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new BrokenLinkError('nothing came in time')), idleTimeoutMs);
  });
  try {
    return await Promise.race([chunks.next(), late]);
  } finally {
    clearTimeout(timer);
  }
}

interface Probed {
  readonly pin: Pin;
  readonly hasRanges: boolean;
  readonly first: Uint8Array;
}

function createRemoteFile(address: HttpAddress, { first, hasRanges, pin }: Probed): RemoteFile {
  const reader = new RemoteReader(address, pin, hasRanges);
  const { byteCount } = pin;
  const isComplete = byteCount !== undefined && first.length >= byteCount;
  async function* stream(start: number, end = byteCount): AsyncGenerator<Uint8Array, void, undefined> {
    if (end !== undefined && end <= start) return;
    if (isComplete || (end !== undefined && end <= first.length)) yield first.slice(start, end);
    else yield* reader.stream(start, end);
  }
  return {
    address,
    byteCount,
    hasRanges,
    first,
    validator: pin.etag ?? pin.lastModified,
    stream,
    async read(start, end) {
      const pieces = await Array.fromAsync(stream(start, end));
      const [only] = pieces;
      return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces);
    },
    close: () => reader.close(),
  };
}

/** Reads of one file; each is tried again where the link breaks, and refused where the content is no longer the pinned one. */
class RemoteReader {
  private readonly address: HttpAddress;
  private readonly pin: Pin;
  private readonly hasRanges: boolean;
  private readonly bodies = new Set<HttpAnswer['body']>();
  private readonly closing = new AbortController();

  constructor(address: HttpAddress, pin: Pin, hasRanges: boolean) {
    const { signal } = address;
    this.address = { ...address, signal: signal === undefined ? this.closing.signal : AbortSignal.any([signal, this.closing.signal]) };
    this.pin = pin;
    this.hasRanges = hasRanges;
  }

  async *stream(start: number, end: number | undefined): AsyncGenerator<Uint8Array, void, undefined> {
    const tries: Tries = { count: 0 };
    let at = start;
    for (;;) {
      const from = at;
      try {
        for await (const piece of this.readOnce(at, end)) {
          at += piece.length;
          tries.count = 0;
          yield piece;
        }
        if (end === undefined || at >= end) return;
        // A server may give less than was asked for, as long as it gives something.
        if (at > from) continue;
        await waitForRetry(this.address, tries, {
          what: `it ended at byte ${String(at)} of ${String(end)}`,
          waitMs: undefined,
          cause: undefined,
        });
      } catch (error) {
        if (this.closing.signal.aborted) throw new SluiceError('SLUICE_CLOSED', `the source of ${this.address.name} has been closed`);
        await waitForRetry(this.address, tries, toSetback(this.address, error));
      }
    }
  }

  close(): void {
    this.closing.abort();
    for (const body of this.bodies) body.destroy();
  }

  /** One answer, from `start` to `end` at most. It may break off; what is yielded is in its place. */
  private async *readOnce(start: number, end: number | undefined): AsyncGenerator<Uint8Array, void, undefined> {
    const { address, hasRanges } = this;
    const range = hasRanges && end !== undefined ? { range: `bytes=${String(start)}-${String(end - 1)}` } : {};
    const answer = await getHttp(address, { headers: { ...range, ...this.writeCondition() } });
    const { body } = answer;
    this.bodies.add(body);
    try {
      const refusal = readRefusal(address, answer);
      if (refusal !== undefined) throw new BrokenLinkError(refusal.what, undefined, refusal.waitMs);
      this.checkPinned(answer);
      if (hasRanges) this.checkRange(answer, start);
      yield* cutBytes(readBody(answer), hasRanges ? 0 : start, end === undefined ? Infinity : end - start);
    } finally {
      body.destroy();
      this.bodies.delete(body);
    }
  }

  /** A server that has something else by now sends it whole, and is caught. */
  private writeCondition(): Readonly<Record<string, string>> {
    const { etag, lastModified } = this.pin;
    if (!this.hasRanges) return {};
    if (etag !== undefined && !etag.startsWith('W/')) return { 'if-range': etag };
    return etag === undefined && lastModified !== undefined ? { 'if-range': lastModified } : {};
  }

  private checkPinned(answer: HttpAnswer): void {
    const { byteCount, etag, lastModified } = this.pin;
    const { headers } = answer;
    const total = answer.status === 416 ? undefined : readTotal(answer);
    const isSame =
      (etag === undefined || headers.etag === undefined || headers.etag === etag) &&
      (etag !== undefined ||
        lastModified === undefined ||
        headers['last-modified'] === lastModified ||
        headers['last-modified'] === undefined) &&
      (byteCount === undefined || total === undefined || total === byteCount) &&
      answer.status !== 416;
    if (isSame) return;
    throw new SluiceError('SLUICE_SOURCE_CHANGED', `${this.address.name} was changed on its server while it was read`, {
      hint: 'What was loaded is of the file as it was. Load the new one as a load of its own with --again.',
    });
  }

  private checkRange({ headers, status }: HttpAnswer, start: number): void {
    if (status === 206 && headers['content-range']?.startsWith(`bytes ${String(start)}-`) === true) return;
    if (status === 200 && start === 0) return;
    throw new SluiceError('SLUICE_SOURCE_READ', `the server of ${this.address.name} gave ranges at first and does not give them now`, {
      hint: 'Resume later, or fetch the file first (curl -O) and load it from disk.',
    });
  }
}

/** Passes over the first bytes of a body, and ends after some more. */
async function* cutBytes(chunks: AsyncIterable<Uint8Array>, skip: number, take: number): AsyncGenerator<Uint8Array, void, undefined> {
  let toSkip = skip;
  let toTake = take;
  for await (const chunk of chunks) {
    const passed = Math.min(toSkip, chunk.length);
    toSkip -= passed;
    const piece = chunk.subarray(passed, Math.min(chunk.length, passed + toTake));
    toTake -= piece.length;
    if (piece.length > 0) yield piece;
    if (toTake <= 0) return;
  }
}

/** A file of known length with ranges, as binary formats read it. */
export function toByteFile(file: RemoteFile & { readonly byteCount: number }): ByteFile {
  return {
    name: file.address.name,
    byteCount: file.byteCount,
    isRemote: true,
    read: (start, end) => file.read(start, end),
    close: () => file.close(),
  };
}
