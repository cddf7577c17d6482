import { MemoryObjectStore } from "@millrace/adapter-memory";
import {
  ObjectError,
  type ObjectListing,
  type ObjectPage,
  type ObjectRange,
  type ObjectStore,
} from "@millrace/core";

/**
 * An object store in memory that keeps of cold segments no more than that they are there, so that
 * gigabytes may be written to it. Reading one fails for good, and so does the run that tries.
 */
export class SinkObjects implements ObjectStore {
  readonly #kept = new MemoryObjectStore();

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
  return key.split("/")[1] === "data";
}
