import type { FaultyObjectStore } from "@millrace/adapter-memory";
import { ObjectError, type ObjectStore } from "@millrace/core";
import { objectKind } from "./fault-table.ts";
import { never, type Watchers } from "./ports.ts";

/**
 * The object store as one life of the broker sees it: traced, counted, and of no use after the
 * life's end. What is under way then goes on in the store.
 */
export function watchedObjects(store: FaultyObjectStore, watchers: Watchers): ObjectStore {
  const { life, named, steps, trace, world } = watchers;
  const call = async <Result>(
    operation: string,
    { keys, parts }: { readonly keys: readonly string[]; readonly parts?: readonly Uint8Array[] },
    run: () => Promise<Result>,
  ): Promise<Result> => {
    const kinds = [...new Set(keys.map(objectKind))].sort();
    life.check(`object ${operation} ${kinds.join(" ")}`);
    const reached = named.ofObjects(operation, keys, parts);
    steps.reached("before", reached);
    if (life.isPaused) await life.goesOn();
    if (life.isFrozen) return never();
    world.count();
    trace.add(`object ${operation} ${keys.join(" ")}`);
    const calls = kinds.map((kind) => `${operation} ${kind}`);
    const ends = calls.map((step) => steps.begin(step));
    try {
      const result = await life.fence(run());
      if (steps.reached("after", reached)) return await never();
      if (life.isPaused) await life.goesOn();
      return result;
    } catch (error) {
      if (error instanceof ObjectError) {
        // The store itself counts its faults, also those that nobody lives to hear of.
        trace.add(`object ${error.message} ${calls.join(", ")}`);
      }
      throw error;
    } finally {
      for (const end of ends) end();
    }
  };
  return {
    putIfAbsent: (key, parts) =>
      call("put", { keys: [key], parts }, () => store.putIfAbsent(key, parts)),
    readRange: (key, range) => call("read", { keys: [key] }, () => store.readRange(key, range)),
    list: (listing) => call("list", { keys: [listing.prefix] }, () => store.list(listing)),
    delete: (keys) => call("delete", { keys }, () => store.delete(keys)),
    close: () => Promise.resolve(),
  };
}
