/** Who works on a load: a name that another process can check. A shard is only taken from an owner that is dead, or silent for longer than its lease. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { threadId } from 'node:worker_threads';
import { isProcessRunning } from '../../process-life.ts';

/** An owner that is on another machine, or whose process can't be told from a later one, is given this long after its last commit. */
export const leaseMs = 60_000;

/** Fields of an owner's name; they can't hold the separator. */
const separator = '/';

/** When the process with this id started, in clock ticks since boot; empty where the system does not tell. Tells a process from a later one with the same id. */
function readStart(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    // The second field is the command in parentheses and may hold spaces; the start time is the 20th after it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A killed process keeps its number until its parent asks for it (in containers often late or never), and works no more.
    return fields[0] === 'Z' ? 'ended' : (fields[19] ?? '');
  } catch {
    return '';
  }
}

/** Sessions of this thread that have not ended: what an ended one left behind need not be waited for. */
const living = new Set<string>();

/** A name for one session, which lives until {@link endOwner}. */
export function nameOwner(): string {
  const session = `${String(threadId)}-${randomBytes(4).toString('hex')}`;
  const owner = [hostname().replaceAll(separator, '-'), String(process.pid), readStart(process.pid), session].join(separator);
  living.add(owner);
  return owner;
}

/** The session has ended, in whatever way. */
export function endOwner(owner: string): void {
  living.delete(owner);
}

/** Whether an owner may still be at work. `updatedAt` is when it last committed. */
export function isOwnerAlive(owner: string, updatedAt: string, nowMs: number): boolean {
  const isFresh = nowMs - Date.parse(updatedAt) < leaseMs;
  const [host, pidText = '', start, session = ''] = owner.split(separator);
  if (host !== hostname().replaceAll(separator, '-')) return isFresh;
  const pid = Number(pidText);
  if (!isProcessRunning(pid)) return false;
  const startNow = readStart(pid);
  if (start !== undefined && start !== '' && startNow !== '' && start !== startNow) return false;
  if (pid === process.pid && session.startsWith(`${String(threadId)}-`)) return living.has(owner);
  return isFresh;
}

/** A readable form for messages: `process 4711 on host`. */
export function describeOwner(owner: string): string {
  const [host = '', pid = ''] = owner.split(separator);
  return `process ${pid} on ${host}`;
}
