/** Work for several lanes from one list: each takes the next item when it is free, in the order of the list. */

/** Ends after the first failure, and early without one when the signal is aborted; what is in hand is waited for. @throws the first failure */
export async function shareWork<Lane, Item>(
  lanes: readonly Lane[],
  { items, signal }: { readonly items: AsyncIterable<Item> | Iterable<Item>; readonly signal: AbortSignal },
  work: (lane: Lane, item: Item) => Promise<void>,
): Promise<void> {
  const next = shareIterator(items);
  const failures: unknown[] = [];
  await Promise.all(
    lanes.map(async (lane) => {
      try {
        for (let item = await next(); item.done !== true && failures.length === 0 && !signal.aborted; item = await next())
          await work(lane, item.value);
      } catch (error) {
        failures.push(error);
      }
    }),
  );
  if (failures.length > 0) throw failures[0];
}

/** One iterator for several askers, served one after another. */
function shareIterator<Item>(items: AsyncIterable<Item> | Iterable<Item>): () => Promise<IteratorResult<Item, unknown>> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  let last: Promise<unknown> = Promise.resolve();
  return () => {
    const asked = last.then(async () => iterator.next());
    last = asked.catch(() => undefined);
    return asked;
  };
}
