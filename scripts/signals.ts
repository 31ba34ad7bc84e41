/** Preloaded before the CLI by `npm start`: one Ctrl-C counts once, although npm passes a signal on that the terminal has sent to the whole group already. */
import process from 'node:process';

/** npm's copy follows within a few milliseconds; two key presses of a person are further apart than this. */
const echoMs = 100;

const lastSeen = new Map<string, number>();
const emit = process.emit.bind(process) as (event: string | symbol, ...values: unknown[]) => boolean;

/** Whether this is the echo of a signal that was delivered just before. */
function isEcho(event: string | symbol): boolean {
  if (event !== 'SIGINT' && event !== 'SIGTERM') return false;
  const now = performance.now();
  const before = lastSeen.get(event);
  if (before !== undefined && now - before < echoMs) return true;
  lastSeen.set(event, now);
  return false;
}

process.emit = ((event: string | symbol, ...values: unknown[]): boolean => !isEcho(event) && emit(event, ...values)) as typeof process.emit;
