/** Preloaded into a process: counts its calls to SQLite and to files by their text, and kills it at a chosen one. Nothing of the process knows of it. */
import fs, { appendFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { threadId } from 'node:worker_threads';

/** Environment: JSON of a {@link Moment}, or the path of a file that the counts of each thread are appended to. */
const { SLUICE_TEST_KILL: killText, SLUICE_TEST_TRACE: traceFile } = process.env;

/** The n-th call (from 1, counted in each thread) of one kind; the process dies before it is made or after it came back. */
export interface Moment {
  readonly call: string;
  readonly at: number;
  readonly when: 'before' | 'after';
}

const moment = killText === undefined ? undefined : (JSON.parse(killText) as Moment);
const counts = new Map<string, number>();

/** A call's kind: its text without what differs from load to load. */
function nameCall(name: string, text: string): string {
  return `${name} ${text
    .replaceAll(/\s+/gu, ' ')
    .replaceAll(/sluice_new_[\w-]+/gu, 'sluice_new')
    .replaceAll(/\d+/gu, '#')
    .slice(0, 60)}`;
}

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  // The signal ends the process at its next chance; nothing may happen until then.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

function watch<Result>(call: string, work: () => Result): Result {
  const at = (counts.get(call) ?? 0) + 1;
  counts.set(call, at);
  const isMoment = moment?.call === call && moment.at === at;
  if (isMoment && moment.when === 'before') die();
  const result = work();
  if (isMoment) die();
  return result;
}

/** Puts the watch around one method of an object or prototype. */
function hook<Host extends object>(
  host: Host,
  method: keyof Host & string,
  name: (self: Host, parameters: readonly unknown[]) => string,
): void {
  const original = Reflect.get(host, method) as (...parameters: readonly unknown[]) => unknown;
  Reflect.set(host, method, function (this: Host, ...parameters: readonly unknown[]): unknown {
    return watch(name(this, parameters), () => Reflect.apply(original, this, parameters));
  });
}

hook(DatabaseSync.prototype, 'exec', (_, [sql]) => nameCall('exec', String(sql)));
hook(StatementSync.prototype, 'run', (statement) => nameCall('run', statement.sourceSQL));
for (const method of ['readSync', 'writeSync', 'renameSync', 'fsyncSync'] as const) hook(fs, method, () => method);
syncBuiltinESMExports();

process.on('exit', () => {
  if (traceFile !== undefined) appendFileSync(traceFile, `${JSON.stringify({ thread: threadId, counts: [...counts] })}\n`);
});
