/** A stream that is given up when nobody reads on: what it holds (a snapshot, a file) is let go, also when its reading never begins. */
import { SluiceError } from '../../errors.ts';

interface PacedState {
  readonly pieces: AsyncGenerator<Uint8Array>;
  readonly stallTimeoutMs: number;
  first: IteratorResult<Uint8Array, unknown> | undefined;
  timer: NodeJS.Timeout | undefined;
  isGivenUp: boolean;
}

/**
 * Makes the first piece, so that what can't begin is an error before the answer's head is sent, and waits for a reader.
 * @throws what the making of the first piece throws; SLUICE_TARGET_TIMEOUT to a reader who comes back too late
 */
export async function pace(pieces: AsyncGenerator<Uint8Array>, stallTimeoutMs: number): Promise<AsyncIterable<Uint8Array>> {
  const state: PacedState = { pieces, stallTimeoutMs, first: await pieces.next(), timer: undefined, isGivenUp: false };
  watch(state);
  const iterator: AsyncIterator<Uint8Array, undefined> = { next: () => readNext(state), return: () => end(state) };
  return { [Symbol.asyncIterator]: () => iterator };
}

function watch(state: PacedState): void {
  state.timer = setTimeout(() => {
    state.isGivenUp = true;
    // The generator has begun, so that its end lets go of what it holds; a fault in that has nobody left to hear it but the next reader.
    state.pieces.return(undefined).catch(() => undefined);
  }, state.stallTimeoutMs);
}

async function readNext(state: PacedState): Promise<IteratorResult<Uint8Array, undefined>> {
  clearTimeout(state.timer);
  if (state.isGivenUp)
    throw new SluiceError('SLUICE_TARGET_TIMEOUT', `nobody read on for ${state.stallTimeoutMs} ms: the backup was given up`);
  const result = state.first ?? (await state.pieces.next());
  state.first = undefined;
  if (result.done === true) return { done: true, value: undefined };
  watch(state);
  return result;
}

async function end(state: PacedState): Promise<IteratorResult<Uint8Array, undefined>> {
  clearTimeout(state.timer);
  await state.pieces.return(undefined);
  return { done: true, value: undefined };
}
