/** Ends a transaction that a client has begun and not ended in time: while it is open nothing queued is applied, and what others write is not durable. */
import type { Link } from './link.ts';

/** Watches the write connection. */
export interface TransactionWatch {
  /** To be called between two requests. */
  look(): void;
}

/** `onEnd` hears of each transaction that was rolled back, with how long it had been open. */
export function watchTransaction(link: Link, timeoutMs: number, onEnd: (openMs: number) => void): TransactionWatch {
  let timer: NodeJS.Timeout | undefined;
  let sinceMs = 0;
  /** Of the transaction that is watched; another one may have begun in the same request that ended it. */
  let begins: number | undefined;

  function wait(waitMs: number): void {
    clearTimeout(timer);
    timer = setTimeout(look, waitMs);
  }
  function look(): void {
    if (!link.db.isOpen || !link.db.isTransaction) {
      clearTimeout(timer);
      begins = undefined;
      return;
    }
    if (begins !== link.beginCount()) {
      begins = link.beginCount();
      sinceMs = performance.now();
    }
    const openMs = performance.now() - sinceMs;
    if (openMs < timeoutMs) {
      wait(timeoutMs - openMs);
      return;
    }
    link.trust(() => link.db.exec('ROLLBACK'));
    onEnd(openMs);
    look();
  }
  return { look };
}
