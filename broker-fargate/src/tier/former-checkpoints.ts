import { keys } from "@millrace/core";
import type { IncarnationId, Item, Slot, Source } from "@millrace/core";
import { decodeCheckpointIndex, decodeSlotSection } from "@millrace/wire";
import type { CheckpointIndex, CheckpointSlot, Crc32c } from "@millrace/wire";
import { read } from "../cluster/persist.ts";
import type { StoreAccess } from "../cluster/persist.ts";
import type { CheckpointEnds } from "./checkpoint-ends.ts";
import type { TierLimits } from "./limits.ts";
import { checkpointKey } from "./object-keys.ts";
import { packedOwner } from "./slot-packs.ts";
import type { PackedOwner } from "./slot-packs.ts";

export interface FormerCheckpointsDeps extends StoreAccess {
  readonly ends: CheckpointEnds;
  readonly crc32c: Crc32c;
  readonly limits: Pick<TierLimits, "cachedSectionsMax" | "checkpointEndsMax">;
  readonly clusterId: string;
}

/** A registered checkpoint is missing, or is not what was written. */
export class CheckpointDamagedError extends Error {
  override readonly name = "CheckpointDamagedError";
}

/** The newest registered checkpoint of an incarnation, as its item names it. */
export interface RegisteredCheckpoint {
  readonly number: number;
  readonly bytes: number;
}

/**
 * What former incarnations' checkpoints hold of slots, read when a slot is first needed. Rejects
 * with ObjectError, MetadataError, or CheckpointDamagedError.
 */
export class FormerCheckpoints {
  readonly #deps: FormerCheckpointsDeps;
  /** By slot and incarnation, the oldest first. */
  readonly #sections = new Map<string, Promise<readonly PackedOwner[]>>();
  readonly #indexes = new Map<IncarnationId, Promise<ReadIndex>>();
  /** What was last read of those that go on. */
  readonly #newest = new Map<IncarnationId, NumberedIndex>();

  constructor(deps: FormerCheckpointsDeps) {
    this.#deps = deps;
  }

