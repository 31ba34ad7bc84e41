/** Opens the engine: one writer thread, readers beside it, processes for requests with a deadline. It owns the database file until it is closed. */
import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../../errors.ts';
import { checkPlace } from '../../target/sqlite/connect.ts';
import { toTargetError } from '../../target/sqlite/errors.ts';
import { analyzeBody } from './analyze.ts';
import type { DataRequest, Engine, EngineFacts, EngineOptions, Reply } from './contract.ts';
import type { CopyOptions } from './file-copy.ts';
import { askReader, type QueryReply, toReply } from './engine-reply.ts';
import {
  type LinkFacts,
  type ReaderAsk,
  type ReaderTell,
  type ThreadStart,
  unpackFault,
  type WriterAsk,
  type WriterTell,
} from './engine-news.ts';
import { keepKnown } from './known-facts.ts';
import { startThread, type ThreadLink } from './thread-link.ts';
import { createTimedRunner, type TimedRunner } from './timed-run.ts';

/** How long another process's lock is waited for before a statement fails with `database is locked`. */
const lockTimeoutMs = 5_000;

/** How long threads may take to finish what they run and end. */
const defaultCloseTimeoutMs = 30_000;

/** A program sends its statements one behind the other; a person at a shell has a minute. */
const defaultTransactionTimeoutMs = 60_000;

/** How long idle readers take to end; only then does the writer close, so that the last connection can empty the log of the database. */
const readersFirstMs = 1_000;

type Reader = ThreadLink<ReaderAsk, ReaderTell>;
type Writer = ThreadLink<WriterAsk, WriterTell>;

/** Makes the file a database in WAL mode; the one place where a file that can't be opened is told as what it is. */
function prepareFile({ file, isReadOnly }: EngineOptions): void {
  checkPlace(file, isReadOnly);
  try {
    const db = new DatabaseSync(file, { readOnly: isReadOnly, timeout: lockTimeoutMs });
    try {
      if (!isReadOnly) db.exec('PRAGMA journal_mode = WAL');
      db.exec('SELECT count(*) FROM sqlite_schema');
    } finally {
      db.close();
    }
  } catch (error) {
    throw toTargetError(error, file);
  }
}

/** Memory that can be moved to a thread: a Buffer of Node's pool shares its own with others. */
function own(request: DataRequest): { readonly request: DataRequest; readonly moved: readonly ArrayBuffer[] } {
  const { body } = request;
  const bytes = body.buffer instanceof ArrayBuffer && body.byteLength === body.buffer.byteLength ? body : new Uint8Array(body);
  return { request: { ...request, body: bytes }, moved: [bytes.buffer as ArrayBuffer] };
}

/** The answer, or the error that a thread sent instead. */
function check<Tell extends { readonly kind: string }, Kind extends Tell['kind']>(
  tell: Tell,
  kind: Kind,
): Extract<Tell, { readonly kind: Kind }> {
  if (tell.kind === kind) return tell as Extract<Tell, { readonly kind: Kind }>;
  if (tell.kind === 'failed') throw unpackFault(tell as unknown as Parameters<typeof unpackFault>[0]);
  throw new SluiceError('SLUICE_INTERNAL', `A thread of the database answered ${tell.kind} where ${kind} was asked.`);
}

