/**
 * Works on every item, in order, on at most `lanesMax` of them at a time. Resolves or rejects when
 * nothing is under way any more; a lane ends at its first failure, which is then thrown.
 */
export async function inLanes<Item>(
  items: readonly Item[],
  lanesMax: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  const lanes = Array.from({ length: Math.min(lanesMax, items.length) }, lane);
  for (const outcome of await Promise.allSettled(lanes)) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
}
