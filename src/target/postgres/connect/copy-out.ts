/** COPY TO STDOUT as an async iteration: the socket rests while the consumer works, and ending early cancels the statement. */
import type { Exchange, ExchangeHandlers } from './exchange.ts';
import { writeQuery } from './frames.ts';
import type { RunOptions } from '../link.ts';
import type { Session } from './session.ts';
import { countRows } from './statement.ts';

/** The server sends one message a row; they are handed on in pieces of about this size. */
const pieceBytes = 64 * 1024;

/** Above this many bytes waiting for the consumer the socket is paused: four pieces, so that neither side waits for the other's every step. */
const maxWaitingBytes = 4 * pieceBytes;

/** Rows of the server gathered into pieces. The parser's memory is used again after each message, so every byte is copied once. */
class PieceQueue {
  waitingBytes = 0;
  readonly #pieces: Uint8Array[] = [];
  #open: Uint8Array = new Uint8Array(0);
  #openBytes = 0;

  /** True when a piece became ready. */
  add(chunk: Uint8Array): boolean {
    this.waitingBytes += chunk.length;
    const isFull = this.#openBytes + chunk.length > this.#open.length;
    if (isFull) {
      this.flush();
      this.#open = new Uint8Array(Math.max(pieceBytes, chunk.length));
    }
    this.#open.set(chunk, this.#openBytes);
    this.#openBytes += chunk.length;
    return isFull && this.#pieces.length > 0;
  }

  flush(): void {
    if (this.#openBytes === 0) return;
    this.#pieces.push(this.#open.subarray(0, this.#openBytes));
    this.#open = new Uint8Array(0);
    this.#openBytes = 0;
  }

  take(): Uint8Array | undefined {
    const piece = this.#pieces.shift();
    this.waitingBytes -= piece?.length ?? 0;
    return piece;
  }
}

export async function* copyOut(session: Session, sql: string, options: RunOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const { stream } = session.client.connection;
  const queue = new PieceQueue();
  let isEnded = false;
  let wake: () => void = () => undefined;
  const handlers: ExchangeHandlers<number> = {
    start: () => stream.write(writeQuery(sql)),
    mayHaveLanded: () => false,
    onCopyData: (chunk) => {
      if (isEnded) return;
      if (queue.add(chunk)) wake();
      if (queue.waitingBytes > maxWaitingBytes && !stream.isPaused()) {
        stream.pause();
        exchange.pause(true);
      }
    },
    stop: () => {
      isEnded = true;
      stream.resume();
      return false;
    },
    finish: countRows,
  };
  const exchange: Exchange<number> = session.run(handlers, options);
  // Whoever waits is woken by the end as well; that it failed is told below.
  const ended = exchange.settled.then(
    () => wake(),
    () => wake(),
  );
  try {
    for (;;) {
      const piece = queue.take();
      if (piece !== undefined) {
        yield piece;
        continue;
      }
      if (exchange.isSettled) break;
      if (stream.isPaused()) {
        stream.resume();
        exchange.pause(false);
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    await exchange.settled;
    queue.flush();
    for (let piece = queue.take(); piece !== undefined; piece = queue.take()) yield piece;
  } finally {
    // The last rows and the statement's end may have come together, just before the socket was told to rest: the next answer has to be heard.
    if (stream.isPaused()) stream.resume();
    if (!exchange.isSettled) {
      isEnded = true;
      exchange.fail(new Error('the reader stopped'));
      await ended;
    }
  }
}
