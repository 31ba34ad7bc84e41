/** The queue's log: requests that wait share one write and one fdatasync, and each is told only when its bytes are on the disk. */
import { SluiceError } from '../../errors.ts';
import { createSegment, removeSegments, setAside, writeAll, type OpenSegment, type Segment } from './folder.ts';
import { recordHeadBytes, segmentHeadBytes, writeRecordHead, type LogRecord } from './record.ts';

/** Bytes of one write, kept as a place to lay requests out in: beyond 2 MiB a sync takes longer than sharing it saves. */
const groupBytes = 2 * 1_048_576;

/** The largest sequence number: clients keep them as int64. */
const lastNumber = 2n ** 63n - 1n;

export interface LogOptions {
  readonly folder: string;
  readonly segmentBytes: number;
  /** How long a request waits for the disk, or while the log is held. */
  readonly waitTimeoutMs: number;
  /** Files of earlier processes, in order. */
  readonly segments: readonly Segment[];
  /** Those among them that have damaged records. */
  readonly damaged: ReadonlySet<string>;
  /** The number that the first request gets. */
  readonly next: bigint;
  /** Called in order of the sequence numbers, before `append` resolves. */
  readonly onDurable: (record: LogRecord) => void;
}

export interface QueueLog {
  append(body: Uint8Array, isStrict: boolean): Promise<bigint>;
  /** Removes the files that hold nothing above `sequence`; never the newest, whose name keeps numbers from being given out twice. */
  removeUpTo(sequence: bigint): Promise<void>;
  /** Waits for the write that is running, keeps later ones waiting until `release`. */
  hold(): Promise<void>;
  release(): void;
  /** While held or drained: removes every request, all having been applied, and makes that durable. */
  clear(): Promise<void>;
  /** While held: later numbers are above `sequence`. */
  raise(sequence: bigint): void;
  /** From now on every request is refused with this error. */
  fail(error: SluiceError): void;
  readonly lastSequence: () => bigint;
  readonly waiting: () => number;
  readonly syncs: () => number;
  /** Writes what waits, then takes no more; not while held. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

interface Waiting {
  readonly timer: NodeJS.Timeout;
  readonly body: Uint8Array;
  readonly isStrict: boolean;
  readonly resolve: (sequence: bigint) => void;
  readonly reject: (error: unknown) => void;
}

interface LogState {
  readonly options: LogOptions;
  readonly old: Segment[];
  waiting: Waiting[];
  active: OpenSegment | undefined;
  /** Used again by every write: one runs at a time. */
  scratch: Buffer | undefined;
  next: bigint;
  last: bigint;
  syncs: number;
  running: Promise<void> | undefined;
  isHeld: boolean;
  isClosed: boolean;
  /** Set when nothing may be written any more. */
  fault: SluiceError | undefined;
}

export function createLog(options: LogOptions): QueueLog {
  const state: LogState = {
    options,
    old: [...options.segments],
    waiting: [],
    active: undefined,
    scratch: undefined,
    next: options.next,
    last: 0n,
    syncs: 0,
    running: undefined,
    isHeld: false,
    isClosed: false,
    fault: undefined,
  };
  return {
    append: (body, isStrict) => append(state, body, isStrict),
    removeUpTo: (sequence) => removeUpTo(state, sequence),
    hold: () => hold(state),
    release: () => {
      state.isHeld = false;
      start(state);
    },
    clear: () => clear(state),
    raise: (sequence) => {
      if (sequence >= state.next) state.next = sequence + 1n;
    },
    fail: (error) => {
      state.fault = error;
    },
    lastSequence: () => state.last,
    waiting: () => state.waiting.length,
    syncs: () => state.syncs,
    drain: () => drain(state),
    close: async () => state.active?.handle.close(),
  };
}

function append(state: LogState, body: Uint8Array, isStrict: boolean): Promise<bigint> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      state.waiting = state.waiting.filter((one) => one !== waiting);
      reject(
        new SluiceError('SLUICE_TARGET_BUSY', 'the queue could not be written in time: the request was not queued', {
          hint: 'Send it again later.',
        }),
      );
    }, state.options.waitTimeoutMs);
    const waiting: Waiting = { timer, body, isStrict, resolve, reject };
    state.waiting.push(waiting);
    start(state);
  });
}

function start(state: LogState): void {
  if (state.running !== undefined || state.isHeld || state.waiting.length === 0) return;
  state.running = writeWaiting(state).finally(() => {
    state.running = undefined;
    start(state);
  });
}

async function writeWaiting(state: LogState): Promise<void> {
  // Requests of the same turn of the event loop go into the same sync.
  await Promise.resolve();
  while (state.waiting.length > 0 && !state.isHeld) {
    const group = takeGroup(state);
    try {
      const records = await writeGroup(state, group);
      for (const record of records) state.options.onDurable(record);
      for (const [index, record] of records.entries()) group[index]?.resolve(record.sequence);
    } catch (error) {
      for (const one of group) one.reject(error);
    }
  }
}

