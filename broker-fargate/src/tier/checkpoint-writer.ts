import { assert } from "@millrace/core";
import type { ColdPart, Epoch, IncarnationId, Random, ReadBuffers, Slot } from "@millrace/core";
import { encodeCheckpoint, encodeSlotSection, TIER_NONCE_BYTES } from "@millrace/wire";
import type { CheckpointSlot, Crc32c, EncodedSlotSection, SlotSection } from "@millrace/wire";
import type { RegisteredCheckpoint } from "./former-checkpoints.ts";
import type { WrittenImage } from "./image-writer.ts";
import type { TierLimits } from "./limits.ts";
import type { ObjectAccess } from "./object-access.ts";
import { checkpointKey, checkpointNumber } from "./object-keys.ts";

export interface CheckpointWriterDeps {
  readonly objects: ObjectAccess;
  readonly random: Random;
  readonly crc32c: Crc32c;
  readonly clusterId: string;
  readonly incarnation: IncarnationId;
  readonly limits: TierLimits;
  /** Gets back what images were read into. */
  readonly buffers: ReadBuffers;
  /** Names it as the incarnation's newest, on condition that its journal is open. */
  readonly register: (checkpoint: RegisteredCheckpoint) => Promise<void>;
}

export interface StoredCheckpoint {
  readonly number: number;
  readonly object: string;
  readonly bytes: number;
}

/**
 * Writes this incarnation's checkpoints, one after another: images collect until there are enough
 * or `flush` is called; then object, then registration. A number whose object may or may not be
 * there is not used again.
 */
export class CheckpointWriter {
  readonly #deps: CheckpointWriterDeps;
  /** The newest line of every slot that has one. */
  #slots: readonly CheckpointSlot[] = [];
  /** Numbers that may have an object, ascending, with their bytes. */
  readonly #numbers = new Map<number, number>();
  #nextNumber = 0;
  /** The one that the incarnation's item names; -1: none. */
  #registered = -1;
  #images: Uint8Array[] = [];
  /** Of those, runs of batches, which are nobody else's. */
  #runs: Uint8Array[] = [];
  #imageBytes = 0;
  #sections: EncodedSlotSection[] = [];

  constructor(deps: CheckpointWriterDeps) {
    this.#deps = deps;
  }

  /** Checkpoints that packed parts or sections may lie in. */
  get count(): number {
    return this.#numbers.size;
  }

  /** Those, the oldest first. */
  *checkpoints(): IterableIterator<StoredCheckpoint> {
    for (const [number, bytes] of this.#numbers) yield { number, bytes, object: this.#key(number) };
  }

  /** Whether the part lies in one of this incarnation's checkpoints, the given one or a later one. */
  holds(part: ColdPart, from: number): boolean {
    const { clusterId, incarnation } = this.#deps;
    const number = checkpointNumber(part.object);
    return number >= from && part.object === checkpointKey(clusterId, incarnation, number);
  }

  /** Slots whose newest section lies in a checkpoint before `number`. */
  slotsBefore(number: number): readonly Slot[] {
    return this.#slots.filter(({ checkpoint }) => checkpoint < number).map(({ slot }) => slot);
  }

  /** The slot is another owner's, who has copied what this incarnation had of it at that epoch. */
  dropLine(slot: Slot, epoch: Epoch): void {
    this.#slots = this.#slots.filter((line) => line.slot !== slot || line.epoch !== epoch);
  }

  /** Whether an image of so many bytes has to wait for the next checkpoint. */
  isFullFor(bytes: number): boolean {
    return this.#imageBytes > 0 && this.#imageBytes + bytes > this.#deps.limits.checkpointBytesMax;
  }

  /**
   * Takes the image into the checkpoint that collects, with the memory of its runs; the part exists
   * once `flush` resolved.
   */
  addImage(image: Pick<WrittenImage, "parts" | "runs" | "bytes" | "at">): ColdPart {
    const part = image.at(this.#key(this.#nextNumber), this.#imageBytes);
    this.#images.push(...image.parts);
    this.#runs.push(...image.runs);
    this.#imageBytes += image.bytes;
    return part;
  }

  addSection(section: SlotSection): void {
    const { epoch, slot } = section;
    this.#sections.push({ slot, epoch, bytes: encodeSlotSection(section) });
  }

  /**
   * Stores what has collected, and registers it. Rejects with ObjectError, MetadataError or
   * FencedError; what had collected is then dropped, and nobody may rest on it.
   */
  async flush(): Promise<void> {
    const images = this.#images;
    const sections = this.#sections;
    const runs = this.#runs;
    if (images.length === 0 && sections.length === 0) return;
    const number = this.#nextNumber;
    this.#nextNumber += 1;
    this.#clear();
    const { buffers, crc32c, incarnation, objects, random, register } = this.#deps;
    const changed = new Set(sections.map(({ slot }) => slot));
    const carried = this.#slots.filter(({ slot }) => !changed.has(slot));
    const nonce = random.bytes(TIER_NONCE_BYTES);
    const draft = { incarnation, number, nonce, imageParts: images, sections, carried };
    const encoded = encodeCheckpoint(draft, crc32c);
    this.#numbers.set(number, encoded.bytes);
    try {
      const outcome = await objects.put(this.#key(number), encoded.parts);
      assert(outcome === "stored", "an incarnation's numbers are its own");
    } finally {
      for (const run of runs) buffers.giveBack(run);
    }
    // It carries the lines of the one that was registered when it was begun.
    assert(number > this.#registered, "checkpoints are registered in their order");
    await register({ number, bytes: encoded.bytes });
    this.#registered = number;
    this.#slots = encoded.slots;
  }

  /** Drops what has collected since the last flush. */
  drop(): void {
    if (this.#images.length > 0) this.#nextNumber += 1;
    for (const run of this.#runs) this.#deps.buffers.giveBack(run);
    this.#clear();
  }

  #clear(): void {
    this.#images = [];
    this.#runs = [];
    this.#imageBytes = 0;
    this.#sections = [];
  }

  /** Deletes the objects of older checkpoints that hold no newest section and no part of `live`. */
  async deleteUnused(live: ReadonlySet<string>): Promise<void> {
    const named = new Set(this.#slots.map(({ checkpoint }) => checkpoint));
    const unused = [...this.#numbers.keys()].filter((number) => {
      return number < this.#registered && !named.has(number) && !live.has(this.#key(number));
    });
    if (unused.length === 0) return;
    await this.#deps.objects.delete(unused.map((number) => this.#key(number)));
    for (const number of unused) this.#numbers.delete(number);
  }

  #key(number: number): string {
    const { clusterId, incarnation } = this.#deps;
    return checkpointKey(clusterId, incarnation, number);
  }
}
