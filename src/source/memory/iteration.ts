/** One way to take items from whatever gives them: sync and async iterables, Node and web streams. Its errors become sluice's own. */
import { SluiceError } from '../../errors.ts';

/** How long a producer may take to end itself when the source is closed. */
const closeWaitMs = 1_000;

/** An iterator whose first item may have been looked at already. */
export class PulledIterator {
  private readonly name: string;
  private readonly source: object;
  private readonly iterator: AsyncIterator<unknown> | Iterator<unknown>;
  private peeked: IteratorResult<unknown> | undefined;
  private isDone = false;

  /** `source`: what was iterated, which is destroyed on closing if it can be. */
  constructor(name: string, source: Iterable<unknown> | AsyncIterable<unknown>) {
    this.name = name;
    this.source = source;
    this.iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  }

  /** The first item, which `next` gives once more. */
  async peek(): Promise<IteratorResult<unknown>> {
    this.peeked ??= await this.next();
    return this.peeked;
  }

  /** The next item, at once from a sync iterable: a promise for each row would cost a tenth of what its insert does. */
  next(): IteratorResult<unknown> | Promise<IteratorResult<unknown>> {
    const { peeked } = this;
    this.peeked = undefined;
    if (peeked !== undefined) return peeked;
    if (this.isDone) return { done: true, value: undefined };
    try {
      const result = this.iterator.next();
      return 'then' in result
        ? result.then(
            (settled) => this.note(settled),
            (error: unknown) => this.fail(error),
          )
        : this.note(result);
    } catch (error) {
      return this.fail(error);
    }
  }

  private note(result: IteratorResult<unknown>): IteratorResult<unknown> {
    this.isDone = result.done === true;
    return result;
  }

  /** @throws SLUICE_SOURCE_READ with what the producer threw as its cause. */
  private fail(error: unknown): never {
    this.isDone = true;
    if (error instanceof SluiceError) throw error;
    throw new SluiceError('SLUICE_SOURCE_READ', `${this.name} broke off while it was read`, {
      cause: error,
      hint: 'What was loaded so far is kept; resume with the same stream from its start.',
    });
  }

  /** Tells the producer that no more is wanted. */
  async close(): Promise<void> {
    if (this.isDone) return;
    this.isDone = true;
    if ('destroy' in this.source && typeof this.source.destroy === 'function') {
      this.source.destroy();
      return;
    }
    // A generator that waits for something of its own hears of it only afterwards: it is not waited for.
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, closeWaitMs);
    });
    await Promise.race([Promise.resolve(this.iterator.return?.()), late]).finally(() => clearTimeout(timer));
  }
}
