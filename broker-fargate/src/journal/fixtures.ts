/** A journal of objects over stores in memory on virtual time, for the tests of this folder. */
import {
  FaultyMetadataStore,
  FaultyObjectStore,
  MemoryMetadataStore,
  MemoryObjectStore,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import { assert, decideTrim, epoch, incarnationId, keys, slot, topicId } from "@millrace/core";
import type { IncarnationId, MetadataStore, ObjectStore } from "@millrace/core";
import { crc32c } from "@millrace/wire";
import { FencedError } from "../cluster/slot-claims.ts";
import { read, transact } from "../cluster/persist.ts";
import type { StoreAccess } from "../cluster/persist.ts";
import type { PendingEntry } from "./append-journal.ts";
import { ObjectAccess } from "../tier/object-access.ts";
import type { FenceDeps } from "./objects/fence.ts";
import { checked, journalLimits } from "./limits.ts";
import type { JournalLimits } from "./limits.ts";
import { journalKey } from "./objects/journal-keys.ts";
import { ObjectJournal } from "./objects/object-journal.ts";
import type { FoundJournalObject } from "./objects/read-objects.ts";

export const cluster = "cluster";
export const incarnation: IncarnationId = incarnationId(`7-${"c".repeat(32)}`);
export const topic: ReturnType<typeof topicId> = topicId("0123456789abcdef".repeat(2));

export function keyOf(seq: number): string {
  return journalKey(cluster, incarnation, seq);
}

/** Limits so small that a short test meets them all. */
export const smallLimits: JournalLimits = checked({
  ...journalLimits,
  objectBytes: 1_000,
  putsInFlightMax: 3,
  journalBytesMax: 8_000,
  trimDueBytes: 2_000,
  pendingBytesMax: 4_000,
  deletedPerCallMax: 2,
  probesInFlightMax: 2,
  readsInFlightMax: 2,
  objectsAheadMax: 3,
  firstReadBytes: 1_100,
});

/** Lets every promise that can run do so. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** An entry of one byte pattern, and what it was told. */
export class TestEntry implements PendingEntry {
  readonly kind = "records";
  readonly topicId: typeof topic = topic;
  readonly partition = 0;
  readonly slot: ReturnType<typeof slot> = slot(3);
  readonly epoch: ReturnType<typeof epoch>;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly parts: readonly Uint8Array[];
  /** As `durable 4`, `delayed timedOut`, `failed`. */
  readonly told: string[] = [];
  readonly #onTold: (entry: TestEntry, what: string) => void;

  constructor(
    number: number,
    onTold: (entry: TestEntry, what: string) => void = () => undefined,
    bytes = 20,
  ) {
    this.baseOffset = number;
    this.lastOffset = number;
    this.epoch = epoch(5 + (number % 2));
    this.parts = [new Uint8Array(bytes).fill(number)];
    this.#onTold = onTold;
  }

  durable(seq: number): void {
    this.#tell(`durable ${seq}`);
  }

  delayed(reason: string): void {
    this.#tell(`delayed ${reason}`);
  }

  failed(): void {
    this.#tell("failed");
  }

  #tell(what: string): void {
    this.told.push(what);
    this.#onTold(this, what);
  }
}

/** The open item of the incarnation, as its owner writes it. */
export async function createItem(store: MetadataStore): Promise<void> {
  const value = { state: "open", journal: "objects", broker: 1, epoch: 5, trim: 0 };
  const key = keys.incarnation(incarnation);
  await store.transact([{ kind: "put", key, value, condition: { is: "absent" } }]);
}

/** Of the owner: conditional on its journal being open. */
export async function recordTrim(access: StoreAccess, trim: number): Promise<void> {
  for (;;) {
    const change = decideTrim(await read(access, keys.incarnation(incarnation)), trim);
    if (change.kind === "over") throw new FencedError("the journal is not open");
    if (change.kind === "unchanged") return;
    if ((await transact(access, [change.write], () => false)).ok) return;
  }
}

export interface RigOptions {
  readonly seed?: number;
  readonly limits?: JournalLimits;
  /** In front of the faults. */
  readonly wrap?: (store: ObjectStore) => ObjectStore;
}

