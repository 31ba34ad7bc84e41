/** Feeds the engine: groups of durable requests in the order of their numbers, first what an earlier process left, one group at a time. */
import type { Engine, QueuedOutcome } from '../engine/contract.ts';
import { applyGroup, type ApplyContext } from './apply.ts';
import type { QueueNotice } from './contract.ts';
import type { LogRecord } from './record.ts';
import { createSignal, type Signal } from './signal.ts';

export interface FeedOptions {
  readonly engine: Engine;
  readonly batchSize: number;
  readonly batchBytes: number;
  readonly timeoutMs: number;
  readonly isTransaction: boolean;
  /** Everything up to here is in the database. */
  readonly position: bigint;
  readonly backlog: Backlog;
  readonly onNotice: (notice: QueueNotice) => void;
  /** A group is committed. `ownRequests` and `ownBytes` are those that were pushed, not read from the backlog. */
  readonly onApplied: (applied: AppliedGroup) => Promise<void>;
}

/** What an earlier process left. */
export interface Backlog {
  readonly requests: number;
  /** Numbers up to here belong to it. */
  readonly floor: bigint;
  readonly read: (position: bigint) => AsyncGenerator<LogRecord>;
}

export interface AppliedGroup {
  readonly outcomes: readonly QueuedOutcome[];
  readonly position: bigint;
  readonly ownRequests: number;
  readonly ownBytes: number;
}

export interface FeedFacts {
  readonly depth: number;
  readonly depthBytes: number;
  readonly appliedSequence: bigint;
  readonly appliedRequests: number;
  readonly groups: number;
  readonly retries: number;
  readonly isReplaying: boolean;
  readonly lastError: string | undefined;
}

export interface Feed {
  /** Takes a durable request; numbers rise from call to call. */
  push(record: LogRecord): void;
  waitFor(sequence: bigint, timeoutMs: number): Promise<'applied' | 'timeout'>;
  /** Applies what is there without waiting for full groups; false when it is not done in time. */
  flush(timeoutMs: number): Promise<boolean>;
  facts(): FeedFacts;
  /** Ends after the group that runs, which is waited for up to the time-out; who still waits is told `timeout`. */
  stop(timeoutMs: number): Promise<void>;
}

interface Waiter {
  readonly sequence: bigint;
  readonly timer: NodeJS.Timeout;
  readonly resolve: (answer: 'applied' | 'timeout') => void;
}

interface Pending {
  readonly record: LogRecord;
  readonly dueMs: number;
}

interface FeedState {
  readonly options: FeedOptions;
  readonly signal: Signal;
  readonly waiters: Set<Waiter>;
  pending: Pending[];
  pendingBytes: number;
  /** The requests that are in the engine. */
  runningRequests: number;
  runningBytes: number;
  backlog: AsyncGenerator<LogRecord> | undefined;
  backlogRequests: number;
  lastPushed: bigint;
  applied: bigint;
  appliedRequests: number;
  groups: number;
  retries: number;
  lastError: string | undefined;
  flushes: number;
  isStopped: boolean;
  /** Nobody waits for the running group any more: its files may belong to another process by now. */
  isLeft: boolean;
}

interface Group {
  readonly records: readonly LogRecord[];
  readonly isOwn: boolean;
  readonly bytes: number;
}

export function startFeed(options: FeedOptions): Feed {
  const hasBacklog = options.backlog.requests > 0;
  const state: FeedState = {
    options,
    signal: createSignal(),
    waiters: new Set(),
    pending: [],
    pendingBytes: 0,
    runningRequests: 0,
    runningBytes: 0,
    backlog: hasBacklog ? options.backlog.read(options.position) : undefined,
    backlogRequests: options.backlog.requests,
    lastPushed: options.backlog.floor,
    applied: hasBacklog ? options.position : options.backlog.floor,
    appliedRequests: 0,
    groups: 0,
    retries: 0,
    lastError: undefined,
    flushes: 0,
    isStopped: false,
    isLeft: false,
  };
  const ended = run(state);
  return {
    push: (record) => push(state, record),
    waitFor: (sequence, timeoutMs) => waitFor(state, sequence, timeoutMs),
    flush: (timeoutMs) => flush(state, timeoutMs),
    facts: () => readFacts(state),
    stop: (timeoutMs) => stop(state, ended, timeoutMs),
  };
}

function push(state: FeedState, record: LogRecord): void {
  state.pending.push({ record, dueMs: performance.now() + state.options.timeoutMs });
  state.pendingBytes += record.body.byteLength;
  state.lastPushed = record.sequence;
  // Only the first of a group and the one that fills it change what the loop waits for.
  if (state.pending.length === 1 || isFull(state)) state.signal.notify();
}

async function run(state: FeedState): Promise<void> {
  while (!state.isStopped) {
    const group = await takeGroup(state).catch((error: unknown) => restartBacklog(state, error));
    if (group === undefined) continue;
    state.runningRequests = group.records.length;
    state.runningBytes = group.bytes;
    const outcomes = await applyGroup(describeContext(state), group.records);
    if (outcomes === undefined || state.isLeft) return;
    await settleGroup(state, group, outcomes);
  }
}

