import { MeteredMetadataStore } from "@millrace/adapter-memory";
import {
  type Consistency,
  type Item,
  type KeyRange,
  type MetadataStore,
  objectBytes,
  type ObjectListing,
  type ObjectPage,
  type ObjectRange,
  type ObjectStore,
  type Page,
  type TransactOutcome,
  type Write,
} from "@millrace/core";
import { deletedKeysMax, multipartBytesMin, partBytes } from "../../adapters/aws/src/limits.ts";
import type { Tally } from "./counts.ts";

/** An object store that tells what S3 would bill, as the adapter of S3 asks it. */
export class MeteredObjects implements ObjectStore {
  readonly #inner: ObjectStore;
  readonly #tally: Tally;

  constructor(inner: ObjectStore, tally: Tally) {
    this.#inner = inner;
    this.#tally = tally;
  }

  async putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<"stored" | "exists"> {
    const putBytes = objectBytes(parts);
    this.#tally.add({ puts: putRequests(putBytes), putBytes }, kindOfObject(key));
    return this.#inner.putIfAbsent(key, parts);
  }

  async readRange(key: string, range: ObjectRange): Promise<Uint8Array | undefined> {
    const found = await this.#inner.readRange(key, range);
    this.#tally.add({ gets: 1, getBytes: found?.length ?? 0 }, kindOfObject(key));
    return found;
  }

  async list(listing: ObjectListing): Promise<ObjectPage> {
    this.#tally.add({ lists: 1 }, kindOfObject(listing.prefix));
    return this.#inner.list(listing);
  }

  async delete(keys: readonly string[]): Promise<void> {
    const deletes = Math.ceil(keys.length / deletedKeysMax);
    this.#tally.add({ deletes }, kindOfObject(keys[0] ?? ""));
    return this.#inner.delete(keys);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

/** In parts: one request begins the upload, one ends it. */
export function putRequests(bytes: number): number {
  return bytes < multipartBytesMin ? 1 : Math.ceil(bytes / partBytes) + 2;
}

/** `{cluster}/journal/…` is `journal`. */
function kindOfObject(key: string): string {
  return key.split("/")[1] ?? "";
}

/** A metadata store that tells what DynamoDB would bill, by the first component of the keys. */
export class MeteredMetadata implements MetadataStore {
  readonly #inner: MetadataStore;
  readonly #tally: Tally;
  /** One for each kind of keys, so that what it bills is known to be of that kind. */
  readonly #meters = new Map<string, MeteredMetadataStore>();

  constructor(inner: MetadataStore, tally: Tally) {
    this.#inner = inner;
    this.#tally = tally;
  }

  get(key: string, consistency?: Consistency): Promise<Item | undefined> {
    return this.#meterOf(key).get(key, consistency);
  }

  range(range: KeyRange): Promise<Page> {
    return this.#meterOf(range.from).range(range);
  }

  transact(writes: readonly Write[]): Promise<TransactOutcome> {
    return this.#meterOf(writes[0]?.key ?? "").transact(writes);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #meterOf(key: string): MeteredMetadataStore {
    const [kind = ""] = key.split("/");
    const known = this.#meters.get(kind);
    if (known !== undefined) return known;
    const meter = new MeteredMetadataStore(this.#inner, ({ kind: way, units }) => {
      this.#tally.add(way === "read" ? { readUnits: units } : { writeUnits: units }, kind);
    });
    this.#meters.set(kind, meter);
    return meter;
  }
}
