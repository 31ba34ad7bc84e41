/** Requests with `db_timeout`: each runs in a process that is killed at its deadline; what had been committed stands, what had not is undone. */
import { type ChildProcess, fork } from 'node:child_process';
import { printError } from './answer-format.ts';
import { readBody } from './body.ts';
import type { DataRequest, Reply } from './contract.ts';
import { printReply } from './engine-reply.ts';
import type { ThreadStart } from './engine-news.ts';
import { createIndenter, printEnd } from './answer-format.ts';

export interface TimedAsk {
  readonly request: DataRequest;
  readonly start: ThreadStart;
  readonly raftIndex: number;
}

export type TimedTell =
  | { readonly kind: 'ready' }
  /** The clock starts now: loading code is not the statement's time. */
  | { readonly kind: 'begun' }
  | { readonly kind: 'entry'; readonly text: string }
  | { readonly kind: 'whole'; readonly status: number; readonly isJson: boolean; readonly text: string }
  | { readonly kind: 'failed'; readonly message: string };

/** How long a process may take to be there. */
const startTimeoutMs = 30_000;

/** Processes that wait for the next request; more are ended after theirs. */
const maxIdle = 1;

interface ReadyProcess {
  readonly child: ChildProcess;
}

/** Runs requests against a deadline. */
export interface TimedRunner {
  run(ask: TimedAsk, timeoutMs: number): Promise<Reply>;
  close(): void;
}

function startProcess(): Promise<ReadyProcess> {
  const file = new URL(import.meta.url.endsWith('.ts') ? './timed-process.ts' : './timed-process.js', import.meta.url);
  const child = fork(file, [], { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: [] });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), startTimeoutMs);
    child.once('message', () => {
      clearTimeout(timer);
      resolve({ child });
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error('The process for a request with a deadline could not be started.')));
  });
}

/** Which error a statement gets that was not finished in time. */
function nameTimeout(request: DataRequest, sql: string): string {
  const isRead = request.route === 'query' || (request.route === 'request' && /^\s*(?:select|with|values|explain|pragma)\b/i.test(sql));
  return isRead ? 'query timeout' : 'execute timeout';
}

/** The answer of a request that was killed: the entries that came in time, and time-outs for the others. */
function printTimeout({ request, raftIndex }: TimedAsk, entries: readonly string[], startMs: number): Reply {
  const { options } = request;
  const body = readBody(request.body, { isPlainText: request.isPlainText, keepsBlobText: options.isStrict });
  const statements = body.error === undefined ? body.statements.filter(({ sql }) => sql !== '') : [];
  const isStopped = options.isTransaction && request.route !== 'query';
  const late = statements
    .slice(entries.length)
    .map(({ sql }) => printError(nameTimeout(request, sql), options.isAssociative && request.route === 'query'));
  const undone = isStopped && options.isStrict ? entries.map(() => '{"rolled_back":true}') : entries;
  const rest =
    isStopped && options.isStrict
      ? late.map((text, index) => (index === 0 ? text : '{"not_attempted":true}'))
      : isStopped
        ? late.slice(0, 1)
        : late;
  const end = printEnd({ startMs, raftIndex: options.addsRaftIndex ? raftIndex : undefined }, options);
  const text = `{"results":[${[...undone, ...rest].join(',')}${end}`;
  return printReply(200, options.isPretty ? createIndenter()(text) : text);
}

function runOn({ child }: ReadyProcess, ask: TimedAsk, timeoutMs: number): Promise<{ readonly reply: Reply; readonly isAlive: boolean }> {
  const entries: string[] = [];
  const startMs = performance.now();
  return new Promise((resolve) => {
    let timer = setTimeout(() => child.kill('SIGKILL'), startTimeoutMs + timeoutMs);
    const finish = (reply: Reply, isAlive: boolean): void => {
      clearTimeout(timer);
      child.removeAllListeners();
      resolve({ reply, isAlive });
    };
    child.on('message', (message: TimedTell) => {
      if (message.kind === 'begun') {
        clearTimeout(timer);
        timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
      } else if (message.kind === 'entry') entries.push(message.text);
      else if (message.kind === 'whole') finish(printReply(message.status, message.text), true);
      else if (message.kind === 'failed') finish(printReply(200, `{"results":[],"error":${JSON.stringify(message.message)}}`), true);
    });
    // Only when it is really gone are its locks, and what it had not committed.
    child.once('exit', () => finish(printTimeout(ask, entries, startMs), false));
    child.send(ask);
  });
}

/** Keeps processes for such requests; the first is started when it is needed. */
export function createTimedRunner(): TimedRunner {
  const idle: ReadyProcess[] = [];
  const busy = new Set<ChildProcess>();
  function rest(ready: ReadyProcess): void {
    ready.child.once('exit', () => {
      const place = idle.indexOf(ready);
      if (place >= 0) idle.splice(place, 1);
    });
    idle.push(ready);
  }
  return {
    run: async (ask, timeoutMs) => {
      const ready = idle.pop() ?? (await startProcess());
      ready.child.removeAllListeners();
      busy.add(ready.child);
      const { reply, isAlive } = await runOn(ready, ask, timeoutMs);
      busy.delete(ready.child);
      if (isAlive && idle.length < maxIdle) rest(ready);
      else ready.child.kill('SIGKILL');
      return reply;
    },
    close: () => {
      for (const { child } of idle.splice(0)) child.kill('SIGKILL');
      for (const child of busy) child.kill('SIGKILL');
    },
  };
}
