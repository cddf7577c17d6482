import { keys, keysUnder, UnreadableItemError } from "@millrace/core";
import type { ColdPart, Item, ItemValue, LeaderEpochStart, Write } from "@millrace/core";
import { read, readAll } from "../cluster/persist.ts";
import type { StoreAccess } from "../cluster/persist.ts";
import type { MarkedPartition, PartitionPlace } from "../partition/partition-items.ts";
import type { SlotWrites } from "../partition/slot-writes.ts";

/**
 * The manifest: one item for each cold segment, under its partition's slot. What it does not name
 * is not there for readers, and what it names has been stored whole. Changes reject as SlotWrites
 * do.
 */
export class ManifestItems {
  readonly #access: StoreAccess;
  readonly #writes: SlotWrites;

  constructor(access: StoreAccess, writes: SlotWrites) {
    this.#access = access;
    this.#writes = writes;
  }

  /** The partition's cold segments, oldest first. */
  async segments(at: PartitionPlace): Promise<readonly ColdPart[]> {
    const prefix = keys.segments(at.slot, at.topicId, at.partition);
    const parts: ColdPart[] = [];
    for await (const item of readAll(this.#access, keysUnder(prefix, pageItems))) {
      parts.push(partOf(item));
    }
    return parts;
  }

  /**
   * The same, when no change of this owner that failed can be made any more. Rejects with
   * MetadataError.
   */
  async settledSegments(at: PartitionPlace): Promise<readonly ColdPart[]> {
    await this.#writes.settled(at.slot);
    return this.segments(at);
  }

  /** The object that the segment at this base offset names. */
  async objectAt(at: PartitionPlace, baseOffset: number): Promise<string | undefined> {
    const { partition, slot, topicId } = at;
    const item = await read(this.#access, keys.segment(slot, { topicId, partition, baseOffset }));
    return item === undefined ? undefined : partOf(item).object;
  }

  /** Names them, all or none: at most `segmentsPerCommitMax`. */
  add(at: MarkedPartition, parts: readonly ColdPart[]): Promise<void> {
    const writes = parts.map((part): Write => {
      return { kind: "put", key: keyOf(at, part), value: valueOf(part, at.openSlot.epoch) };
    });
    return this.#writes.write(at, writes);
  }

  /**
   * Names `by` in the place of the segments at these offsets, all or none: at most
   * `segmentsPerCommitMax` of both.
   */
  replace(at: MarkedPartition, old: readonly ColdPart[], by: readonly ColdPart[]): Promise<void> {
    const puts = new Map(by.map((part) => [keyOf(at, part), part]));
    const writes: Write[] = [];
    for (const part of old) {
      const key = keyOf(at, part);
      if (!puts.has(key)) writes.push({ kind: "delete", key });
    }
    for (const [key, part] of puts) {
      writes.push({ kind: "put", key, value: valueOf(part, at.openSlot.epoch) });
    }
    return this.#writes.write(at, writes);
  }

  /** Forgets them, when their objects are gone. */
  async remove(at: MarkedPartition, parts: readonly ColdPart[]): Promise<void> {
    for (let from = 0; from < parts.length; from += removedAtOnce) {
      const some = parts.slice(from, from + removedAtOnce);
      const writes = some.map((part): Write => ({ kind: "delete", key: keyOf(at, part) }));
      await this.#writes.write(at, writes);
    }
  }
}

const pageItems = 1000;
const removedAtOnce = 64;

function keyOf(at: PartitionPlace, { baseOffset }: ColdPart): string {
  const { partition, slot, topicId } = at;
  return keys.segment(slot, { topicId, partition, baseOffset });
}

function valueOf(part: ColdPart, epoch: number): ItemValue {
  const { object, bytes, batchesBytes, nextOffset, maxTimestamp } = part;
  const leaderEpochs = part.leaderEpochs.map((start) => [start.epoch, start.startOffset]);
  const facts = { epoch, object, bytes, batchesBytes, nextOffset, maxTimestamp, leaderEpochs };
  return {
    ...facts,
    ...(part.isCleaned === true ? { cleaned: true } : {}),
    ...(part.isLost === true ? { lost: true } : {}),
  };
}

function partOf(item: Item): ColdPart {
  const { object, bytes, batchesBytes, nextOffset, maxTimestamp, leaderEpochs } = item.value;
  const baseOffset = Number(item.key.slice(item.key.lastIndexOf("/") + 1));
  if (
    typeof object !== "string" ||
    typeof bytes !== "number" ||
    typeof batchesBytes !== "number" ||
    typeof nextOffset !== "number" ||
    typeof maxTimestamp !== "number" ||
    !Array.isArray(leaderEpochs)
  ) {
    throw new UnreadableItemError(item.key, "a segment is not complete");
  }
  if (nextOffset <= baseOffset) throw new UnreadableItemError(item.key, "no offset is in it");
  const starts = leaderEpochs.map((pair): LeaderEpochStart => {
    const [epoch, startOffset]: readonly unknown[] = Array.isArray(pair) ? pair : [];
    if (typeof epoch !== "number" || typeof startOffset !== "number") {
      throw new UnreadableItemError(item.key, "a leader epoch has no start");
    }
    return { epoch, startOffset };
  });
  const facts = { bytes, batchesBytes, baseOffset, nextOffset, maxTimestamp };
  return {
    ...{ object, position: 0, ...facts, leaderEpochs: starts },
    ...(item.value["cleaned"] === true ? { isCleaned: true } : {}),
    ...(item.value["lost"] === true ? { isLost: true } : {}),
  };
}
