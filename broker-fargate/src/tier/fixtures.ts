/** Cold parts in memory, and a checkpointer over stores in memory, for the tests of this folder. */
import {
  FaultyMetadataStore,
  FaultyObjectStore,
  MemoryDisk,
  MemoryMetadataStore,
  MemoryObjectStore,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import {
  assert,
  ColdLog,
  epoch,
  incarnationId,
  isShared,
  keys,
  slot,
  topicId,
  topicSettings,
} from "@millrace/core";
import type {
  ColdPart,
  MetadataStore,
  ObjectStore,
  PartitionLog,
  Slot,
  TopicSettings,
  ReadBuffers,
  Write,
} from "@millrace/core";
import { crc32c, jsCodecs, TIER_NONCE_BYTES } from "@millrace/wire";
import { DirectSideWork } from "../../../test/fixtures/direct-side-work.ts";
import { appendAll, openTestLog, testBatch } from "../../../test/fixtures/partition-log.ts";
import type { TestBatch } from "../../../test/fixtures/partition-log.ts";
import type { MarkedPartition } from "../partition/partition-items.ts";
import { SlotWrites } from "../partition/slot-writes.ts";
import { wireFormat } from "../partition/wire-format.ts";
import type { WireFormat } from "../partition/wire-format.ts";
import { Checkpointer } from "./checkpointer.ts";
import { CheckpointWriter } from "./checkpoint-writer.ts";
import { ChunkCache } from "./chunk-cache.ts";
import { ColdReads } from "./cold-reads.ts";
import { ColdChanges } from "./cold-changes.ts";
import type { RegisteredCheckpoint } from "./former-checkpoints.ts";
import { ImageTails } from "./image-tails.ts";
import { ImageWriter } from "./image-writer.ts";
import type { WrittenImage } from "./image-writer.ts";
import { checked, tierLimits } from "./limits.ts";
import type { TierLimits } from "./limits.ts";
import { ManifestItems } from "./manifest-items.ts";
import { ObjectAccess } from "./object-access.ts";
import { partProofs } from "./part-proofs.ts";
import { SlotPacks } from "./slot-packs.ts";
import type { TieredPartition } from "./tiered-partition.ts";

export const wire: WireFormat = wireFormat({ codecs: jsCodecs, crc32c });
export const clusterId = "cluster";
export const incarnation: ReturnType<typeof incarnationId> = incarnationId(`1-${"a".repeat(32)}`);
export const formerIncarnation: typeof incarnation = incarnationId(`0-${"b".repeat(32)}`);
export const topic: ReturnType<typeof topicId> = topicId("0123456789abcdef".repeat(2));

/** Limits so small that a short test meets them all; but uploads wait for no clock. */
export const smallLimits: TierLimits = checked({
  ...tierLimits,
  coldSegmentBytesMin: 1_000,
  coldSegmentBytesMax: 2_000,
  segmentsPerCommitMax: 3,
  checkpointBytesMax: 2_500,
  checkpointDueBytes: 10_000,
  leftTailBytesMax: 40_000,
  leftJournalBytesMax: 20_000,
  hurriedJournalBytesMin: 60_000,
  checkpointsMax: 4,
  chunkBytes: 100,
  cachedBytesMax: 1_600,
  readsInFlightMax: 6,
  readAheadChunksMax: 4,
  cachedIndexesMax: 3,
  cachedSectionsMax: 2,
  checkpointEndBytes: 65_536,
  checkpointEndsMax: 2,
  readCursorsMax: 3,
  uploadReadBytesPerTurn: Number.POSITIVE_INFINITY,
  asideReadBytesMin: 1,
});

/** Lets every promise that can run do so. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** An image of partition 0 of `topic`. */
export function imageOf(
  batches: readonly TestBatch[],
  range: {
    readonly baseOffset: number;
    readonly nextOffset: number;
    readonly producers?: Uint8Array;
  },
): WrittenImage {
  const { baseOffset, nextOffset, producers = new Uint8Array() } = range;
  const image = new ImageWriter({ topicId: topic, partition: 0, baseOffset }, wire);
  for (const { bytes } of batches) image.add(bytes);
  return image.finish({ nextOffset, producers, nonce: new Uint8Array(TIER_NONCE_BYTES) });
}

export function bytesIn(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** A part without an object. */
export function partOf(
  fields: Partial<ColdPart> & Pick<ColdPart, "baseOffset" | "nextOffset">,
): ColdPart {
  const place = { object: `at-${fields.baseOffset}`, position: 0, bytes: 200, batchesBytes: 100 };
  return { ...place, maxTimestamp: -1, leaderEpochs: [], ...fields };
}

/** A partition as a checkpointer knows it. */
export interface TestOwner {
  readonly log: PartitionLog;
  readonly settings: TopicSettings;
  isOver: boolean;
  readonly tiered: TieredPartition;
}

/** A checkpointer with all that it writes through, over stores in memory on virtual time. */
export class CheckpointerRig {
  readonly clock: VirtualClock = new VirtualClock();
  readonly random: SeededRandom = new SeededRandom(1);
  readonly memory: MemoryObjectStore = new MemoryObjectStore();
  readonly objectFaults: FaultyObjectStore;
  readonly metadata: MemoryMetadataStore = new MemoryMetadataStore();
  readonly metadataFaults: FaultyMetadataStore;
  readonly objects: ObjectAccess;
  readonly manifest: ManifestItems;
  readonly writer: CheckpointWriter;
  readonly checkpointer: Checkpointer<TestOwner>;
  readonly registered: RegisteredCheckpoint[] = [];
  /** By the writer of checkpoints, the oldest first. */
  readonly givenBack: Uint8Array[] = [];
  /** What uploads are read into. */
  readonly buffers: HeldBuffers = new HeldBuffers();
  /** As `begin 0` and `end 0`, by partition. */
  readonly covered: string[] = [];
  readonly copied: Slot[] = [];
  readonly warnings: string[] = [];
  /** As `0: 3-5`: of partition 0, offsets 3 and 4. */
  readonly lost: string[] = [];
  readonly sideWork: DirectSideWork = new DirectSideWork();
  readonly slots: Map<Slot, SlotPacks> = new Map<Slot, SlotPacks>();
  /** Called before a checkpoint is registered: may throw. */
  onRegister: (checkpoint: RegisteredCheckpoint) => void = () => undefined;
  readonly #limits: TierLimits;
  readonly #segmentBytes: number;
  readonly #disk = new MemoryDisk();
  readonly #chunks: ChunkCache;
  readonly #tails: ImageTails;

  constructor(
    options: {
      readonly limits?: TierLimits;
      /** Of the logs. */
      readonly segmentBytes?: number;
      readonly overObjects?: (store: ObjectStore) => ObjectStore;
      readonly overMetadata?: (store: MetadataStore) => MetadataStore;
    } = {},
  ) {
    const { clock, random } = this;
    const { overMetadata, overObjects, limits = smallLimits } = options;
    this.#limits = limits;
    this.#segmentBytes = options.segmentBytes ?? 1_000;
    this.objectFaults = new FaultyObjectStore(this.memory, { clock, random });
    this.metadataFaults = new FaultyMetadataStore(this.metadata, { clock, random });
    const store = overObjects?.(this.objectFaults) ?? this.objectFaults;
    const access = { store: overMetadata?.(this.metadataFaults) ?? this.metadataFaults };
    const stores = { ...access, clock, random };
    this.objects = new ObjectAccess({ store, clock, random });
    this.manifest = new ManifestItems(stores, new SlotWrites(stores));
    const warn = (what: string): void => void this.warnings.push(what);
    const { objects, manifest } = this;
    this.writer = new CheckpointWriter({
      ...{ objects, random, crc32c, clusterId, incarnation, limits },
      buffers: {
        ...spoiledBuffers,
        giveBack: (view) => {
          this.givenBack.push(view);
          this.buffers.giveBack(view);
        },
      },
      register: async (checkpoint) => {
        this.onRegister(checkpoint);
        this.registered.push(checkpoint);
      },
    });
    const readRange = objects.readRange.bind(objects);
    const monotonicMs = (): number => clock.monotonicMs();
    this.#chunks = new ChunkCache({
      readRange,
      buffers: spoiledBuffers,
      monotonicMs,
      limits,
      warn,
    });
    this.#tails = new ImageTails({ wire, limits, readRange, warn });
    this.checkpointer = new Checkpointer<TestOwner>({
      ...{ clock, random, wire, limits, objects, manifest, writer: this.writer },
      ...{ clusterId, incarnation, buffers: this.buffers, sideWork: this.sideWork, warn },
      cover: {
        begin: ({ tiered }) => void this.covered.push(`begin ${tiered.partition}`),
        end: ({ tiered }) => void this.covered.push(`end ${tiered.partition}`),
      },
      slots: () => this.slots.values(),
      released: { objects: () => [], forgetCopied: () => Promise.resolve() },
      onCopied: async (of) => void this.copied.push(of),
      onLost: ({ partition }, { baseOffset, nextOffset }) => {
        this.lost.push(`${partition}: ${baseOffset}-${nextOffset}`);
      },
    });
  }

  /** A partition of its own slot unless told otherwise; nothing of it is in the object store. */
  owner(partition: number, inSlot: number = partition): TestOwner {
    const at: MarkedPartition = {
      ...{ topicId: topic, partition, slot: slot(inSlot), openSlot: { epoch: epoch(1) } },
    };
    const packs =
      this.slots.get(at.slot) ??
      new SlotPacks(at.slot, at.openSlot.epoch, { partitions: [], isChanged: false });
    this.slots.set(at.slot, packs);
    // Takes effect within the call.
    void this.metadata.transact([headWrite(at.slot, at.openSlot.epoch)]);
    const directory = `partitions/${partition}`;
    const segmentBytes = this.#segmentBytes;
    const config = { segmentBytes, segmentMs: 1e15, segmentIndexBytes: 10_000 };
    const log = openTestLog(this.#disk, {
      ...{ directory, buffers: this.buffers },
      config: { ...config, indexIntervalBytes: 1 },
    });
    const cold = new ColdLog([], packs.find(topic, partition));
    const reads = new ColdReads(cold, {
      ...{ chunks: this.#chunks, tails: this.#tails, limits: this.#limits, wire },
      ...{ buffers: freshBuffers, warn: (what) => void this.warnings.push(what) },
    });
    const changes = new ColdChanges(
      { at, cold, left: new Set() },
      {
        ...{ objects: this.objects, manifest: this.manifest, random: this.random, clusterId },
        onGone: (were) => void (packs.isChanged ||= were === "packed"),
        warn: (what) => void this.warnings.push(what),
        later: (run) => void this.clock.after(this.#limits.checkpointRetryMs, run),
      },
    );
    const tiered: TieredPartition = {
      ...{ topicId: topic, partition, at, cold, reads, packs, changes, isBeingCopied: false },
      parts: {
        tailOf: (part) => this.#tails.loadOrFail(part),
        readRange: this.objects.readRange.bind(this.objects),
        newImage: (range) => new ImageWriter({ topicId: topic, partition, ...range }, wire),
      },
      proofs: partProofs({
        of: at,
        readRange: this.objects.readRange.bind(this.objects),
        readTail: (part) => this.#tails.loadAgain(part),
        ...{ crc32c, pieceBytes: this.#limits.chunkBytes },
      }),
      cutStart: (offset) => changes.cutStart(offset),
    };
    packs.put(tiered);
    return { log, settings: defaultSettings, isOver: false, tiered };
  }

  /** Appends `count` batches of about `bytes` bytes, and tells the checkpointer. */
  append(owner: TestOwner, count: number, bytes = 200): void {
    for (let i = 0; i < count; i += 1) {
      const baseOffset = owner.log.endOffset;
      const batch = testBatch({ baseOffset, timestamps: [baseOffset], valueBytes: bytes - 70 });
      appendAll(owner.log, [batch]);
      this.checkpointer.appended(owner, batch.bytes.length);
    }
  }

  /** Fires timers up to `ms` from now, letting promises run between them. */
  async pass(ms: number): Promise<void> {
    const endMs = this.clock.monotonicMs() + ms;
    for (;;) {
      await turn();
      const dueMs = this.clock.nextDueMs;
      if (dueMs === undefined || dueMs > endMs) break;
      this.clock.fireNext();
    }
    this.clock.advance(endMs - this.clock.monotonicMs());
    await turn();
  }

  /** Lets virtual time pass until the call has settled. */
  async run<Result>(call: Promise<Result>): Promise<Result> {
    const state = { isSettled: false };
    const settled = call.finally(() => {
      state.isSettled = true;
    });
    // The rejection is the caller's, below.
    settled.catch(() => undefined);
    while (!state.isSettled) {
      await turn();
      if (!state.isSettled) this.clock.fireNext();
    }
    return settled;
  }

  /** Keys of checkpoints, or of cold segments. */
  keys(kind: "checkpoint" | "data"): readonly string[] {
    return this.memory.keys.filter((key) => key.includes(`/${kind}/`));
  }
}

/** `incarnation` owns the slot. */
export function headWrite(of: Slot, epochOf: number): Write {
  const value = { owner: incarnation, epoch: epochOf, sources: [] };
  return { kind: "put", key: keys.head(of), value };
}

const defaultSettings: TopicSettings = topicSettings(new Map([["remote.storage.enable", "true"]]), {
  ...{ broker: new Map(), cluster: new Map(), fixed: new Map() },
});

/** What is given back has other content at once: whoever still reads it gets no batches. */
export const spoiledBuffers: ReadBuffers = {
  take: (bytes) => new Uint8Array(bytes),
  takeShared: (bytes) => new Uint8Array(new SharedArrayBuffer(bytes)),
  giveBack: (view) => void view.fill(0xee),
};

/** Knows who has its shared memory. What is given back has other content at once, too. */
export class HeldBuffers implements ReadBuffers {
  /** Taken, and not given back. */
  readonly held: Set<ArrayBufferLike> = new Set();

  take(bytes: number): Uint8Array {
    return spoiledBuffers.take(bytes);
  }

  takeShared(bytes: number): Uint8Array {
    const view = spoiledBuffers.takeShared(bytes);
    this.held.add(view.buffer);
    return view;
  }

  giveBack(view: Uint8Array): void {
    const isHeld = this.held.delete(view.buffer);
    assert(isHeld || !isShared(view), "memory comes back once");
    spoiledBuffers.giveBack(view);
  }
}

export const freshBuffers: {
  readonly take: (bytes: number) => Uint8Array;
  readonly takeShared: (bytes: number) => Uint8Array;
  readonly giveBack: () => void;
} = {
  take: (bytes) => new Uint8Array(bytes),
  takeShared: (bytes) => new Uint8Array(new SharedArrayBuffer(bytes)),
  giveBack: () => undefined,
};
