import type { Clock, ObjectStore } from "@millrace/core";

/** For tests: each read begins so much later. Reads that are under way at once wait at once. */
export function withSlowReads(store: ObjectStore, clock: Clock, delayMs: number): ObjectStore {
  return {
    putIfAbsent: (key, parts) => store.putIfAbsent(key, parts),
    readRange: async (key, range) => {
      await new Promise<void>((resolve) => clock.after(delayMs, resolve));
      return store.readRange(key, range);
    },
    list: (listing) => store.list(listing),
    delete: (keys) => store.delete(keys),
    close: () => store.close(),
  };
}
