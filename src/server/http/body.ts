/** Reads request bodies within limits: too large is 413, too slow is 408, cut off is nothing at all. A body that did not come whole is never run. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { bodyBytesPerSecond, smallBodyBytes } from './limits.ts';
import type { Limits } from './limits.ts';

/** Why there is no body. gone: the client went away, and there is nobody to answer; no room: other large bodies are being answered. */
export type BodyFailure = 'too large' | 'too slow' | 'gone' | 'no room';

/** Watches all bodies that are under way with one timer: a timer for each would cost more than a small request. */
export interface BodyReader {
  /** The whole body. */
  readBody(request: IncomingMessage, response: ServerResponse): Promise<Buffer | BodyFailure>;
  /**
   * The body piece by piece; whoever takes it slowly slows the client. How long it may be is asked once its first piece is there.
   * @throws BodyError
   */
  streamBody(request: IncomingMessage, response: ServerResponse, limitBytes: (first: Buffer) => number): AsyncIterable<Buffer>;
  /** Throws away what is left of a body that nobody wants, so that the next request can follow; one that never comes ends the connection. */
  discardRest(request: IncomingMessage): void;
  close(): void;
}

/** A streamed body ended before its end. */
export class BodyError extends Error {
  readonly failure: BodyFailure;

  constructor(failure: BodyFailure) {
    super(`the body of the request ended early: ${failure}`);
    this.failure = failure;
  }
}

interface Waiting {
  startedMs: number;
  byteCount: number;
  /** A streamed body that is not being read at the moment is not late. */
  isPaused: boolean;
  fail(failure: BodyFailure): void;
}

const checkMs = 250;

/** What large bodies take together, from their first bytes until they are answered. */
interface Held {
  bytes: number;
}

export function openBodyReader(limits: Limits): BodyReader {
  const waiting = new Set<Waiting>();
  const held: Held = { bytes: 0 };
  const timer = setInterval(() => failLate(waiting, limits), checkMs);
  timer.unref();
  return {
    readBody: (request, response) => readWhole({ request, response, limits, waiting, held }),
    streamBody: (request, response, limitBytes) => streamPieces({ request, response, limits, waiting, held }, limitBytes),
    discardRest: (request) => discardRest(request, waiting),
    close: () => clearInterval(timer),
  };
}

function failLate(waiting: ReadonlySet<Waiting>, limits: Limits): void {
  if (waiting.size === 0) return;
  const nowMs = performance.now();
  for (const each of waiting) {
    const allowedMs = limits.bodyTimeoutMs + (each.byteCount / bodyBytesPerSecond) * 1000;
    if (!each.isPaused && nowMs - each.startedMs > allowedMs) each.fail('too slow');
  }
}

interface Reading {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly limits: Limits;
  readonly waiting: Set<Waiting>;
  readonly held: Held;
}

/** Counts a body as it grows; false when the large ones together are too large. It counts until its answer is out, as the engine holds it until then. */
function startHolding({ response, limits, held }: Reading): (byteCount: number) => boolean {
  const maxBytes = Math.max(limits.maxBodiesBytes, limits.maxBodyBytes);
  let own = 0;
  return (byteCount) => {
    if (byteCount <= smallBodyBytes) return true;
    if (own === 0) response.once('close', () => (held.bytes -= own));
    held.bytes += byteCount - own;
    own = byteCount;
    return held.bytes <= maxBytes;
  };
}

function discardRest(request: IncomingMessage, waiting: Set<Waiting>): void {
  const watch = { startedMs: performance.now(), byteCount: 0, isPaused: false, fail: () => request.socket.destroy() };
  const forget = (): void => void waiting.delete(watch);
  waiting.add(watch);
  request.on('end', forget).on('close', forget).on('error', forget);
  request.resume();
}

/** The length that the client promised; undefined for a chunked body. Node has refused what is no number. */
function promisedBytes(request: IncomingMessage): number | undefined {
  const text = request.headers['content-length'];
  return text === undefined ? undefined : Number(text);
}

/** A client that asked whether to send its body is told to, once nothing speaks against it. */
function invite(request: IncomingMessage, response: ServerResponse): void {
  if (request.headers.expect !== undefined) response.writeContinue();
}

async function readWhole(reading: Reading): Promise<Buffer | BodyFailure> {
  const { request, response, limits, waiting } = reading;
  const promised = promisedBytes(request);
  if (promised !== undefined && promised > limits.maxBodyBytes) return 'too large';
  if (promised === undefined && request.headers['transfer-encoding'] === undefined) return Buffer.alloc(0);
  invite(request, response);
  const hold = startHolding(reading);
  return new Promise((resolve) => {
    let first: Buffer | undefined;
    let others: Buffer[] | undefined;
    const watch: Waiting = { startedMs: performance.now(), byteCount: 0, isPaused: false, fail: (failure) => settle(failure) };
    const settle = (result: Buffer | BodyFailure): void => {
      if (!waiting.delete(watch)) return;
      request.off('data', take).off('end', finish).off('close', leave).off('error', leave);
      // Errors may still come after the answer is settled; without a listener they would end the process.
      request.on('error', () => undefined);
      resolve(result);
    };
    const take = (piece: Buffer): void => {
      watch.byteCount += piece.length;
      if (watch.byteCount > limits.maxBodyBytes) settle('too large');
      else if (!hold(watch.byteCount)) settle('no room');
      else if (first === undefined) first = piece;
      else (others ??= [first]).push(piece);
    };
    const finish = (): void => settle(others === undefined ? (first ?? Buffer.alloc(0)) : Buffer.concat(others, watch.byteCount));
    const leave = (): void => settle('gone');
    waiting.add(watch);
    request.on('data', take).on('end', finish).on('close', leave).on('error', leave);
  });
}

async function* streamPieces(reading: Reading, limitBytes: (first: Buffer) => number): AsyncGenerator<Buffer> {
  const { request, response, limits, waiting } = reading;
  if ((promisedBytes(request) ?? 0) > limits.maxUploadBytes) throw new BodyError('too large');
  invite(request, response);
  let maxBytes: number | undefined;
  const watch: Waiting = {
    startedMs: performance.now(),
    byteCount: 0,
    isPaused: false,
    fail: (failure) => stopWaiting(failure),
  };
  const { promise: stopped, reject: stopRejected } = Promise.withResolvers<never>();
  // Nobody may be listening at the moment that it is late.
  stopped.catch(() => undefined);
  const stopWaiting = (failure: BodyFailure): void => stopRejected(new BodyError(failure));
  // A request closes after its last byte too.
  const leave = (): void => {
    if (!request.complete) stopWaiting('gone');
  };
  request.on('close', leave).on('error', leave);
  waiting.add(watch);
  const pieces = request.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  try {
    for (;;) {
      const next = await Promise.race([pieces.next(), stopped]);
      if (next.done === true) break;
      const piece = next.value;
      maxBytes ??= limitBytes(piece);
      watch.byteCount += piece.length;
      if (watch.byteCount > maxBytes) throw new BodyError('too large');
      watch.isPaused = true;
      yield piece;
      // Each piece has the whole time: a stream may be as long as it likes, but never silent.
      watch.startedMs = performance.now();
      watch.isPaused = false;
    }
  } catch (error) {
    throw error instanceof BodyError ? error : new BodyError('gone');
  } finally {
    waiting.delete(watch);
    request.off('close', leave);
  }
  if (!request.complete) throw new BodyError('gone');
}
