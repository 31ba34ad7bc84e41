/** Simulated time: nothing happens but by an event of this queue, in the order of its time, so that a seed replays exactly. */

export interface Scheduler {
  /** Simulated milliseconds. */
  now(): number;
  /** Calls `action` after `ms`; the answer takes it back. */
  schedule(ms: number, action: () => void): () => void;
  /** Calls `check` after every event, when all code that the event woke has come to rest; the answer ends that. */
  watch(check: () => void): () => void;
  /** Runs until the queue is empty or `isOver`. Returns the number of events. */
  run(isOver: () => boolean): Promise<number>;
}

interface Entry {
  readonly atMs: number;
  readonly action: () => void;
}

export function createScheduler(): Scheduler {
  const queue = new Set<Entry>();
  const checks = new Set<() => void>();
  let nowMs = 0;
  return {
    now: () => nowMs,
    schedule: (ms, action) => {
      const entry = { atMs: nowMs + ms, action };
      queue.add(entry);
      return () => queue.delete(entry);
    },
    watch: (check) => {
      checks.add(check);
      return () => checks.delete(check);
    },
    run: async (isOver) => {
      let count = 0;
      for (; queue.size > 0 && !isOver(); count += 1) {
        const entry = findEarliest(queue);
        queue.delete(entry);
        nowMs = entry.atMs;
        entry.action();
        await settleCode();
        const due = [...checks];
        for (const check of due) check();
        // What a check woke must rest too before time goes on.
        if (due.length > 0) await settleCode();
      }
      return count;
    },
  };
}

/** The earliest entry; among equals the one that was scheduled first, which is the order of the set. */
function findEarliest(queue: ReadonlySet<Entry>): Entry {
  let earliest: Entry | undefined;
  for (const entry of queue) if (earliest === undefined || entry.atMs < earliest.atMs) earliest = entry;
  if (earliest === undefined) throw new Error('The queue is empty.');
  return earliest;
}

/** All promise reactions run before the next immediate, however long their chains are. */
function settleCode(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
