/** A reader: a thread that answers queries, each long answer on a connection of its own, made only as fast as it is taken. */
import { parentPort, workerData } from 'node:worker_threads';
import { SluiceError } from '../../errors.ts';
import { encodeText, type Numbered, packFault, type ReaderAsk, type ReaderTell, type ThreadStart } from './engine-news.ts';
import { copyDatabase } from './file-copy.ts';
import { UnprintableNumber } from './json-value.ts';
import { readLinkFacts } from './link-facts.ts';
import { type Link, openLink } from './link.ts';
import { startQuery } from './query-run.ts';
import { readMessage } from './statement-run.ts';

const port = parentPort;
if (port === null) throw new SluiceError('SLUICE_INTERNAL', 'reader-thread.ts was imported outside a worker thread.');
const channel = port;
const start = workerData as ThreadStart;

type Ask = Numbered<ReaderAsk>;

/** Answers that are on their way, each holding a connection and its snapshot; those beyond wait for one to end. */
const maxStreams = 64;
/** Pieces that may be on their way before the first is taken: 128 to 256 KiB each. */
const piecesAhead = 4;

/** Statements that a connection prepares in its life. */
const maxPrepared = 4000;

/** An answer that is being taken piece by piece. */
interface Stream {
  readonly link: Link;
  readonly pieces: Generator<string>;
  /** How many more pieces may be sent. */
  credit: number;
}

const streams = new Map<number, Stream>();
const idle: Link[] = [];
const delayed: Ask[] = [];

function tell(id: number, message: ReaderTell): void {
  const isMoved = message.kind === 'whole' || message.kind === 'piece';
  channel.postMessage({ id, ...message }, isMoved ? [message.bytes.buffer] : []);
}

function takeLink(): Link {
  return idle.pop() ?? openLink({ ...start, isReadOnly: true });
}

/**
 * Keeps a few connections with their prepared statements. One that has prepared many is closed, which frees them at once: V8 does not know what they hold, and
 * 300,000 queries with literals took 300 MB before it collected them. Opening one takes 0.3 ms.
 */
function giveBack(link: Link): void {
  if (idle.length < 4 && link.preparedCount() < maxPrepared) idle.push(link);
  else link.close();
}

function endStream(id: number, stream: Stream): void {
  streams.delete(id);
  stream.pieces.return(undefined);
  giveBack(stream.link);
  const next = delayed.shift();
  if (next !== undefined) void handle(next);
}

/** Sends pieces as far as they are wanted. */
function push(id: number, stream: Stream): void {
  try {
    while (stream.credit > 0) {
      const next = stream.pieces.next();
      const isLast = next.done === true;
      tell(id, { kind: 'piece', bytes: encodeText(isLast ? '' : next.value), isLast });
      stream.credit--;
      if (!isLast) continue;
      endStream(id, stream);
      return;
    }
  } catch (error) {
    tell(id, { kind: 'piece', bytes: encodeText(''), isLast: true, fault: readMessage(error) });
    endStream(id, stream);
  }
}

function tellText(id: number, status: number, text: string): void {
  tell(id, { kind: 'whole', status, isJson: status === 200, bytes: encodeText(text) });
}

/** Answers whole where the answer is short, else begins a stream; whether the connection is free again. */
function answer(ask: Ask & { readonly kind: 'run' }, link: Link): boolean {
  const begun = startQuery(link, ask.request, { raftIndex: ask.raftIndex });
  if ('isBounced' in begun) tell(ask.id, { kind: 'bounced' });
  else if ('text' in begun) tellText(ask.id, begun.status, begun.text);
  else {
    const first = begun.pieces.next();
    const second = first.done === true ? first : begun.pieces.next();
    if (second.done === true) tellText(ask.id, 200, first.done === true ? '' : first.value);
    else {
      const stream: Stream = { link, pieces: begun.pieces, credit: piecesAhead };
      streams.set(ask.id, stream);
      tell(ask.id, { kind: 'piece', bytes: encodeText(`${String(first.value)}${second.value}`), isLast: false });
      push(ask.id, stream);
      return false;
    }
  }
  return true;
}

function run(ask: Ask & { readonly kind: 'run' }): void {
  if (streams.size >= maxStreams) {
    delayed.push(ask);
    return;
  }
  const link = takeLink();
  let isFree = true;
  try {
    isFree = answer(ask, link);
  } catch (error) {
    if (error instanceof UnprintableNumber) tellText(ask.id, 500, `${error.message}\n`);
    else tell(ask.id, packFault(error, start.file));
  }
  if (isFree) giveBack(link);
}

async function copy(ask: Ask & { readonly kind: 'copy' }): Promise<void> {
  const link = takeLink();
  try {
    await copyDatabase(link, ask.path, ask);
    tell(ask.id, { kind: 'done' });
  } finally {
    link.close();
  }
}

function close(id: number): void {
  for (const [streamId, stream] of streams) {
    tell(streamId, { kind: 'piece', bytes: encodeText(''), isLast: true, fault: 'the server is closing' });
    streams.delete(streamId);
    stream.pieces.return(undefined);
    stream.link.close();
  }
  for (const link of idle.splice(0)) link.close();
  tell(id, { kind: 'done' });
  channel.close();
}

async function handle(ask: Ask): Promise<void> {
  const stream = streams.get(ask.id);
  if (ask.kind === 'run') run(ask);
  else if (ask.kind === 'copy') await copy(ask);
  else if (ask.kind === 'close') close(ask.id);
  else if (ask.kind === 'facts') {
    const link = takeLink();
    tell(ask.id, { kind: 'facts', facts: readLinkFacts(link) });
    giveBack(link);
  } else if (stream !== undefined && ask.kind === 'stop') endStream(ask.id, stream);
  else if (stream !== undefined) {
    stream.credit++;
    push(ask.id, stream);
  }
}

channel.on('message', (ask: Ask) => {
  handle(ask).catch((error: unknown) => tell(ask.id, packFault(error, start.file)));
});
