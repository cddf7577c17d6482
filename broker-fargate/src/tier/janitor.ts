import { MetadataError, ObjectError, slot as slotOf } from "@millrace/core";
import type { Clock, Epoch, IncarnationId, Slot, Timer } from "@millrace/core";
import type { JournalItems } from "../journal/files/journal-item.ts";
import type { PartitionPlace } from "../partition/partition-items.ts";
import type { TierLimits } from "./limits.ts";
import type { ClosedJournals } from "../journal/objects/closed-journals.ts";
import { JournalObjectDamagedError } from "../journal/objects/journal-errors.ts";
import type { ManifestItems } from "./manifest-items.ts";
import type { ObjectAccess } from "./object-access.ts";
import {
  checkpointIncarnation,
  checkpointPrefix,
  checkpointRoot,
  dataPrefix,
  readSegmentKey,
} from "./object-keys.ts";

export interface JanitorDeps {
  readonly clock: Clock;
  readonly objects: ObjectAccess;
  readonly manifest: ManifestItems;
  readonly journalItems: JournalItems;
  readonly clusterId: string;
  readonly slots: number;
  readonly limits: TierLimits;
  /** The slot's epoch, by a strong read of its head; undefined: it has none. */
  readonly epochOf: (slot: Slot) => Promise<Epoch | undefined>;
  /** What only a member of a cluster has. */
  readonly member?: JanitorOfMember | undefined;
  readonly warn: (what: string, cause: unknown) => void;
}

/** In a cluster one broker sweeps for all, and journals lie in the object store, too. */
export interface JanitorOfMember {
  readonly isController: () => boolean;
  readonly journals: Pick<ClosedJournals, "incarnations" | "delete">;
}

export interface Sweep {
  readonly segments: number;
  readonly checkpoints: number;
  /** Of a member. */
  readonly journals?: number;
}

/**
 * Deletes objects that nobody names and nobody will: what a crash left between the storing of an
 * object and its registration, and the checkpoints of incarnations that no slot's head names any
 * more (ownership rules 8 and 19), in a cluster with their journals. Soon after a start, and then
 * now and then; in a cluster by its controller alone.
 *
 * Never by age: a cold segment goes only if its slot's epoch, read strongly, is newer than the one
 * that it was written under, and the manifest, read after that, does not name it.
 */
export class Janitor {
  readonly #deps: JanitorDeps;
  #timer: { readonly timer: Timer; readonly dueMs: number } | undefined;
  #running: Promise<unknown> | undefined;
  /** While a sweep ran that may have passed what is meant. */
  #wasAsked = false;
  #isClosed = false;

  constructor(deps: JanitorDeps) {
    this.#deps = deps;
  }

  /** There may be something to do, as after a start. */
  sweepSoon(): void {
    if (this.#running === undefined) this.#arm(this.#deps.limits.firstSweepMs);
    else this.#wasAsked = true;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.timer.cancel();
    await this.#running;
  }

  /** Looks at every object once. Stops at the first failure of a store, which is logged. */
  async sweep(): Promise<Sweep> {
    const found = { segments: 0, checkpoints: 0 };
    const { journalItems, member, slots } = this.#deps;
    if (member?.isController() === false) return found;
    let journals = 0;
    try {
      const over = member === undefined ? journalItems.listUnnamed : journalItems.listOver;
      for (const incarnation of await over.call(journalItems, slots)) {
        journals += (await member?.journals.delete(incarnation)) ?? 0;
        found.checkpoints += await this.#deleteCheckpoints(incarnation);
        // Last: it tells whose they are.
        await journalItems.forget(incarnation);
      }
      found.checkpoints += await this.#sweepCheckpoints();
      if (member !== undefined) journals += await this.#sweepJournals(member);
      found.segments = await this.#sweepSegments();
    } catch (error) {
      if (!isLeft(error)) throw error;
      this.#deps.warn("objects that nobody names are left for the next sweep", error);
    }
    return member === undefined ? found : { ...found, journals };
  }

  #arm(delayMs: number): void {
    const dueMs = this.#deps.clock.monotonicMs() + delayMs;
    if (this.#isClosed || (this.#timer?.dueMs ?? Number.POSITIVE_INFINITY) <= dueMs) return;
    this.#timer?.timer.cancel();
    const timer = this.#deps.clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#running = this.sweep().then(() => {
        this.#running = undefined;
        const { firstSweepMs, sweepEveryMs } = this.#deps.limits;
        this.#arm(this.#wasAsked ? firstSweepMs : sweepEveryMs);
        this.#wasAsked = false;
      });
    });
    this.#timer = { timer, dueMs };
  }

  /** Those of incarnations that died before they registered one: no item tells of them. */
  async #sweepCheckpoints(): Promise<number> {
    const { clusterId, journalItems, objects, slots } = this.#deps;
    const incarnations = new Set<IncarnationId>();
    for await (const { key } of objects.listAll(checkpointRoot(clusterId))) {
      const incarnation = checkpointIncarnation(clusterId, key);
      if (incarnation !== undefined) incarnations.add(incarnation);
    }
    let deleted = 0;
    for (const incarnation of await journalItems.unnamedOf(incarnations, slots)) {
      deleted += await this.#deleteCheckpoints(incarnation);
    }
    return deleted;
  }

  /** What came, or came back, after the incarnation's item had gone. */
  async #sweepJournals({ journals }: JanitorOfMember): Promise<number> {
    const { journalItems, slots } = this.#deps;
    let deleted = 0;
    for (const one of await journalItems.unnamedOf(await journals.incarnations(), slots)) {
      deleted += await journals.delete(one);
    }
    return deleted;
  }

  async #deleteCheckpoints(incarnation: IncarnationId): Promise<number> {
    const { clusterId, objects } = this.#deps;
    let deleted = 0;
    for await (const { key } of objects.listAll(checkpointPrefix(clusterId, incarnation))) {
      await objects.delete([key]);
      deleted += 1;
    }
    return deleted;
  }

  async #sweepSegments(): Promise<number> {
    const { clusterId, objects } = this.#deps;
    let deleted = 0;
    for await (const { key } of objects.listAll(dataPrefix(clusterId))) {
      if (this.#isClosed) break;
      if (!(await this.#isNobodys(key))) continue;
      await objects.delete([key]);
      deleted += 1;
    }
    return deleted;
  }

  async #isNobodys(key: string): Promise<boolean> {
    const name = readSegmentKey(this.#deps.clusterId, key);
    // Whoever put something else here knows why.
    if (name === undefined) return false;
    const place: PartitionPlace = {
      topicId: name.topicId,
      partition: name.partition,
      slot: slotOf(name.slot),
    };
    const present = await this.#deps.epochOf(place.slot);
    if (present === undefined || present <= name.epoch) return false;
    const named = await this.#deps.manifest.objectAt(place, name.baseOffset);
    return named !== key;
  }
}

function isLeft(error: unknown): boolean {
  return (
    error instanceof ObjectError ||
    error instanceof MetadataError ||
    error instanceof JournalObjectDamagedError
  );
}
