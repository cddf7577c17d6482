import type { Clock, MetadataStore, ObjectStore, Random } from "@millrace/core";
import type { Life } from "../../simulation/life.ts";
import { drawMs, type Latency } from "./latency.ts";

/** From one life of a broker to a store, and back. */
export interface Way {
  readonly life: Life;
  /** The world's: a request is under way though its sender is paused, or dead. */
  readonly clock: Clock;
  readonly random: Random;
  readonly latency: Latency;
}

export function slowMetadata(store: MetadataStore, way: Way): MetadataStore {
  return {
    get: (key, consistency) => travel(way, () => store.get(key, consistency)),
    range: (range) => travel(way, () => store.range(range)),
    transact: (writes) => travel(way, () => store.transact(writes)),
    close: () => Promise.resolve(),
  };
}

export function slowObjects(store: ObjectStore, way: Way): ObjectStore {
  return {
    putIfAbsent: (key, parts) => travel(way, () => store.putIfAbsent(key, parts)),
    readRange: (key, range) => travel(way, () => store.readRange(key, range)),
    list: (listing) => travel(way, () => store.list(listing)),
    delete: (keys) => travel(way, () => store.delete(keys)),
    close: () => Promise.resolve(),
  };
}

/** Half of the time before the effect, half after it. */
async function travel<Result>(way: Way, call: () => Promise<Result>): Promise<Result> {
  const { clock, latency, life, random } = way;
  if (life.isOver) return new Promise(() => undefined);
  const halfMs = drawMs(latency, random) / 2;
  const pass = (): Promise<void> => new Promise((resolve) => void clock.after(halfMs, resolve));
  const travelled = pass()
    .then(call)
    .then(async (result) => {
      await pass();
      return result;
    });
  return life.fence(travelled);
}