function readSize(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** Bytes that may hold a word which makes a `/db/request` more than a read; where there is none, a reader is asked first. */
const writeWords =
  /insert|update|delete|replace|create|drop|alter|pragma|begin|commit|end|rollback|savepoint|release|vacuum|reindex|analyze|attach|detach/i;

function mayOnlyRead(request: DataRequest): boolean {
  return (
    request.body.length < 65_536 &&
    !writeWords.test(Buffer.from(request.body.buffer, request.body.byteOffset, request.body.length).toString('latin1'))
  );
}

/** The parts of an open engine. */
interface Parts {
  readonly options: EngineOptions;
  readonly start: ThreadStart;
  readonly writer: Writer;
  readonly readers: BusyReader[];
  readonly timed: TimedRunner;
  /** Counts writes and strong reads, as rqlite's Raft index does. */
  raftIndex: number;
  /** The last write that has been asked for; a strong read waits for it. */
  lastWrite: Promise<unknown>;
}

/** A reader, and since when its last question waits for the beginning of an answer. */
interface BusyReader {
  readonly thread: Reader;
  readonly waiting: Set<number>;
}

/** A reader that has not begun to answer for this long is in a long statement; the next question gets a thread of its own, up to so many more. */
const patienceMs = 250;
const maxMoreReaders = 3;

function startReader(start: ThreadStart): BusyReader {
  return { thread: startThread<ReaderAsk, ReaderTell>('reader', start), waiting: new Set() };
}

function isStuck({ waiting }: BusyReader): boolean {
  const [oldest] = waiting;
  return oldest !== undefined && performance.now() - oldest > patienceMs;
}

/** The reader with the fewest questions that wait; a new one where all are in long statements. */
function chooseReader({ readers, options, start }: Parts): BusyReader {
  const free = readers.filter((reader) => !isStuck(reader));
  if (free.length === 0 && readers.length < Math.max(1, options.readers ?? 1) + maxMoreReaders) {
    const added = startReader(start);
    readers.push(added);
    return added;
  }
  const candidates = free.length === 0 ? readers : free;
  return candidates.reduce((best, reader) => (reader.waiting.size < best.waiting.size ? reader : best));
}

async function askAny(parts: Parts, question: ReaderAsk & { readonly kind: 'run' }, moved: readonly ArrayBuffer[]): Promise<QueryReply> {
  const reader = chooseReader(parts);
  let since = performance.now();
  while (reader.waiting.has(since)) since += 1e-6;
  reader.waiting.add(since);
  try {
    return await askReader(reader.thread, question, moved);
  } finally {
    reader.waiting.delete(since);
  }
}

function askWriter(parts: Parts, ask: WriterAsk, moved: readonly ArrayBuffer[] = []): Promise<WriterTell> {
  const answer = parts.writer.ask(ask, moved);
  parts.lastWrite = answer.catch(() => undefined);
  return answer;
}

async function write(parts: Parts, request: DataRequest): Promise<Reply> {
  const sent = own(request);
  const answer = await askWriter(parts, { kind: 'run', request: sent.request, raftIndex: ++parts.raftIndex }, sent.moved);
  return toReply(check(answer, 'whole'));
}

async function query(parts: Parts, request: DataRequest): Promise<Reply> {
  if (request.options.isStrong) await parts.lastWrite;
  const raftIndex = request.options.isStrong ? ++parts.raftIndex : parts.raftIndex;
  const sent = own(request);
  const reply = await askAny(parts, { kind: 'run', request: sent.request, raftIndex }, sent.moved);
  if (reply !== 'bounced') return reply;
  throw new SluiceError('SLUICE_INTERNAL', 'A query was sent on to the writer.');
}

/** A request of reads only goes to a reader, which sends it back when it finds more in it. */
async function readOrWrite(parts: Parts, request: DataRequest): Promise<Reply> {
  if (!mayOnlyRead(request)) return write(parts, request);
  const copy = { ...request, body: new Uint8Array(request.body) };
  const reply = await askAny(parts, { kind: 'run', request: copy, raftIndex: parts.raftIndex }, [copy.body.buffer]);
  return reply === 'bounced' ? write(parts, request) : reply;
}

/** The writer stands still meanwhile: what it would write has to wait for the other process's lock all the same. */
async function runTimed(parts: Parts, request: DataRequest, timeoutMs: number): Promise<Reply> {
  const { start, timed } = parts;
  if (request.route === 'query') {
    if (request.options.isStrong) await parts.lastWrite;
    return timed.run({ request, start, raftIndex: parts.raftIndex }, timeoutMs);
  }
  const held = askWriter(parts, { kind: 'hold' });
  let release = (): void => undefined;
  const done = new Promise<void>((resolve) => {
    release = resolve;
  });
  parts.lastWrite = done;
  try {
    check(await held, 'held');
    return await timed.run({ request, start, raftIndex: ++parts.raftIndex }, timeoutMs);
  } finally {
    parts.writer.say(0, { kind: 'release' });
    release();
  }
}

async function handle(parts: Parts, request: DataRequest): Promise<Reply> {
  const { dbTimeoutMs } = request.options;
  if (dbTimeoutMs !== undefined && dbTimeoutMs > 0) return runTimed(parts, request, dbTimeoutMs);
  if (request.route === 'query') return query(parts, request);
  return request.route === 'request' ? readOrWrite(parts, request) : write(parts, request);
}

async function askFacts(parts: Parts): Promise<{ readonly rw: LinkFacts; readonly ro: LinkFacts }> {
  const [writing, reading] = await Promise.all([parts.writer.ask({ kind: 'facts' }), chooseReader(parts).thread.ask({ kind: 'facts' })]);
  return { rw: check(writing, 'facts').facts, ro: check(reading, 'facts').facts };
}

function describeFacts(parts: Parts, { rw, ro }: Awaited<ReturnType<typeof askFacts>>): EngineFacts {
  const { file } = parts.options;
  return {
    sqliteVersion: rw.sqliteVersion,
    path: file,
    sizeBytes: readSize(file),
    walSizeBytes: readSize(`${file}-wal`),
    pragmas: { ro: ro.pragmas, rw: rw.pragmas },
    compileOptions: rw.compileOptions,
    appliedIndex: parts.raftIndex,
  };
}

async function copyTo(parts: Parts, path: string, copy: CopyOptions): Promise<void> {
  // A thread of its own: packing a large database takes long, and nobody shall wait behind it.
  const copier: Reader = startThread('reader', parts.start);
  try {
    check(await copier.ask({ kind: 'copy', path, ...copy }), 'done');
  } finally {
    await closeThread(copier, { kind: 'close' }, defaultCloseTimeoutMs);
  }
}

async function closeThread<Ask, Tell>(thread: ThreadLink<Ask, Tell>, ask: Ask, timeoutMs: number): Promise<boolean> {
  // One that has died has nothing to close, and says so to whoever asks.
  thread.ask(ask).catch(() => undefined);
  return thread.ended(timeoutMs);
}

async function closeParts({ options, timed, writer, readers }: Parts): Promise<void> {
  const timeoutMs = options.closeTimeoutMs ?? defaultCloseTimeoutMs;
  const reading = Promise.all(readers.map(({ thread }) => closeThread(thread, { kind: 'close' }, timeoutMs)));
  await Promise.race([reading, sleep(Math.min(readersFirstMs, timeoutMs), undefined, { ref: false })]);
  const writing = closeThread(writer, { kind: 'close' }, timeoutMs);
  const ended = [await writing, ...(await reading)];
  timed.close();
  if (ended.every(Boolean)) return;
  throw new SluiceError(
    'SLUICE_TARGET_TIMEOUT',
    `A statement of ${options.file} has not ended within ${String(timeoutMs)} ms, and can't be interrupted; what it has not committed is undone when the process ends.`,
    { hint: 'End the process with SIGKILL: process.exit() would wait for the statement. Send such statements with db_timeout.' },
  );
}

function startParts(options: EngineOptions): Parts {
  const start: ThreadStart = {
    file: options.file,
    isReadOnly: options.isReadOnly,
    checksForeignKeys: options.checksForeignKeys,
    lockTimeoutMs,
    guardsLedger: options.guardsLedger === true,
    transactionTimeoutMs: options.transactionTimeoutMs ?? defaultTransactionTimeoutMs,
  };
  return {
    options,
    start,
    writer: startThread<WriterAsk, WriterTell>('writer', start, (news) => {
      if (news.kind === 'notice') options.onNotice?.(news.message);
    }),
    readers: Array.from({ length: Math.max(1, options.readers ?? 1) }, () => startReader(start)),
    timed: createTimedRunner(),
    raftIndex: 1,
    lastWrite: Promise.resolve(),
  };
}

/** Opens the database at `file`; it is made when it is not there. Who opens it closes it. @throws SLUICE_TARGET_… what is wrong with the file */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  prepareFile(options);
  const parts = startParts(options);
  let closing: Promise<void> | undefined;
  const readKnown = keepKnown(() => askFacts(parts));
  await readKnown();
  return {
    handle: (request) => handle(parts, request),
    analyze: async (request) => analyzeBody(request),
    applyQueued: async (requests, isOneTransaction) => {
      if (requests.length > 0) parts.raftIndex++;
      return check(await askWriter(parts, { kind: 'apply', requests, isOneTransaction }), 'outcomes').outcomes;
    },
    readQueuePosition: async () => check(await parts.writer.ask({ kind: 'position' }), 'position').position,
    runScript: async (sql, data) => {
      const answer = await askWriter(parts, { kind: 'script', sql, options: data, raftIndex: ++parts.raftIndex });
      return toReply(check(answer, 'whole'));
    },
    replaceFile: async (path) => void check(await askWriter(parts, { kind: 'replace', path }), 'done'),
    copyTo: (path, copy) => copyTo(parts, path, copy),
    readFacts: async () => describeFacts(parts, await readKnown()),
    close: () => (closing ??= closeParts(parts)),
  };
}
