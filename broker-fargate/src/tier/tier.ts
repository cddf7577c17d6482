import { ColdLog, keys, MetadataError, readHead } from "@millrace/core";
import type {
  ColdPart,
  Epoch,
  Head,
  IncarnationId,
  ReadBuffers,
  SideWork,
  Slot,
  Source,
  TopicId,
} from "@millrace/core";
import { ProducerState, summarizeBatch, viewOf } from "@millrace/core";
import { splitBatches } from "@millrace/wire";
import type { ImageTail } from "@millrace/wire";
import { read } from "../cluster/persist.ts";
import type { StoreAccess } from "../cluster/persist.ts";
import type { OpenSlot } from "../cluster/slot-claims.ts";
import type { JournalItems } from "../journal/files/journal-item.ts";
import type { MarkedPartition, PartitionPlace } from "../partition/partition-items.ts";
import type { SlotWrites } from "../partition/slot-writes.ts";
import type { WireFormat } from "../partition/wire-format.ts";
import { Checkpointer } from "./checkpointer.ts";
import type { Cover, TieredOwner } from "./checkpointer.ts";
import { CheckpointEnds } from "./checkpoint-ends.ts";
import { CheckpointWriter } from "./checkpoint-writer.ts";
import { ChunkCache } from "./chunk-cache.ts";
import { ColdChanges } from "./cold-changes.ts";
import { ColdReads } from "./cold-reads.ts";
import { FencedError } from "../cluster/slot-claims.ts";
import {
  CheckpointDamagedError,
  FormerCheckpoints,
  type RegisteredCheckpoint,
} from "./former-checkpoints.ts";
import { ImageWriter } from "./image-writer.ts";
import { ImageTails } from "./image-tails.ts";
import { Janitor, type JanitorOfMember } from "./janitor.ts";
import { tierLimits } from "./limits.ts";
import type { TierLimits } from "./limits.ts";
import { ManifestItems } from "./manifest-items.ts";
import type { ObjectAccess } from "./object-access.ts";
import { partProofs } from "./part-proofs.ts";
import { ReleasedSlots } from "./released-slots.ts";
import { following, lastRun } from "./part-runs.ts";
import { SlotPacks } from "./slot-packs.ts";
import type { PackedOwner } from "./slot-packs.ts";
import type { TieredPartition } from "./tiered-partition.ts";

/** What the tier needs of the cluster. */
export interface TierCluster {
  readonly incarnation: IncarnationId;
  readonly epoch: Epoch;
  readonly clusterId: string;
  readonly slots: number;
  /** Whether there is a topic of this id. */
  isKnown(topicId: TopicId): boolean;
  openSlot(slot: Slot): Promise<OpenSlot>;
  /** False: there were none, or they could not be dropped. */
  dropSources(slot: Slot): Promise<boolean>;
  useCheckpoints(holdsSlot: (source: Source, slot: Slot) => Promise<boolean>): void;
}

export interface TierDeps<Owner extends TieredOwner> extends StoreAccess {
  readonly objects: ObjectAccess;
  readonly cluster: TierCluster;
  readonly writes: SlotWrites;
  readonly wire: WireFormat;
  readonly buffers: ReadBuffers;
  readonly sideWork: SideWork;
  readonly cover: Cover<Owner>;
  readonly limits?: TierLimits;
  readonly journalItems: JournalItems;
  readonly onLost: (of: TieredPartition, lost: ColdPart) => void;
  /** Of a member of a cluster. */
  readonly janitor?: JanitorOfMember;
  /** This incarnation's journal is not open any more. */
  readonly onOver?: (cause: unknown) => void;
  readonly warn: (what: string, cause: unknown) => void;
}

/**
 * The object store's side of all partitions: what it holds of them, how that is read, and how more
 * comes into it (DESIGN §7). Of a partition that nobody touched nothing is here.
 *
 * Rejections are those of ObjectAccess, the metadata store, or CheckpointDamagedError.
 */
export class Tier<Owner extends TieredOwner> {
  readonly checkpointer: Checkpointer<Owner>;
  readonly chunks: ChunkCache;
  readonly janitor: Janitor;
  readonly #deps: TierDeps<Owner>;
  readonly #limits: TierLimits;
  readonly #manifest: ManifestItems;
  readonly #former: FormerCheckpoints;
  readonly #tails: ImageTails;
  readonly #readRange: ObjectAccess["readRange"];
  readonly #released: ReleasedSlots;
  readonly #slots = new Map<Slot, SlotPacks>();
  readonly #loadingSlots = new Map<Slot, Promise<SlotPacks>>();

