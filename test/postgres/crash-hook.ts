/** Preloaded into a process: counts what it sends to PostgreSQL by its text, and kills or interrupts it at a chosen message. Nothing of the process knows of it. */
import { appendFileSync, mkdirSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { threadId } from 'node:worker_threads';
import type { Moment } from '../faults/kill-hook.ts';

/** Environment: JSON of a {@link Moment}, SIGINT for a Ctrl-C in place of a kill, or the path of a file that the counts of each thread are appended to. */
const { SLUICE_TEST_KILL: killText, SLUICE_TEST_SIGNAL: signal, SLUICE_TEST_TRACE: traceFile } = process.env;

const moment = killText === undefined ? undefined : (JSON.parse(killText) as Moment);
const counts = new Map<string, number>();

/** Letters of the messages that carry a statement (Query, Parse with an empty name), and of those that belong to a COPY. */
const letters: Readonly<Record<string, { readonly name: string; readonly textAt?: number }>> = {
  Q: { name: 'query', textAt: 5 },
  P: { name: 'query', textAt: 6 },
  d: { name: 'copy data' },
  c: { name: 'copy done' },
};

/** What a message is: its statement without what differs from load to load. */
function nameMessage(bytes: Uint8Array): string | undefined {
  const kind = letters[String.fromCharCode(bytes[0] ?? 0)];
  if (kind === undefined || bytes.length < 5) return undefined;
  if (kind.textAt === undefined) return kind.name;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + kind.textAt, Math.min(200, bytes.length - kind.textAt)).toString('latin1');
  const short = text
    .replace(/\0.*$/su, '')
    .replaceAll(/\s+/gu, ' ')
    .replaceAll(/(sluice_(?:new|unique|stage|index)_)[\w-]+/gu, '$1')
    .replaceAll(/\d+/gu, '#');
  return `${kind.name} ${short.slice(0, 60)}`;
}

/** Of the threads of a process, which each count for themselves, the first presses Ctrl-C: a second one would end the load at once. */
const pressed = path.join(tmpdir(), `sluice-test-pressed-${String(process.pid)}`);

function strike(): void {
  if (signal !== 'SIGINT') die();
  else if (isFirst()) process.kill(process.pid, signal);
}

function isFirst(): boolean {
  try {
    mkdirSync(pressed);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  // The signal ends the process at its next chance; nothing may happen until then.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

const write = Reflect.get(Socket.prototype, 'write') as (...parameters: readonly unknown[]) => boolean;
Reflect.set(Socket.prototype, 'write', function (this: Socket, ...parameters: readonly unknown[]): boolean {
  const [bytes] = parameters;
  const call = bytes instanceof Uint8Array ? nameMessage(bytes) : undefined;
  if (call === undefined) return Reflect.apply(write, this, parameters);
  const at = (counts.get(call) ?? 0) + 1;
  counts.set(call, at);
  const isMoment = moment?.call === call && moment.at === at;
  if (isMoment && moment.when === 'before') strike();
  const result = Reflect.apply(write, this, parameters);
  // By the next turn the message is on its way.
  if (isMoment && moment.when === 'after') setImmediate(strike);
  return result;
});

process.on('exit', () => {
  if (threadId === 0) rmSync(pressed, { recursive: true, force: true });
  if (traceFile !== undefined) appendFileSync(traceFile, `${JSON.stringify({ thread: threadId, counts: [...counts] })}\n`);
});
