/** What holds the lanes of one process back: the rows that are left of a limit, the pace that was asked for, a pause. Shared by threads through atomics; no lane waits in a loop. */
import type { RateLimit } from '../options.ts';

/** What a lane asks before it reads on. */
export interface LaneFlow {
  isPaused(): boolean;
  /** Rows that may still be committed, an upper bound for lanes that do not have the turn; Infinity without a limit. */
  rowsLeft(): number;
  /** Rows were committed. */
  spend(rowCount: number): void;
  /** Books rows and bytes, and answers how many milliseconds to wait before they are taken; 0 without a rate. */
  pay(rowCount: number, byteCount: number): number;
  /** How many rows of so many bytes may be taken at a time; Infinity without a rate. */
  pieceRows(meanRowBytes: number): number;
  /** Whether so many rows and bytes are a batch at this pace; false without a rate. */
  isEnough(rowCount: number, byteCount: number): boolean;
}

/** What another thread needs to join in. */
export interface FlowShare {
  readonly buffer: SharedArrayBuffer;
  readonly isLimited: boolean;
  readonly rate: RateLimit | undefined;
}

/** The flow of a session, as its owner sees it. */
export interface Flow extends LaneFlow {
  readonly share: FlowShare;
  pause(isPaused: boolean): void;
  /** Milliseconds that lanes were told to wait for the rate, summed over lanes, since the flow was opened. */
  heldMs(): number;
}

/** 64-bit words: rows left, and the times (ns) until which rows and bytes are booked. Then 32-bit words. */
const long = { rowsLeft: 0, rows: 1, bytes: 2 } as const;
const word = { isPaused: 6, heldMs: 7 } as const;
const bufferBytes = 32;

/** A lane that was busy elsewhere may catch up this much of the time, so that commits do not lower the rate: a burst of half a second at most. */
const creditNs = 500_000_000n;
/** Rows are taken in pieces of this much time, and committed at the latest after so much. */
const pieceSeconds = 0.25;
const batchSeconds = 1;

/** Opens the flow of a session. `rowsLeft` is undefined without a limit. */
export function openFlow(options: { readonly rowsLeft?: number | undefined; readonly rate?: RateLimit | undefined }): Flow {
  const buffer = new SharedArrayBuffer(bufferBytes);
  const share = { buffer, isLimited: options.rowsLeft !== undefined, rate: options.rate };
  const longs = new BigInt64Array(buffer);
  const words = new Int32Array(buffer);
  // From now on: what was before the load is no time to catch up.
  for (const index of [long.rows, long.bytes]) Atomics.store(longs, index, process.hrtime.bigint());
  Atomics.store(longs, long.rowsLeft, BigInt(Math.max(0, options.rowsLeft ?? 0)));
  return {
    ...joinFlow(share),
    share,
    pause: (isPaused) => void Atomics.store(words, word.isPaused, isPaused ? 1 : 0),
    heldMs: () => Atomics.load(words, word.heldMs),
  };
}

/** Joins the flow that another thread opened. */
export function joinFlow({ buffer, isLimited, rate }: FlowShare): LaneFlow {
  const longs = new BigInt64Array(buffer);
  const words = new Int32Array(buffer);
  const { rowsPerSecond = Infinity, bytesPerSecond = Infinity } = rate ?? {};
  return {
    isPaused: () => Atomics.load(words, word.isPaused) === 1,
    rowsLeft: () => (isLimited ? Math.max(0, Number(Atomics.load(longs, long.rowsLeft))) : Infinity),
    spend: (rowCount) => {
      if (isLimited) Atomics.sub(longs, long.rowsLeft, BigInt(rowCount));
    },
    pay: (rowCount, byteCount) => {
      if (rate === undefined) return 0;
      const waitMs = Math.max(book(longs, long.rows, rowCount / rowsPerSecond), book(longs, long.bytes, byteCount / bytesPerSecond));
      Atomics.add(words, word.heldMs, Math.round(waitMs));
      return waitMs;
    },
    pieceRows: (meanRowBytes) => {
      const perSecond = Math.min(rowsPerSecond, bytesPerSecond / Math.max(1, meanRowBytes));
      return Math.max(1, Math.floor(perSecond * pieceSeconds));
    },
    isEnough: (rowCount, byteCount) => rowCount >= rowsPerSecond * batchSeconds || byteCount >= bytesPerSecond * batchSeconds,
  };
}

/** Books `seconds` of a rate for this lane behind what others have booked, and answers how long it is until then. The clock is the process's: threads have it in common. */
function book(longs: BigInt64Array, index: number, seconds: number): number {
  if (seconds === 0) return 0;
  const lengthNs = BigInt(Math.ceil(seconds * 1e9));
  for (;;) {
    const nowNs = process.hrtime.bigint();
    const booked = Atomics.load(longs, index);
    const from = booked > nowNs - creditNs ? booked : nowNs - creditNs;
    if (Atomics.compareExchange(longs, index, booked, from + lengthNs) === booked)
      return Math.max(0, Number(from + lengthNs - nowNs) / 1e6);
  }
}
