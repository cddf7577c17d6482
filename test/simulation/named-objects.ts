import { type Item, readHead, type Source } from "@millrace/core";
import {
  type CheckpointIndex,
  crc32c,
  decodeCheckpointIndex,
  decodeSlotSection,
  type SlotSection,
} from "@millrace/wire";
import type { BrokerHost } from "./broker-host.ts";
import { keyKind, objectKind } from "./fault-table.ts";

export interface ObjectCensus {
  /** Named by the manifest or a checkpoint that counts, of records that may be read, and gone. */
  readonly missing: readonly string[];
  /** There, and named by nobody who counts; the janitor would take them now. */
  readonly unnamed: readonly string[];
}

/** What the items name and the object store has, as both are at the moment. */
export async function takeCensus(host: BrokerHost): Promise<ObjectCensus> {
  return new Census(host).take();
}

class Census {
  readonly #host: BrokerHost;
  readonly #items = new Map<string, Item>();
  /** May be read. */
  readonly #needed = new Set<string>();
  /** Somebody who counts knows of it. */
  readonly #named = new Set<string>();
  readonly #damaged: string[] = [];
  #topics = new Set<string>();
  #cluster = "";

  constructor(host: BrokerHost) {
    this.#host = host;
  }

  async take(): Promise<ObjectCensus> {
    const { memoryObjects, memoryStore } = this.#host;
    const topics: string[] = [];
    for (const item of memoryStore.items()) {
      if (/^(slot|incarnation)\//.test(item.key)) this.#items.set(item.key, item);
      if (item.key.startsWith("topic/")) topics.push(textOf(item.value["id"]));
    }
    this.#topics = new Set(topics);
    this.#cluster = memoryObjects.keys[0]?.split("/")[0] ?? "";
    for (const item of this.#items.values()) {
      if (keyKind(item.key) === "segment") this.#segment(item);
      if (keyKind(item.key) === "head") this.#head(item);
    }
    const present = new Set(memoryObjects.keys);
    const missing = [...this.#needed].filter((key) => !present.has(key));
    const unnamed = [...present].filter((key) => !this.#named.has(key) && this.#isOver(key));
    return { missing: [...missing, ...this.#damaged], unnamed };
  }

  #segment({ key, value }: Item): void {
    const [, slot, , topic, partition] = key.split("/");
    const stored = this.#items.get(`slot/${slot}/partition/${topic}/${partition}`);
    const start = Number(stored?.value["startOffset"] ?? 0);
    const object = textOf(value["object"]);
    this.#named.add(object);
    const isReadable = Number(value["nextOffset"]) > start && this.#topics.has(topic ?? "");
    if (isReadable) this.#needed.add(object);
  }

  /** Of the head's owner and sources the newest counts that tells of the slot. */
  #head(item: Item): void {
    const { epoch, owner, sources } = readHead(item);
    const slot = Number(item.key.split("/")[1]);
    const all: Source[] =
      owner === undefined ? [...sources] : [...sources, { incarnation: owner, epoch }];
    let isFound = false;
    for (const source of all.sort((a, b) => b.epoch - a.epoch)) {
      const index = this.#indexOf(source);
      for (const { checkpoint } of index?.slots ?? []) {
        this.#named.add(this.#keyOf(source, checkpoint));
      }
      const line = index?.slots.find((one) => one.slot === slot && one.epoch === source.epoch);
      if (line === undefined || isFound) continue;
      isFound = true;
      const key = this.#keyOf(source, line.checkpoint);
      const bytes = this.#bytesOf(key)?.subarray(line.position, line.position + line.bytes);
      const decoded = decodeSlotSection(bytes ?? new Uint8Array(0), line, crc32c);
      if (decoded.kind === "ok") this.#section(source, item.key, decoded.section);
      else this.#damaged.push(`${key} has no section of slot ${slot}: ${decoded.reason}`);
    }
  }

  #section(source: Source, headKey: string, section: SlotSection): void {
    for (const { partition, parts, topicId } of section.partitions) {
      const prefix = headKey.replace(/head$/u, "");
      const stored = this.#items.get(`${prefix}partition/${topicId}/${partition}`);
      const start = Number(stored?.value["startOffset"] ?? 0);
      for (const { checkpoint, nextOffset } of parts) {
        const key = this.#keyOf(source, checkpoint);
        this.#named.add(key);
        if (nextOffset > start && this.#topics.has(topicId)) this.#needed.add(key);
      }
    }
  }

  #indexOf(source: Source): CheckpointIndex | undefined {
    const registered = this.#items.get(`incarnation/${source.incarnation}`)?.value["checkpoint"];
    if (typeof registered !== "object" || registered === null) return undefined;
    const { bytes: objectBytes, number } = registered as { bytes: number; number: number };
    const key = this.#keyOf(source, number);
    this.#named.add(key);
    this.#needed.add(key);
    const bytes = this.#bytesOf(key);
    if (bytes === undefined) return undefined;
    const decoded = decodeCheckpointIndex(bytes, { objectBytes, crc32c });
    if (decoded.kind === "ok") return decoded.index;
    this.#damaged.push(`${key} has no index: ${decoded.kind}`);
    return undefined;
  }

  /**
   * Nobody will name it any more: its slot has a newer epoch, or it is of the present life, which
   * deletes what it did not name; or no head names its incarnation.
   */
  #isOver(key: string): boolean {
    if (objectKind(key) === "data") {
      const [, slot, epoch] = key.slice(key.lastIndexOf("/") + 1).split("-");
      const head = this.#items.get(`slot/${String(slot).padStart(5, "0")}/head`);
      const isPresent = Number(epoch) === this.#host.newestEpoch;
      return isPresent || (head !== undefined && readHead(head).epoch > Number(epoch));
    }
    const incarnation = key.split("/")[2];
    const heads = [...this.#items.values()].filter((item) => keyKind(item.key) === "head");
    return heads.map(readHead).every(({ owner, sources }) => {
      const names = [owner, ...sources.map((source) => source.incarnation)];
      return names.every((name) => name !== incarnation);
    });
  }

  #bytesOf(key: string): Uint8Array | undefined {
    return this.#host.memoryObjects.bytesOf(key);
  }

  #keyOf({ incarnation }: Source, number: number): string {
    return `${this.#cluster}/checkpoint/${incarnation}/${String(number).padStart(20, "0")}`;
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