/** undefined: there is nothing to apply yet, look again. */
async function takeGroup(state: FeedState): Promise<Group | undefined> {
  if (state.backlog !== undefined) return takeBacklog(state, state.backlog);
  const [first] = state.pending;
  if (first !== undefined) {
    const leftMs = first.dueMs - performance.now();
    if (leftMs <= 0 || isFull(state) || state.flushes > 0) return takePending(state);
    await state.signal.wait(leftMs);
    return undefined;
  }
  await state.signal.wait();
  return undefined;
}

function isFull({ pending, pendingBytes, options }: FeedState): boolean {
  return pending.length >= options.batchSize || pendingBytes >= options.batchBytes;
}

function takePending(state: FeedState): Group {
  const { batchSize, batchBytes } = state.options;
  let count = 0;
  let bytes = 0;
  for (const { record } of state.pending) {
    if (count === batchSize || (count > 0 && bytes + record.body.byteLength > batchBytes)) break;
    bytes += record.body.byteLength;
    count++;
  }
  state.pendingBytes -= bytes;
  return { records: state.pending.splice(0, count).map((one) => one.record), isOwn: true, bytes };
}

async function takeBacklog(state: FeedState, backlog: AsyncGenerator<LogRecord>): Promise<Group | undefined> {
  const { batchSize, batchBytes } = state.options;
  const records: LogRecord[] = [];
  let bytes = 0;
  while (records.length < batchSize && bytes < batchBytes) {
    const { value, done } = await backlog.next();
    if (done === true) break;
    records.push(value);
    bytes += value.body.byteLength;
  }
  if (records.length > 0) return { records, isOwn: false, bytes };
  state.backlog = undefined;
  state.backlogRequests = 0;
  advance(state, state.options.backlog.floor);
  return undefined;
}

/** The files of an earlier process can't be read just now: they are read again from what has been applied, for nothing may overtake them. */
async function restartBacklog(state: FeedState, error: unknown): Promise<undefined> {
  const message = error instanceof Error ? error.message : String(error);
  state.lastError = message;
  state.options.onNotice({ kind: 'retry', message: `the queue's files can not be read, again in 1 s: ${message}` });
  state.backlog = state.options.backlog.read(state.applied);
  await state.signal.wait(1_000);
}

async function settleGroup(state: FeedState, group: Group, outcomes: readonly QueuedOutcome[]): Promise<void> {
  const position = group.records.at(-1)?.sequence ?? state.applied;
  state.groups++;
  state.appliedRequests += group.records.length;
  state.runningRequests = 0;
  state.runningBytes = 0;
  if (!group.isOwn) state.backlogRequests = Math.max(0, state.backlogRequests - group.records.length);
  const own = group.isOwn ? { ownRequests: group.records.length, ownBytes: group.bytes } : { ownRequests: 0, ownBytes: 0 };
  // Outcomes first, so that who was told `applied` finds them.
  await state.options.onApplied({ outcomes, position, ...own });
  advance(state, position);
}

function advance(state: FeedState, position: bigint): void {
  if (position > state.applied) state.applied = position;
  for (const waiter of state.waiters) {
    if (waiter.sequence <= state.applied) dismiss(state, waiter, 'applied');
  }
}

function waitFor(state: FeedState, sequence: bigint, timeoutMs: number): Promise<'applied' | 'timeout'> {
  if (sequence <= state.applied) return Promise.resolve('applied');
  if (state.isStopped) return Promise.resolve('timeout');
  return new Promise((resolve) => {
    const timer = setTimeout(() => dismiss(state, waiter, 'timeout'), Math.min(timeoutMs, 2 ** 31 - 1));
    const waiter: Waiter = { sequence, timer, resolve };
    state.waiters.add(waiter);
  });
}

function dismiss(state: FeedState, waiter: Waiter, answer: 'applied' | 'timeout'): void {
  clearTimeout(waiter.timer);
  state.waiters.delete(waiter);
  waiter.resolve(answer);
}

async function flush(state: FeedState, timeoutMs: number): Promise<boolean> {
  state.flushes++;
  state.signal.notify();
  const answer = await waitFor(state, state.lastPushed, timeoutMs);
  state.flushes--;
  return answer === 'applied';
}

async function stop(state: FeedState, ended: Promise<void>, timeoutMs: number): Promise<void> {
  state.isStopped = true;
  state.signal.notify();
  for (const waiter of state.waiters) dismiss(state, waiter, 'timeout');
  const deadline = new AbortController();
  await Promise.race([ended, pause(timeoutMs, deadline.signal)]);
  deadline.abort();
  state.isLeft = true;
}

function pause(timeoutMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, timeoutMs);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function describeContext(state: FeedState): ApplyContext {
  return {
    engine: state.options.engine,
    isTransaction: state.options.isTransaction,
    onNotice: state.options.onNotice,
    onState: (error) => {
      state.lastError = error;
      if (error !== undefined) state.retries++;
    },
    waitAgain: async (pauseMs) => {
      const until = performance.now() + pauseMs;
      while (!state.isStopped && performance.now() < until) await state.signal.wait(until - performance.now());
      return !state.isStopped;
    },
  };
}

function readFacts(state: FeedState): FeedFacts {
  return {
    depth: state.pending.length + state.runningRequests + state.backlogRequests,
    depthBytes: state.pendingBytes + state.runningBytes,
    appliedSequence: state.applied,
    appliedRequests: state.appliedRequests,
    groups: state.groups,
    retries: state.retries,
    isReplaying: state.backlog !== undefined,
    lastError: state.lastError,
  };
}
