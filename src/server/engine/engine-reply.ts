/** Answers of threads as replies: whole ones as they are, long ones as an iterable that takes piece after piece. */
import { SluiceError } from '../../errors.ts';
import type { Reply } from './contract.ts';
import { type ByteAnswer, type Piece, type ReaderAsk, type ReaderTell, unpackFault } from './engine-news.ts';
import type { ThreadLink } from './thread-link.ts';

const jsonType = 'application/json; charset=utf-8';
const textType = 'text/plain; charset=utf-8';

/** A reply of bytes. */
export function toReply(answer: { readonly status: number; readonly isJson: boolean; readonly bytes: Uint8Array }): Reply {
  return { status: answer.status, contentType: answer.isJson ? jsonType : textType, body: answer.bytes };
}

/** How long a stream may stand still because nobody reads on; its snapshot keeps the log of the database from being emptied. */
const stallTimeoutMs = 60_000;

/** What a reader answers first. */
export type QueryReply = Reply | 'bounced';

/** Pieces of one answer, from the thread's messages to whoever iterates. */
interface PieceQueue {
  readonly pieces: Piece[];
  wake: (() => void) | undefined;
  fault: Error | undefined;
}

interface StreamPlace {
  readonly reader: ThreadLink<ReaderAsk, ReaderTell>;
  readonly id: number;
  readonly queue: PieceQueue;
}

/** Ends the reader's part of an answer that is not read to its end. */
function stop({ reader, id }: StreamPlace): void {
  reader.say(id, { kind: 'stop' });
  reader.forget(id);
}

async function waitForPiece(queue: PieceQueue): Promise<void> {
  if (queue.fault !== undefined) throw queue.fault;
  await new Promise<void>((resolve) => {
    queue.wake = resolve;
  });
}

async function* readPieces(place: StreamPlace, isTaken: () => void): AsyncGenerator<Uint8Array> {
  const { queue, reader, id } = place;
  isTaken();
  let isOver = false;
  let timer: NodeJS.Timeout | undefined;
  try {
    for (;;) {
      const piece = queue.pieces.shift();
      if (piece === undefined) {
        await waitForPiece(queue);
        continue;
      }
      isOver = piece.isLast;
      if (piece.fault !== undefined) throw new SluiceError('SLUICE_TARGET_FAILED', `An answer broke off: ${piece.fault}`);
      if (piece.bytes.length > 0) {
        timer = setTimeout(() => {
          queue.fault = new SluiceError('SLUICE_TARGET_TIMEOUT', 'Nobody read on, so the answer was ended.');
          queue.pieces.length = 0;
          if (!isOver) stop(place);
          isOver = true;
        }, stallTimeoutMs);
        yield piece.bytes;
        clearTimeout(timer);
      }
      if (isOver) return;
      reader.say(id, { kind: 'more' });
    }
  } finally {
    clearTimeout(timer);
    if (isOver) reader.forget(id);
    else stop(place);
  }
}

/** Sends a query to a reader. */
export function askReader(
  reader: ThreadLink<ReaderAsk, ReaderTell>,
  ask: ReaderAsk & { readonly kind: 'run' },
  moved: readonly ArrayBuffer[],
): Promise<QueryReply> {
  return new Promise((resolve, reject) => {
    const queue: PieceQueue = { pieces: [], wake: undefined, fault: undefined };
    let isBegun = false;
    const wake = (): void => {
      queue.wake?.();
      queue.wake = undefined;
    };
    const fail = (error: Error): void => {
      queue.fault = error;
      reject(error);
      wake();
    };
    function begin(piece: Piece): void {
      queue.pieces.push(piece);
      wake();
      if (isBegun) return;
      isBegun = true;
      const place = { reader, id, queue };
      // A reply that is never read must not keep its snapshot for ever.
      const unread = setTimeout(() => stop(place), stallTimeoutMs);
      unread.unref();
      resolve({ status: 200, contentType: jsonType, body: readPieces(place, () => clearTimeout(unread)) });
    }
    function finish(answer: Exclude<ReaderTell, Piece>): void {
      reader.forget(id);
      if (answer.kind === 'whole') resolve(toReply(answer));
      else if (answer.kind === 'bounced') resolve('bounced');
      else if (answer.kind === 'failed') reject(unpackFault(answer));
      else reject(new SluiceError('SLUICE_INTERNAL', 'A reader answered another question.'));
    }
    const id: number = reader.open(ask, { tell: (message) => (message.kind === 'piece' ? begin(message) : finish(message)), fail }, moved);
  });
}

/** A JSON or text answer made here. */
export function printReply(status: number, text: string): Reply {
  const bytes: ByteAnswer['bytes'] = new TextEncoder().encode(text);
  return toReply({ status, isJson: status === 200, bytes });
}
