/** One read at a time over a session that several runs of a lane share; whoever waits is let in in the order of coming. */

export interface ReadQueue {
  /** Waits for the reads before, and answers what ends this one. */
  enter(): Promise<() => void>;
}

/**
 * A lane reads its next shard while it commits the one before, so two reads may be open at once, and a session runs one statement. No read waits for a commit
 * that waits for a read: who commits has ended reading its batch.
 */
export function createReadQueue(): ReadQueue {
  let last: Promise<void> = Promise.resolve();
  return {
    enter: async () => {
      const before = last;
      let leave: () => void = () => undefined;
      last = new Promise<void>((resolve) => {
        leave = resolve;
      });
      await before;
      return leave;
    },
  };
}
