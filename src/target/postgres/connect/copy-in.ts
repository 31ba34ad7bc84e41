/** COPY FROM STDIN: pulls pieces as fast as the server takes them, and sends what ends the COPY whatever happens; after an error of the server nothing more is pulled. */
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { Exchange, ExchangeHandlers } from './exchange.ts';
import { copyDone, writeCopyFail, writeCopyHead, writeQuery } from './frames.ts';
import type { CopyPieces, RunOptions } from '../link.ts';
import type { Session } from './session.ts';
import { countRows } from './statement.ts';

/**
 * After so many bytes that the socket took at once the event loop gets its turn, else an error of the server would go unread until all is sent. A turn takes about
 * 5 µs, so at 300 MB/s this costs less than 1 %.
 */
const turnBytes = 256 * 1024;

/** The sending side of one COPY. */
class CopyFeed {
  /** CopyDone was sent: from here on the server may take the rows. */
  isComplete = false;
  #isBegun = false;
  #isStopped = false;
  readonly #stream: Socket;
  readonly #stopping = Promise.withResolvers<void>();

  constructor(stream: Socket) {
    this.#stream = stream;
  }

  /** Sends all pieces and what ends them, unless it is stopped. @throws what `pieces` throws */
  async send(pieces: CopyPieces, onProgress: () => void): Promise<void> {
    this.#isBegun = true;
    if (this.#isStopped) return this.#failCopy();
    let bytesSinceTurn = 0;
    for (const piece of pieces) {
      if (piece.length > 0) await Promise.race([this.#write(piece), this.#stopping.promise]);
      onProgress();
      bytesSinceTurn += piece.length;
      if (bytesSinceTurn >= turnBytes) {
        bytesSinceTurn = 0;
        await turn();
      }
      if (this.#isStopped) return;
    }
    // Making the last piece may have taken a while.
    if (this.#isStopped) return;
    this.isComplete = true;
    this.#stream.write(copyDone);
  }

  /** Header and piece leave as one packet. The piece is free again when the socket has taken it; a broken socket is told elsewhere. */
  #write(piece: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.#stream.cork();
      this.#stream.write(writeCopyHead(piece.length));
      this.#stream.write(piece, () => resolve());
      this.#stream.uncork();
    });
  }

  #failCopy(): void {
    this.#stream.write(writeCopyFail('the sender gave up'));
  }

  /** Nothing more is sent. True when CopyFail was, which ends the COPY on the server. */
  stop(why: 'server' | 'caller'): boolean {
    const isFirst = !this.#isStopped;
    this.#isStopped = true;
    this.#stopping.resolve();
    // Also after the server's own error, where it ignores this: psql ends its rows then too, so whatever stands between is used to it.
    const canFail = isFirst && this.#isBegun && !this.isComplete;
    if (canFail) this.#failCopy();
    return canFail && why === 'caller';
  }
}

/** Runs the COPY and answers how many rows the server took. */
export async function copyIn(
  session: Session,
  copy: { readonly sql: string; readonly pieces: CopyPieces },
  options: RunOptions,
): Promise<number> {
  const { stream } = session.client.connection;
  const isAutocommit = session.transaction === 'I';
  const feed = new CopyFeed(stream);
  let sent: Promise<void> | undefined;
  const handlers: ExchangeHandlers<number> = {
    start: () => stream.write(writeQuery(copy.sql)),
    mayHaveLanded: () => isAutocommit && feed.isComplete,
    onCopyIn: () => {
      sent = feed.send(copy.pieces, () => exchange.noteProgress()).catch((error: unknown) => exchange.fail(error));
    },
    stop: (why) => feed.stop(why),
    finish: countRows,
  };
  const exchange: Exchange<number> = session.run(handlers, options);
  try {
    return await exchange.settled;
  } finally {
    // The pieces are let go before the caller hears of the end: their memory may serve the next COPY.
    await sent;
  }
}