  /**
   * What the incarnation packed will be asked for soon, and then takes less time. Nobody waits for it:
   * whoever asks reads again what could not be read.
   */
  async readAhead(incarnation: IncarnationId): Promise<void> {
    if (this.#indexes.has(incarnation)) return;
    const { clusterId, ends } = this.#deps;
    const item = await read(this.#deps, keys.incarnation(incarnation));
    const newest = registeredIn(item?.value["checkpoint"]);
    if (newest === undefined) return;
    ends.readAhead(checkpointKey(clusterId, incarnation, newest.number), newest.bytes);
  }

  /** Whether the source's newest checkpoint tells of the slot at the source's epoch. */
  async holdsSlot(source: Source, slot: Slot): Promise<boolean> {
    return (await this.#told(source, slot, (line) => Promise.resolve(line))) !== undefined;
  }

  /** The slot's partitions as the newest of the sources tells them that tells of it. */
  async partitionsOf(sources: readonly Source[], slot: Slot): Promise<readonly PackedOwner[]> {
    for (const source of sources.toSorted((a, b) => b.epoch - a.epoch)) {
      const { incarnation } = source;
      const told = await this.#told(source, slot, (line) => this.#cachedSection(incarnation, line));
      if (told !== undefined) return told;
    }
    return [];
  }

  /**
   * What the source's newest checkpoint tells of the slot. Who released a slot and goes on replaces
   * its checkpoint, and deletes the one before, at any time: what is missing is looked for in the one
   * that is the newest then, and damage is what two looks at the same one found.
   */
  async #told<Told>(
    { epoch, incarnation }: Source,
    slot: Slot,
    tell: (line: CheckpointSlot) => Promise<Told>,
  ): Promise<Told | undefined> {
    let former: number | undefined;
    for (;;) {
      try {
        const index = await this.#index(incarnation);
        const line = index?.slots.find((one) => one.slot === slot && one.epoch === epoch);
        return line === undefined ? undefined : await tell(line);
      } catch (error) {
        if (!(error instanceof CheckpointDamagedError)) throw error;
        const item = await read(this.#deps, keys.incarnation(incarnation));
        const newest = registeredIn(item?.value["checkpoint"])?.number;
        if (newest === former) throw error;
        former = newest;
      }
    }
  }

  /** Kept for a while: whoever looks at one partition of a slot looks at the others, too. */
  #cachedSection(
    incarnation: IncarnationId,
    line: CheckpointSlot,
  ): Promise<readonly PackedOwner[]> {
    const key = `${line.slot} ${line.epoch} ${incarnation} ${line.checkpoint} ${line.position}`;
    const before = this.#sections.get(key);
    if (before !== undefined) return before;
    const reading = this.#section(incarnation, line);
    this.#sections.set(key, reading);
    reading.catch(() => this.#sections.delete(key));
    for (const oldest of this.#sections.keys()) {
      if (this.#sections.size <= this.#deps.limits.cachedSectionsMax) break;
      this.#sections.delete(oldest);
    }
    return reading;
  }

  async #section(
    incarnation: IncarnationId,
    line: CheckpointSlot,
  ): Promise<readonly PackedOwner[]> {
    const { clusterId, crc32c, ends } = this.#deps;
    const keyOf = (number: number): string => checkpointKey(clusterId, incarnation, number);
    const key = keyOf(line.checkpoint);
    const bytes = await ends.readRange(key, { from: line.position, bytes: line.bytes });
    if (bytes === undefined) throw new CheckpointDamagedError(`${key} is missing`);
    const decoded = decodeSlotSection(bytes, line, crc32c);
    if (decoded.kind === "invalid") {
      throw new CheckpointDamagedError(`${key}, slot ${line.slot}: ${decoded.reason}`);
    }
    return decoded.section.partitions.map((partition) => packedOwner(partition, keyOf));
  }

  /** Kept of those that are over; one that released a slot goes on writing checkpoints. */
  #index(incarnation: IncarnationId): Promise<CheckpointIndex | undefined> {
    const before = this.#indexes.get(incarnation);
    if (before !== undefined) return before.then(({ index }) => index);
    const reading = this.#readIndex(incarnation);
    this.#indexes.set(incarnation, reading);
    const forget = (): boolean => this.#indexes.delete(incarnation);
    reading.then(({ isOver }) => isOver || forget(), forget);
    return reading.then(({ index }) => index);
  }

  async #readIndex(incarnation: IncarnationId): Promise<ReadIndex> {
    const item = await read(this.#deps, keys.incarnation(incarnation));
    const isOver = item?.value["state"] !== "open";
    return { index: await this.#indexOf(incarnation, item), isOver };
  }

  #keep(incarnation: IncarnationId, index: NumberedIndex): void {
    this.#newest.delete(incarnation);
    this.#newest.set(incarnation, index);
    for (const oldest of this.#newest.keys()) {
      if (this.#newest.size <= this.#deps.limits.checkpointEndsMax) break;
      this.#newest.delete(oldest);
    }
  }

  async #indexOf(
    incarnation: IncarnationId,
    item: Item | undefined,
  ): Promise<CheckpointIndex | undefined> {
    const { clusterId, crc32c, ends } = this.#deps;
    const newest = registeredIn(item?.value["checkpoint"]);
    if (newest === undefined) return undefined;
    const known = this.#newest.get(incarnation);
    if (known?.number === newest.number) return known.index;
    const key = checkpointKey(clusterId, incarnation, newest.number);
    const objectBytes = newest.bytes;
    let atLeast = 0;
    for (;;) {
      const bytes = await ends.read(key, { atLeast, objectBytes });
      if (bytes === undefined) throw new CheckpointDamagedError(`${key} is missing`);
      const decoded = decodeCheckpointIndex(bytes, { objectBytes, crc32c });
      if (decoded.kind === "ok") {
        this.#keep(incarnation, { number: newest.number, index: decoded.index });
        return decoded.index;
      }
      // One that gives fewer bytes than it was asked for is shorter than it was.
      if (decoded.kind === "invalid" || decoded.needBytes <= Math.max(bytes.length, atLeast)) {
        const reason = decoded.kind === "invalid" ? decoded.reason : "otherLength";
        throw new CheckpointDamagedError(`${key}: ${reason}`);
      }
      atLeast = decoded.needBytes;
    }
  }
}

interface NumberedIndex {
  /** Of the checkpoint. */
  readonly number: number;
  readonly index: CheckpointIndex;
}

interface ReadIndex {
  /** Of the newest registered checkpoint. */
  readonly index: CheckpointIndex | undefined;
  /** The incarnation writes no more of them. */
  readonly isOver: boolean;
}

/** The field `checkpoint` of an incarnation's item; undefined where it has none. */
function registeredIn(value: unknown): RegisteredCheckpoint | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { bytes, number } = value as Partial<RegisteredCheckpoint>;
  if (typeof number !== "number" || typeof bytes !== "number") return undefined;
  return { number, bytes };
}
