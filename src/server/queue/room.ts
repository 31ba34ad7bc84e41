/** Room in the queue, by requests and by bytes: who finds none waits in line up to a deadline, and the line itself is as short as the queue. */
import { SluiceError } from '../../errors.ts';

export interface Room {
  /** Resolves when there is room, in the order of the calls. @throws SLUICE_TARGET_BUSY, SLUICE_CLOSED */
  enter(bytes: number): Promise<void>;
  leave(requests: number, bytes: number): void;
  waiting(): number;
  /** Who waits is refused, and everybody after. */
  close(): void;
}

export interface RoomOptions {
  readonly capacity: number;
  readonly capacityBytes: number;
  readonly timeoutMs: number;
  readonly onRefusal: () => void;
}

interface Visitor {
  readonly bytes: number;
  readonly timer: NodeJS.Timeout;
  readonly resolve: () => void;
  readonly reject: (error: SluiceError) => void;
}

interface RoomState {
  readonly options: RoomOptions;
  requests: number;
  bytes: number;
  readonly line: Set<Visitor>;
  lineBytes: number;
  isClosed: boolean;
}

export function createRoom(options: RoomOptions): Room {
  const state: RoomState = { options, requests: 0, bytes: 0, line: new Set(), lineBytes: 0, isClosed: false };
  return {
    enter: (bytes) => enter(state, bytes),
    leave: (requests, bytes) => {
      state.requests -= requests;
      state.bytes -= bytes;
      letIn(state);
    },
    waiting: () => state.line.size,
    close: () => {
      state.isClosed = true;
      for (const visitor of state.line)
        turnAway(state, visitor, new SluiceError('SLUICE_CLOSED', 'the queue is closed: the request was not queued'));
    },
  };
}

function enter(state: RoomState, bytes: number): Promise<void> {
  if (state.isClosed) return Promise.reject(new SluiceError('SLUICE_CLOSED', 'the queue is closed: the request was not queued'));
  if (state.line.size === 0 && hasRoom(state, bytes)) {
    take(state, bytes);
    return Promise.resolve();
  }
  const { capacity, capacityBytes, timeoutMs, onRefusal } = state.options;
  // Those who wait hold their requests in memory too: as many again as the queue holds, then no more.
  if (state.line.size >= capacity || (state.line.size > 0 && state.lineBytes + bytes > capacityBytes)) {
    onRefusal();
    return Promise.reject(describeFull(state, 'and as many wait for room'));
  }
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      onRefusal();
      turnAway(state, visitor, describeFull(state, `and no room came in ${timeoutMs} ms`));
    }, timeoutMs);
    const visitor: Visitor = { bytes, timer, resolve, reject };
    state.line.add(visitor);
    state.lineBytes += bytes;
  });
}

/** An empty queue takes any request: one that is larger than the bound would else wait for ever. */
function hasRoom({ options, requests, bytes }: RoomState, wanted: number): boolean {
  return requests === 0 || (requests < options.capacity && bytes + wanted <= options.capacityBytes);
}

function take(state: RoomState, bytes: number): void {
  state.requests++;
  state.bytes += bytes;
}

function letIn(state: RoomState): void {
  for (const visitor of state.line) {
    if (!hasRoom(state, visitor.bytes)) return;
    step(state, visitor);
    take(state, visitor.bytes);
    visitor.resolve();
  }
}

function turnAway(state: RoomState, visitor: Visitor, error: SluiceError): void {
  step(state, visitor);
  visitor.reject(error);
  // The one behind may be small enough for the room that this one waited for.
  letIn(state);
}

function step(state: RoomState, visitor: Visitor): void {
  clearTimeout(visitor.timer);
  state.line.delete(visitor);
  state.lineBytes -= visitor.bytes;
}

function describeFull({ requests, bytes }: RoomState, why: string): SluiceError {
  return new SluiceError(
    'SLUICE_TARGET_BUSY',
    `the queue is full (${requests} requests, ${bytes} bytes), ${why}: the request was not queued`,
    {
      hint: 'Send it again later, or raise --queue-capacity.',
    },
  );
}
