/** The writer: a thread with the one connection that writes. It takes what waits, runs it together, and answers when it is durable. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { SluiceError } from '../../errors.ts';
import { createIndenter } from './answer-format.ts';
import { encodeText, type Numbered, packFault, type ThreadStart, type WriterAsk, type WriterTell } from './engine-news.ts';
import { replaceDatabase } from './file-copy.ts';
import { rememberFile } from './file-identity.ts';
import { readLinkFacts } from './link-facts.ts';
import { type Link, openLink } from './link.ts';
import { applyRequests } from './queue-apply.ts';
import { readPosition } from './queue-position.ts';
import { runScriptText } from './script-run.ts';
import { watchTransaction } from './transaction-watch.ts';
import { runRequests } from './write-group.ts';
import { isRun, printAnswer, startRun, type TextAnswer } from './write-run.ts';

const port = parentPort;
if (port === null) throw new SluiceError('SLUICE_INTERNAL', 'writer-thread.ts was imported outside a worker thread.');
const channel = port;
const start = workerData as ThreadStart;

/** Requests that share a commit: enough for the fsync to be small beside them, few enough that the first does not wait long for the last. */
const maxTogether = 512;
const maxTogetherBytes = 8 * 1024 * 1024;

type Ask = Numbered<WriterAsk>;
type RunAsk = Ask & { readonly kind: 'run' };

const link: Link = openLink(start);
/** Asked when something was committed, before it is answered: an acknowledged write must be in the file that people see. */
const checkFile = rememberFile(start.file);
const waiting: Ask[] = [];
let isWorking = false;
let release: (() => void) | undefined;

function tell(id: number, message: WriterTell): void {
  channel.postMessage([{ id, ...message }], message.kind === 'whole' ? [message.bytes.buffer] : []);
}

function toBytes(answer: TextAnswer, isPretty: boolean): WriterTell & { readonly kind: 'whole' } {
  const text = isPretty && answer.isJson ? createIndenter()(answer.text) : answer.text;
  return { kind: 'whole', status: answer.status, isJson: answer.isJson, bytes: encodeText(text) };
}

const watch = watchTransaction(link, start.transactionTimeoutMs, (openMs) => {
  const seconds = Math.round(openMs / 1000);
  tell(0, { kind: 'notice', message: `a transaction that a client had left open for ${String(seconds)} s was rolled back` });
});

/** Everything that has arrived, without giving the event loop a turn. */
function takeWaiting(): void {
  for (let next = receiveMessageOnPort(channel); next !== undefined; next = receiveMessageOnPort(channel))
    waiting.push(next.message as Ask);
}

function takeTogether(first: RunAsk): readonly RunAsk[] {
  const asks = [first];
  let bytes = first.request.body.length;
  for (;;) {
    const next = waiting[0];
    if (next?.kind !== 'run' || asks.length >= maxTogether || bytes + next.request.body.length > maxTogetherBytes) return asks;
    waiting.shift();
    asks.push(next);
    bytes += next.request.body.length;
  }
}

/** Runs requests until their answers get large; the others wait again. */
function runTogether(asks: readonly RunAsk[]): void {
  const all = asks.map(({ request }) => startRun(request));
  const runs = all.filter(isRun);
  const firstLeft = runs[runRequests(link, runs, start.isReadOnly)];
  checkFile();
  const end = firstLeft === undefined ? all.length : all.indexOf(firstLeft);
  waiting.unshift(...asks.slice(end));
  const answers = all.slice(0, end).map((each, index) => {
    const ask = asks[index];
    if (ask === undefined) throw new RangeError('An answer has no request.');
    const answer = isRun(each) ? printAnswer(each, ask.raftIndex) : each;
    return { id: ask.id, ...toBytes(answer, ask.request.options.isPretty) };
  });
  channel.postMessage(
    answers,
    answers.map(({ bytes }) => bytes.buffer),
  );
}

/** Waits until what has taken the writer's place is done. */
async function hold(id: number): Promise<void> {
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  tell(id, { kind: 'held', isInTransaction: link.db.isTransaction });
  await released;
  release = undefined;
}

async function handle(ask: Exclude<Ask, RunAsk>): Promise<void> {
  const { id } = ask;
  if (ask.kind === 'script') {
    const answer = runScriptText(link, ask.sql, ask);
    checkFile();
    tell(id, toBytes(answer, ask.options.isPretty));
  } else if (ask.kind === 'apply') {
    const outcomes = applyRequests(link, ask.requests, ask.isOneTransaction);
    checkFile();
    tell(id, { kind: 'outcomes', outcomes });
  } else if (ask.kind === 'position') tell(id, { kind: 'position', position: readPosition(link) });
  else if (ask.kind === 'facts') tell(id, { kind: 'facts', facts: readLinkFacts(link) });
  else if (ask.kind === 'hold') await hold(id);
  else if (ask.kind === 'release') release?.();
  else if (ask.kind === 'replace') {
    await replaceDatabase(link, start.file, ask.path);
    tell(id, { kind: 'done' });
  } else {
    link.close();
    watch.look();
    tell(id, { kind: 'done' });
    channel.close();
  }
}

function fail(asks: readonly Ask[], error: unknown, wasOpen: boolean): void {
  // Nothing of a request may stay open: the next one would join it without knowing. What a client had begun before is not this request's to end.
  if (!wasOpen && link.db.isOpen && link.db.isTransaction) link.trust(() => link.db.exec('ROLLBACK'));
  for (const { id } of asks) tell(id, packFault(error, start.file));
}

async function work(): Promise<void> {
  for (;;) {
    watch.look();
    takeWaiting();
    const first = waiting.shift();
    if (first === undefined) return;
    const asks = first.kind === 'run' ? takeTogether(first) : [first];
    const wasOpen = link.db.isTransaction;
    try {
      if (first.kind === 'run') runTogether(asks as readonly RunAsk[]);
      else await handle(first);
    } catch (error) {
      fail(asks, error, wasOpen);
    }
  }
}

channel.on('message', (ask: Ask) => {
  if (ask.kind === 'release') {
    release?.();
    return;
  }
  waiting.push(ask);
  if (isWorking) return;
  isWorking = true;
  void work().finally(() => {
    isWorking = false;
  });
});

/** A database in WAL mode: readers never wait for the writer. One fsync per commit, before it is answered. */
function prepareFile(): void {
  if (start.isReadOnly) return;
  link.trust(() => link.db.exec('PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 4000'));
}

prepareFile();
tell(0, { kind: 'done' });
