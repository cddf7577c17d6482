import {
  ObjectError,
  type ObjectListing,
  type ObjectPage,
  type ObjectRange,
  type ObjectStore,
} from "@millrace/core";

/** By the component after the cluster's. What else there is, checkpoints, is read again and kept. */
const droppedKinds: ReadonlySet<string> = new Set(["data", "journal"]);

/**
 * The way to an object store that keeps of cold segments and journals no more than that they are
 * there, so that gigabytes may be written to it. Reading one fails for good, and so does the run
 * that tries.
 */
export class SinkObjects implements ObjectStore {
  readonly #kept: ObjectStore;

  constructor(kept: ObjectStore) {
    this.#kept = kept;
  }

  putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<"stored" | "exists"> {
    return this.#kept.putIfAbsent(key, isDropped(key) ? [] : parts);
  }

  async readRange(key: string, range: ObjectRange): Promise<Uint8Array | undefined> {
    if (!isDropped(key)) return this.#kept.readRange(key, range);
    throw new ObjectError(`${key} was not kept`, { retriable: false, applied: "no" });
  }

  list(listing: ObjectListing): Promise<ObjectPage> {
    return this.#kept.list(listing);
  }

  delete(keys: readonly string[]): Promise<void> {
    return this.#kept.delete(keys);
  }

  close(): Promise<void> {
    return this.#kept.close();
  }
}

function isDropped(key: string): boolean {
  return droppedKinds.has(key.split("/")[1] ?? "");
}