  constructor(deps: TierDeps<Owner>) {
    const { buffers, cluster, cover, objects, random, warn, wire } = deps;
    const limits = deps.limits ?? tierLimits;
    const { clusterId, incarnation } = cluster;
    const { crc32c } = wire;
    this.#deps = deps;
    this.#limits = limits;
    this.#manifest = new ManifestItems(deps, deps.writes);
    const ends = new CheckpointEnds({ objects, limits });
    this.#former = new FormerCheckpoints({ ...deps, ends, crc32c, clusterId, limits });
    const readRange = objects.readRange.bind(objects);
    this.#readRange = readRange;
    const monotonicMs = (): number => deps.clock.monotonicMs();
    this.chunks = new ChunkCache({ readRange, buffers, monotonicMs, limits, warn });
    this.#tails = new ImageTails({
      ...{ wire, limits, readRange, warn },
      readKept: ends.readRange.bind(ends),
    });
    const ids = { clusterId, incarnation };
    const writer = new CheckpointWriter({
      ...{ ...ids, objects, random, crc32c, limits, buffers },
      register: (checkpoint) => this.#register(checkpoint),
    });
    this.#released = new ReleasedSlots({ ...deps, incarnation, writer });
    this.checkpointer = new Checkpointer({
      ...{ ...ids, clock: deps.clock, random, wire, limits, objects, buffers, cover, warn },
      ...{ onLost: deps.onLost, sideWork: deps.sideWork },
      manifest: this.#manifest,
      ...{ writer, released: this.#released },
      slots: () => this.#slots.values(),
      onCopied: async (slot) => {
        if (await cluster.dropSources(slot)) this.janitor.sweepSoon();
      },
    });
    this.janitor = new Janitor({
      ...{ clock: deps.clock, objects, manifest: this.#manifest, clusterId, limits, warn },
      ...{ journalItems: deps.journalItems, member: deps.janitor },
      slots: cluster.slots,
      epochOf: async (slot) => {
        const item = await read(deps, keys.head(slot));
        return item === undefined ? undefined : readHead(item).epoch;
      },
    });
    cluster.useCheckpoints((source, slot) => this.#former.holdsSlot(source, slot));
  }

  /**
   * What the object store holds of the partition. What ends at or below its stored start is of no
   * use, its objects may be gone: it waits for `cutStart`.
   */
  async load(at: MarkedPartition, startOffset: number): Promise<TieredPartition> {
    const [packs, segments] = await Promise.all([
      this.#packsOf(at.slot, at.openSlot),
      this.#manifest.settledSegments(at),
    ]);
    const { partition, topicId } = at;
    const isAbove = ({ nextOffset }: ColdPart): boolean => nextOffset > startOffset;
    const left = new Set(segments.filter((part) => !isAbove(part)));
    const found = packs.find(topicId, partition);
    const named = segments.filter(isAbove);
    const packed = following(named.at(-1)?.nextOffset ?? startOffset, found.filter(isAbove));
    const cold = new ColdLog(named, packed);
    packs.isChanged ||= packed.length !== found.length;
    const reads = new ColdReads(cold, {
      ...{ chunks: this.chunks, tails: this.#tails, limits: this.#limits },
      ...{ wire: this.#deps.wire, buffers: this.#deps.buffers, warn: this.#deps.warn },
    });
    const changes = new ColdChanges(
      { at, cold, left },
      {
        ...{ objects: this.#deps.objects, manifest: this.#manifest, random: this.#deps.random },
        ...{ clusterId: this.#deps.cluster.clusterId, warn: this.#deps.warn },
        later: (run) => void this.#deps.clock.after(this.#limits.checkpointRetryMs, run),
        onGone: (were) => {
          reads.forget();
          packs.isChanged ||= were === "packed";
          if (packs.isChanged) this.checkpointer.slotChanged();
        },
      },
    );
    const tiered: TieredPartition = {
      ...{ topicId, partition, at, cold, reads, packs, changes, isBeingCopied: false },
      parts: {
        tailOf: (part) => this.#tailOf(part),
        readRange: this.#readRange,
        newImage: (range) => new ImageWriter({ topicId, partition, ...range }, this.#deps.wire),
      },
      proofs: partProofs({
        of: at,
        readRange: this.#readRange,
        readTail: (part) => this.#tails.loadAgain(part),
        ...{ crc32c: this.#deps.wire.crc32c, pieceBytes: this.#limits.chunkBytes },
      }),
      cutStart: (offset) => changes.cutStart(offset),
    };
    packs.put(tiered);
    return tiered;
  }

  /**
   * The producers as of the end of the cold parts: those that the newest part tells of that knows
   * them, and the batches of the parts after it. Of damaged ones what they knew is left out.
   */
  async producersOf(tiered: TieredPartition): Promise<ProducerState> {
    const later: ColdPart[] = [];
    for (const part of [...tiered.cold.parts()].toReversed()) {
      // Of what nothing gives back nobody can tell.
      if (part.isLost === true) continue;
      const tail = (await this.#tailOf(part)) ?? (await this.#tailOf(part));
      if (tail === undefined) {
        await this.#forgetProducers(tiered, part);
        continue;
      }
      const known = tail.producers.length === 0 ? undefined : ProducerState.restore(tail.producers);
      if (known !== undefined) return this.#withBatches(known, tiered, later.toReversed());
      later.push(part);
    }
    return this.#withBatches(ProducerState.empty(), tiered, later.toReversed());
  }

  /**
   * What a part is to tell of producers it does not tell: a duplicate of what it has may be taken.
   * One that is not there at all may lie elsewhere, or come back, and the partition waits for it.
   */
  async #forgetProducers({ proofs }: TieredPartition, part: ColdPart): Promise<void> {
    const damage = new CheckpointDamagedError(`${part.object} is of no use`);
    if (!(await proofs.isThere(part))) throw damage;
    this.#deps.warn("what a damaged part knew of producers is forgotten", damage);
  }

  /** Slots that the incarnation released are about to be opened here. */
  async readAhead(incarnation: IncarnationId): Promise<void> {
    try {
      await this.#former.readAhead(incarnation);
    } catch (error) {
      // Who opens them asks for the same, and meets what fails.
      if (!(error instanceof MetadataError)) throw error;
    }
  }

  /**
   * What former owners packed of an open slot goes into this broker's next checkpoint, where it is
   * not in one already.
   */
  async adoptSlot(slot: Slot, openSlot: OpenSlot): Promise<void> {
    const packs = await this.#packsOf(slot, openSlot);
    if (packs.damage !== undefined) throw packs.damage;
    if (packs.isChanged) this.checkpointer.slotChanged();
  }

  /** Whether this broker's registered checkpoints, and the manifest, tell all that packs had of it. */
  isSlotCopied(slot: Slot): boolean {
    const packs = this.#slots.get(slot);
    return packs !== undefined && isRegistered(packs) && packs.damage === undefined;
  }

  /**
   * Whether registered checkpoints tell all that this broker packed of the slot at its present
   * epoch. Of a slot whose packs are lost nothing was packed.
   */
  isSlotHeld(slot: Slot): boolean {
    const packs = this.#slots.get(slot);
    return packs === undefined || packs.damage !== undefined || isRegistered(packs);
  }

  /** The slot was handed over, or is lost, and nothing of it is under way. */
  async closeSlot(slot: Slot, how: "released" | "lost"): Promise<void> {
    await this.#loadingSlots.get(slot)?.catch(() => undefined);
    // A round may be writing its section.
    await this.checkpointer.idle();
    const packs = this.#slots.get(slot);
    this.#slots.delete(slot);
    if (packs !== undefined && how === "released") this.#released.add(packs);
  }

  /** The parts of a partition that is not loaded, oldest first. Leaves nothing in memory. */
  async lookAt(place: PartitionPlace): Promise<readonly ColdPart[]> {
    const { partition, slot, topicId } = place;
    const segments = await this.#manifest.segments(place);
    const packed = this.#slots.get(slot)?.find(topicId, partition);
    return [...new ColdLog(lastRun(segments), packed ?? (await this.#packedIn(place))).parts()];
  }

  /** Removes what there is of a deleted topic's partition, objects first. */
  async removePartition(place: PartitionPlace): Promise<void> {
    const { cluster, objects } = this.#deps;
    const openSlot = await cluster.openSlot(place.slot);
    const segments = await this.#manifest.settledSegments(place);
    const packs = await this.#packsOf(place.slot, openSlot);
    packs.remove(place.topicId, place.partition);
    if (packs.isChanged) this.checkpointer.slotChanged();
    if (segments.length === 0) return;
    await objects.delete(segments.map(({ object }) => object));
    await this.#manifest.remove({ ...place, openSlot }, segments);
  }

  /** Refused, it means that this incarnation is over (ownership rule 4). */
  async #register(checkpoint: RegisteredCheckpoint): Promise<void> {
    const { cluster, journalItems, onOver } = this.#deps;
    try {
      await journalItems.recordCheckpoint(cluster.incarnation, checkpoint);
    } catch (error) {
      if (error instanceof FencedError) onOver?.(error);
      throw error;
    }
  }

  async #tailOf(part: ColdPart): Promise<ImageTail | undefined> {
    return this.#tails.find(part) ?? (await this.#tails.loadOrFail(part));
  }

  #packsOf(slot: Slot, { epoch }: OpenSlot): Promise<SlotPacks> {
    const packs = this.#slots.get(slot);
    if (packs?.epoch === epoch) return Promise.resolve(packs);
    const before = this.#loadingSlots.get(slot);
    if (before !== undefined) return before;
    // Copied for a claim that never was, perhaps; the slot may have had another owner since.
    if (packs !== undefined) this.#slots.delete(slot);
    const loading = this.#loadSlot(slot, epoch).finally(() => this.#loadingSlots.delete(slot));
    this.#loadingSlots.set(slot, loading);
    return loading;
  }

  /** As former owners' checkpoints tell it: the slot is not open, and is not opened for a look. */
  async #packedIn({ partition, slot, topicId }: PartitionPlace): Promise<readonly ColdPart[]> {
    const item = await read(this.#deps, keys.head(slot));
    if (item === undefined) return [];
    const { epoch, owner, sources } = readHead(item);
    const last = owner === undefined ? [] : [{ incarnation: owner, epoch }];
    const owners = await this.#former.partitionsOf([...sources, ...last], slot);
    const found = owners.find((one) => one.topicId === topicId && one.partition === partition);
    return found?.cold.packed ?? [];
  }

  async #loadSlot(slot: Slot, epoch: Epoch): Promise<SlotPacks> {
    const item = await read(this.#deps, keys.head(slot));
    const sources = item === undefined ? [] : this.#sourcesIn(readHead(item), epoch);
    const told = await this.#tellOf(sources, slot);
    if (told instanceof CheckpointDamagedError) {
      const packs = new SlotPacks(slot, epoch, { partitions: [], isChanged: false, damage: told });
      this.#slots.set(slot, packs);
      return packs;
    }
    // A death may have come between a topic's deletion and the next section.
    const partitions = told.filter(({ topicId }) => this.#deps.cluster.isKnown(topicId));
    const isChanged = told.length > 0;
    const packs = new SlotPacks(slot, epoch, { partitions, isChanged });
    this.#slots.set(slot, packs);
    return packs;
  }

  /** Where something of the slot lies; its owner counts where the slot is copied before its claim. */
  #sourcesIn({ owner, sources, ...head }: Head, epoch: Epoch): readonly Source[] {
    const isMine = owner === this.#deps.cluster.incarnation && head.epoch === epoch;
    if (owner === undefined || isMine) return sources;
    return [...sources, { incarnation: owner, epoch: head.epoch }];
  }

  /** The slot's partitions with their packed parts, or why nobody knows them any more. */
  async #tellOf(
    sources: readonly Source[],
    slot: Slot,
  ): Promise<readonly PackedOwner[] | CheckpointDamagedError> {
    try {
      return await this.#former.partitionsOf(sources, slot);
    } catch (error) {
      if (!(error instanceof CheckpointDamagedError)) throw error;
      const what = `what is packed of slot ${slot} is lost: partitions that need it are offline`;
      this.#deps.warn(what, error);
      return error;
    }
  }

  async #withBatches(
    producers: ProducerState,
    tiered: TieredPartition,
    parts: readonly ColdPart[],
  ): Promise<ProducerState> {
    const { format } = this.#deps.wire;
    const { proofs } = tiered;
    for (const part of parts) {
      const bytes = (await proofs.wholeBatches(part)) ?? (await proofs.wholeBatches(part));
      if (bytes === undefined) {
        await this.#forgetProducers(tiered, part);
        continue;
      }
      const view = viewOf(bytes);
      for (const at of splitBatches(bytes).starts) {
        producers.apply(summarizeBatch(format, view, at));
      }
    }
    return producers;
  }
}

function isRegistered({ isBeingWritten, isChanged }: SlotPacks): boolean {
  return !isChanged && !isBeingWritten;
}
