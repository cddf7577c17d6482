import type { ColdPart } from "@millrace/core";
import { ColdLog } from "@millrace/core";
import type { PackedPartition } from "@millrace/wire";
import type { CheckpointWriter } from "./checkpoint-writer.ts";
import { CheckpointDamagedError } from "./former-checkpoints.ts";
import type { WrittenImage } from "./image-writer.ts";
import type { ObjectAccess } from "./object-access.ts";
import { keyOf, packedPart } from "./slot-packs.ts";
import type { PackedOwner, SlotPacks } from "./slot-packs.ts";
import type { TieredPartition } from "./tiered-partition.ts";

/**
 * The packs of one round: images of tails, images that move here from checkpoints of former
 * incarnations or from the oldest of this one, and the sections of every slot that changed.
 *
 * Nothing counts before the checkpoint that names it is registered: until then the partitions'
 * lists are what they were, and a round that fails leaves them so.
 */
export class PackRound {
  readonly #writer: CheckpointWriter;
  readonly #objects: ObjectAccess;
  /** Parts in earlier checkpoints move. */
  readonly #keptFrom: number;
  /** What the partitions' lists will be, by partition. */
  readonly #lists = new Map<string, readonly ColdPart[]>();
  /** Slots whose section is in the checkpoint that collects, with the objects that it names. */
  #written = new Map<SlotPacks, ReadonlySet<string>>();
  readonly #leftOut = new Set<SlotPacks>();
  readonly #registered = new Set<SlotPacks>();

  constructor(writer: CheckpointWriter, objects: ObjectAccess, keptFrom: number) {
    this.#writer = writer;
    this.#objects = objects;
    this.#keptFrom = keptFrom;
  }

  /** Takes the image of a tail. Its slot's section follows by `addSlot`. */
  addTail(tiered: TieredPartition, image: WrittenImage): void {
    this.#lists.set(keyOf(tiered), tiered.cold.packedWith(this.#writer.addImage(image)));
    tiered.packs.isChanged = true;
  }

  /** Whether an image of so many bytes fits into the checkpoint that collects. */
  hasRoomFor(bytes: number): boolean {
    return !this.#writer.isFullFor(bytes);
  }

  /**
   * Takes a slot's section, and moves what it names to where it may stay. Rejects as ObjectAccess
   * does, or with CheckpointDamagedError; the slot is then left out of this round.
   */
  async addSlot(packs: SlotPacks): Promise<void> {
    // What changes from here on comes into the next section.
    packs.isChanged = false;
    packs.isBeingWritten = true;
    try {
      if (packs.damage !== undefined) throw packs.damage;
      const named = await this.#addSection(packs);
      this.#written.set(packs, named);
      packs.isStuck = false;
    } catch (error) {
      packs.isChanged = true;
      packs.isBeingWritten = false;
      packs.isStuck = error instanceof CheckpointDamagedError && packs.damage === undefined;
      this.#leftOut.add(packs);
      throw error;
    }
  }

  /** Slots that could not be taken. */
  get leftOut(): ReadonlySet<SlotPacks> {
    return this.#leftOut;
  }

  /** Drops what has collected: the lists stay what they were, and what changed is still to come. */
  giveUp(): void {
    this.#writer.drop();
    for (const packs of this.#written.keys()) {
      packs.isChanged = true;
      packs.isBeingWritten = false;
    }
    this.#written = new Map();
  }

  async #addSection(packs: SlotPacks): Promise<ReadonlySet<string>> {
    const partitions: PackedPartition[] = [];
    const named = new Set<string>();
    for (const owner of packs.owners()) {
      const parts: ColdPart[] = [];
      for (const part of this.#lists.get(keyOf(owner)) ?? owner.cold.packed) {
        parts.push(this.#writer.holds(part, this.#keptFrom) ? part : await this.#move(part));
      }
      if (parts.length === 0) continue;
      this.#lists.set(keyOf(owner), parts);
      for (const { object } of parts) named.add(object);
      const { partition, topicId } = owner;
      partitions.push({ topicId, partition, parts: parts.map(packedPart) });
    }
    const { epoch, slot } = packs;
    this.#writer.addSection({ slot, epoch, partitions });
    return named;
  }

  /** Slots of which a registered checkpoint of this incarnation tells, thanks to this round. */
  get registered(): Iterable<SlotPacks> {
    return this.#registered;
  }

  /** Stores and registers what has collected; from then on it counts. Rejects as the writer does. */
  async flush(): Promise<void> {
    await this.#writer.flush();
    const written = this.#written;
    this.#written = new Map();
    for (const [packs, named] of written) {
      for (const owner of packs.owners()) this.#apply(packs, owner);
      packs.named = named;
      packs.isBeingWritten = false;
      this.#registered.add(packs);
    }
  }

  #apply(packs: SlotPacks, owner: PackedOwner): void {
    const list = this.#lists.get(keyOf(owner));
    if (list === undefined) return;
    this.#lists.delete(keyOf(owner));
    if (owner.cold instanceof ColdLog) owner.cold.replacePacked(list);
    else packs.put({ ...owner, cold: { packed: list } });
  }

  async #move(part: ColdPart): Promise<ColdPart> {
    const { bytes, object, position } = part;
    if (!this.hasRoomFor(bytes)) await this.flush();
    const image = await this.#objects.readRange(object, { from: position, bytes });
    if (image?.length !== bytes) throw new CheckpointDamagedError(`${object} is missing`);
    const at = (key: string, from: number): ColdPart => ({ ...part, object: key, position: from });
    return this.#writer.addImage({ parts: [image], runs: [], bytes, at });
  }
}