function takeGroup(state: LogState): Waiting[] {
  let bytes = 0;
  let count = 0;
  for (const one of state.waiting) {
    bytes += recordHeadBytes + one.body.byteLength;
    if (count > 0 && bytes > groupBytes) break;
    // From here on it may be on the disk, and only its own end tells.
    clearTimeout(one.timer);
    count++;
  }
  return state.waiting.splice(0, count);
}

async function writeGroup(state: LogState, group: readonly Waiting[]): Promise<readonly LogRecord[]> {
  if (state.isClosed) throw new SluiceError('SLUICE_CLOSED', 'the queue is closed');
  if (state.fault !== undefined) throw state.fault;
  if (state.next + BigInt(group.length) > lastNumber)
    throw new SluiceError('SLUICE_TARGET_FAILED', 'the queue has no sequence numbers left');
  const segment = await openActive(state).catch((error: unknown) => refuse(error));
  const records = group.map((one, index) => ({ sequence: state.next + BigInt(index), isStrict: one.isStrict, body: one.body }));
  const from = segment.size;
  try {
    for (const bytes of layOut(state, records, segment.salt)) {
      await writeAll(segment.handle, bytes, segment.size);
      segment.size += bytes.byteLength;
    }
    await segment.handle.datasync();
    state.syncs++;
  } catch (error) {
    await takeBack(state, segment, from);
    return refuse(error);
  }
  state.next += BigInt(group.length);
  state.last = state.next - 1n;
  return records;
}

/** Small requests in one piece, so that they are one system call; a large one is not copied. */
function layOut(state: LogState, records: readonly LogRecord[], salt: number): readonly Uint8Array[] {
  const pieces = records.flatMap((record) => [writeRecordHead(record, salt), record.body]);
  if (records.length === 1) return pieces;
  state.scratch ??= Buffer.allocUnsafeSlow(groupBytes);
  let at = 0;
  for (const piece of pieces) {
    state.scratch.set(piece, at);
    at += piece.byteLength;
  }
  return [state.scratch.subarray(0, at)];
}

async function openActive(state: LogState): Promise<OpenSegment> {
  const { active, options } = state;
  return active !== undefined && active.size < options.segmentBytes ? active : beginSegment(state);
}

async function beginSegment(state: LogState): Promise<OpenSegment> {
  const { active } = state;
  const fresh = await createSegment(state.options.folder, state.next);
  if (active !== undefined) {
    await active.handle.close();
    state.old.push(active);
  }
  state.active = fresh;
  return fresh;
}

/** A group that was not written whole must not come back after a restart: its requests are refused. */
async function takeBack(state: LogState, segment: OpenSegment, size: number): Promise<void> {
  segment.size = size;
  try {
    await segment.handle.truncate(size);
    await segment.handle.datasync();
  } catch (cause) {
    state.fault = new SluiceError(
      'SLUICE_TARGET_FAILED',
      'a write to the queue failed and could not be taken back: it takes no more requests',
      {
        cause,
        hint: 'Look after the disk, then start the server again. Requests that were refused just now may be applied then.',
      },
    );
  }
}

function refuse(cause: unknown): never {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
    throw new SluiceError('SLUICE_TARGET_FULL', 'the disk of the queue is full: the request was not queued', {
      cause,
      hint: 'Free some space, then send it again.',
    });
  }
  throw new SluiceError('SLUICE_TARGET_BUSY', 'the queue can not be written: the request was not queued', {
    cause,
    hint: 'Send it again; if it stays so, look after the disk.',
  });
}

async function removeUpTo(state: LogState, sequence: bigint): Promise<void> {
  const { old } = state;
  let count = 0;
  while (count < old.length) {
    const next = old[count + 1] ?? state.active;
    if (next === undefined || next.base > sequence + 1n) break;
    count++;
  }
  const gone = old.splice(0, count);
  const isDamaged = (segment: Segment): boolean => state.options.damaged.has(segment.path);
  for (const segment of gone.filter((one) => isDamaged(one))) await setAside(state.options.folder, segment);
  await removeSegments(
    state.options.folder,
    gone.filter((one) => !isDamaged(one)),
  );
}

async function hold(state: LogState): Promise<void> {
  state.isHeld = true;
  while (state.running !== undefined) await state.running;
}

async function clear(state: LogState): Promise<void> {
  const { active } = state;
  const isEmpty = active === undefined ? state.old.length === 0 : active.size === segmentHeadBytes;
  if (!isEmpty) await beginSegment(state).catch((error: unknown) => refuse(error));
  await removeUpTo(state, state.next - 1n);
}

async function drain(state: LogState): Promise<void> {
  while (state.running !== undefined) await state.running;
  state.isClosed = true;
}