export class JournalRig {
  readonly clock: VirtualClock = new VirtualClock();
  readonly random: SeededRandom;
  readonly memory: MemoryObjectStore = new MemoryObjectStore();
  readonly faults: FaultyObjectStore;
  readonly metadata: MemoryMetadataStore = new MemoryMetadataStore();
  readonly metadataFaults: FaultyMetadataStore;
  readonly access: StoreAccess;
  readonly objects: ObjectAccess;
  readonly journal: ObjectJournal;
  readonly limits: JournalLimits;
  /** What the journal said when it was over. */
  readonly over: unknown[] = [];
  readonly warnings: string[] = [];
  /** Of all entries, in the order in which it was told, as `3 durable 1`. */
  readonly told: string[] = [];
  /** Replaces how the trim is recorded. */
  recordTrim: (trim: number) => Promise<void>;

  constructor({ limits = smallLimits, seed = 1, wrap = (store) => store }: RigOptions = {}) {
    const { clock, metadata } = this;
    this.random = new SeededRandom(seed);
    const { random } = this;
    this.limits = limits;
    this.faults = new FaultyObjectStore(this.memory, { clock, random });
    this.metadataFaults = new FaultyMetadataStore(metadata, { clock, random });
    this.access = { store: this.metadataFaults, clock, random };
    this.objects = new ObjectAccess({ store: wrap(this.faults), clock, random });
    this.recordTrim = (trim) => recordTrim(this.access, trim);
    this.journal = new ObjectJournal({
      ...{ clock, random, crc32c, cluster, incarnation, limits },
      objects: this.objects,
      recordTrim: (trim) => this.recordTrim(trim),
      onOver: (cause) => this.over.push(cause),
      warn: (what) => this.warnings.push(what),
    });
  }

  append(number: number, bytes?: number): TestEntry {
    const entry = new TestEntry(number, (_, what) => this.told.push(`${number} ${what}`), bytes);
    this.journal.append(entry);
    return entry;
  }

  /** Lets `ms` pass, with all that happens in them. */
  async pass(ms: number): Promise<void> {
    const endMs = this.clock.monotonicMs() + ms;
    for (;;) {
      await turn();
      const { nextDueMs } = this.clock;
      if (nextDueMs === undefined || nextDueMs > endMs) break;
      this.clock.fireNext();
    }
    this.clock.advance(endMs - this.clock.monotonicMs());
    await turn();
  }

  fenceDeps(): FenceDeps {
    return {
      ...{ access: this.access, objects: this.objects, crc32c, cluster },
      limits: this.limits,
    };
  }
}

/** The numbers of the entries of an object, as `TestEntry` was given them. */
export function numbersIn(found: FoundJournalObject): readonly number[] {
  return found.object.entries.map(({ baseOffset, length, position }) => {
    const bytes = found.bytes.subarray(position, position + length);
    assert(
      bytes.every((byte) => byte === (baseOffset & 0xff)),
      "an entry has the bytes that were appended",
    );
    return baseOffset;
  });
}

/** An object store that lets puts through one by one, when it is told to. */
export class HeldPuts implements ObjectStore {
  readonly #inner: ObjectStore;
  readonly held: { readonly key: string; readonly letGo: () => void }[] = [];

  constructor(inner: ObjectStore) {
    this.#inner = inner;
  }

  async putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<"stored" | "exists"> {
    await new Promise<void>((resolve) => this.held.push({ key, letGo: resolve }));
    return this.#inner.putIfAbsent(key, parts);
  }

  readRange(...args: Parameters<ObjectStore["readRange"]>): Promise<Uint8Array | undefined> {
    return this.#inner.readRange(...args);
  }

  list(...args: Parameters<ObjectStore["list"]>): ReturnType<ObjectStore["list"]> {
    return this.#inner.list(...args);
  }

  delete(names: readonly string[]): Promise<void> {
    return this.#inner.delete(names);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** Lets the put of the seq's object through. */
  letGo(seq: number): void {
    const index = this.held.findIndex(({ key }) => key === keyOf(seq));
    const [put] = this.held.splice(index, 1);
    assert(put !== undefined && index >= 0, `seq ${seq} is under way`);
    put.letGo();
  }
}
