import { type ObjectStore, PartitionLog, ProducerState } from "@millrace/core";
import { ImageIndexBuilder, type ImageIndexEntry } from "@millrace/wire";
import { Duties } from "../../broker-fargate/src/partition/duties.ts";
import { FormerJournals } from "../../broker-fargate/src/recovery/former-journals.ts";
import { ColdReads } from "../../broker-fargate/src/tier/cold-reads.ts";
import { ImageWriter } from "../../broker-fargate/src/tier/image-writer.ts";
import { Janitor } from "../../broker-fargate/src/tier/janitor.ts";
import { ManifestItems } from "../../broker-fargate/src/tier/manifest-items.ts";
import { Tier } from "../../broker-fargate/src/tier/tier.ts";
import type { TieredPartition } from "../../broker-fargate/src/tier/tiered-partition.ts";
import type { MutatedStart } from "./broker-host.ts";
import { keyKind, objectKind } from "./fault-table.ts";
import { forgetfulStore, type KnownMutation, mutateOwners, replaced } from "./mutating.ts";

const lateMs = 300;
const slowMs = 3_000;

/** Of these objects the broker is told that they are stored, and they are some time later. */
function lateObjects(store: ObjectStore, kind: string, { after }: MutatedStart): ObjectStore {
  return {
    ...passing(store),
    putIfAbsent: (key, parts) => {
      if (objectKind(key) !== kind) return store.putIfAbsent(key, parts);
      const copies = parts.map((part) => part.slice());
      after(lateMs, () => {
        // A fault is one more reason for which it is not there.
        store.putIfAbsent(key, copies).catch(() => undefined);
      });
      return Promise.resolve("stored");
    },
  };
}

/** With a new checkpoint the one before it is deleted, although its successor is not registered. */
function hastyStore(store: ObjectStore): ObjectStore {
  let before: string | undefined;
  return {
    ...passing(store),
    putIfAbsent: async (key, parts) => {
      const outcome = await store.putIfAbsent(key, parts);
      if (objectKind(key) !== "checkpoint") return outcome;
      if (before !== undefined && before !== key) await store.delete([before]);
      before = key;
      return outcome;
    },
  };
}

/** Puts take longer than the journal waits for its segments, and than rounds of compaction take. */
export function slowStore(store: ObjectStore, { after }: MutatedStart): ObjectStore {
  return {
    ...passing(store),
    putIfAbsent: async (key, parts) => {
      await new Promise<void>((resolve) => after(slowMs, resolve));
      return store.putIfAbsent(key, parts);
    },
  };
}

function passing(store: ObjectStore): ObjectStore {
  return {
    putIfAbsent: (key, parts) => store.putIfAbsent(key, parts),
    readRange: (key, range) => store.readRange(key, range),
    list: (listing) => store.list(listing),
    delete: (keys) => store.delete(keys),
    close: () => store.close(),
  };
}

/** Each entry says the position of the batch after its own. */
function shiftIndexes(): () => void {
  const batches = new WeakMap<ImageIndexBuilder, ImageIndexEntry[]>();
  const restoreAdd = replaced(ImageIndexBuilder.prototype, "add", (add) => {
    return function (this: ImageIndexBuilder, batch) {
      const { batchesBytes: position, maxTimestamp: maxTimestampBefore } = this;
      add.call(this, batch);
      const { baseOffset } = batch;
      const before = batches.get(this) ?? [];
      batches.set(this, [...before, { baseOffset, position, maxTimestampBefore }]);
    };
  });
  const proper = Object.getOwnPropertyDescriptor(ImageIndexBuilder.prototype, "entries");
  Object.defineProperty(ImageIndexBuilder.prototype, "entries", {
    configurable: true,
    get(this: ImageIndexBuilder): readonly ImageIndexEntry[] {
      const all = batches.get(this) ?? [];
      return all.slice(0, -1).map((entry, at) => {
        return at === 0 ? entry : { ...entry, position: all[at + 1]?.position ?? 0 };
      });
    },
  });
  return () => {
    restoreAdd();
    if (proper !== undefined) Object.defineProperty(ImageIndexBuilder.prototype, "entries", proper);
  };
}

function dropPackedEarly(): () => void {
  const tieredAt = new WeakMap<object, TieredPartition>();
  const restoreLoad = replaced(Tier.prototype, "load", (load) => {
    return async function (this: (typeof Tier)["prototype"], at, ...rest) {
      const tiered = await load.call(this, at, ...rest);
      tieredAt.set(tiered.at, tiered);
      return tiered;
    };
  });
  const restoreAdd = replaced(ManifestItems.prototype, "add", (add) => {
    return function (this: ManifestItems, ...[at, ...rest]) {
      tieredAt.get(at)?.cold.replacePacked([]);
      return add.call(this, at, ...rest);
    };
  });
  return () => {
    restoreLoad();
    restoreAdd();
  };
}

const lostRecords = [
  "lostWrite",
  "unseen",
  "inconsistentOffsets",
  "highWatermarkWentBack",
  "duplicate",
  "internal",
] as const;

/** Mistakes between the disk, the object store and the manifest. */
export const tierMutations: readonly KnownMutation[] = [
  {
    name: "a cold segment is named before it is stored",
    regime: "journal",
    crashAt: "segment named",
    foundAs: ["internal"],
    seedsMax: 8,
    objects: (store, start) => lateObjects(store, "data", start),
  },
  {
    name: "a checkpoint is registered before it is stored",
    regime: "journal",
    crashAt: "checkpoint registered",
    foundAs: ["internal"],
    seedsMax: 8,
    objects: (store, start) => lateObjects(store, "checkpoint", start),
  },
  {
    name: "a checkpoint is deleted before its successor is registered",
    regime: "local",
    crashAt: "checkpoint registered",
    foundAs: ["internal"],
    seedsMax: 16,
    objects: (store) => hastyStore(store),
  },
  {
    name: "the index of an image is off by one",
    regime: "local",
    foundAs: ["pollSkip", "lostWrite", "unseen", "internal"],
    seedsMax: 8,
    patch: shiftIndexes,
  },
  {
    name: "an image forgets the producers",
    regime: "journal",
    prefers: "stopAndLoseLogs",
    foundAs: ["duplicate", "internal"],
    seedsMax: 12,
    patch: () =>
      replaced(ImageWriter.prototype, "finish", (finish) => {
        return function (this: ImageWriter, end) {
          return finish.call(this, { ...end, producers: ProducerState.empty().snapshot() });
        };
      }),
  },
  {
    name: "the journal is trimmed before the object store has what it holds",
    regime: "journal",
    crashAt: "log restarted",
    foundAs: lostRecords,
    seedsMax: 8,
    objects: (store, start) => slowStore(store, start),
    patch: () =>
      replaced(Duties.prototype, "journaled", (journaled) => {
        return function (this: Duties, owner, seq) {
          journaled.call(this, owner, seq);
          this.beginTiering(owner);
          this.tiered(owner);
        };
      }),
  },
  {
    name: "a former journal is closed before the object store has what it holds",
    regime: "journal",
    crashAt: "log restarted",
    foundAs: lostRecords,
    seedsMax: 16,
    patch: () =>
      replaced(FormerJournals.prototype, "keep", (keep) => {
        return function (this: FormerJournals<unknown>, incarnation, owner) {
          keep.call(this, incarnation, owner);
          this.covered(owner);
        };
      }),
  },
  {
    name: "local retention goes past what the object store has",
    regime: "local",
    foundAs: ["internal"],
    seedsMax: 8,
    patch: () =>
      replaced(PartitionLog.prototype, "removeLocalBefore", (remove) => {
        return function (this: PartitionLog) {
          remove.call(this, this.endOffset);
        };
      }),
  },
  {
    name: "packed parts are dropped before the cold segment that covers them is named",
    regime: "local",
    foundAs: ["internal"],
    seedsMax: 24,
    patch: dropPackedEarly,
  },
  {
    name: "a source is dropped before its packs were copied",
    regime: "lossy",
    foundAs: lostRecords,
    seedsMax: 16,
    broker: (opened) => {
      const { cluster } = opened.broker;
      mutateOwners(opened, ({ slot }) => {
        cluster.dropSources(slot).catch(() => undefined);
      });
    },
  },
  {
    name: "what a crash left in the object store is never swept",
    regime: "local",
    crashAt: "segment named",
    foundAs: ["internal"],
    seedsMax: 8,
    patch: () =>
      replaced(Janitor.prototype, "sweep", () => {
        return () => Promise.resolve({ segments: 0, checkpoints: 0 });
      }),
  },
  {
    name: "a missing object is taken as the end of the log",
    regime: "local",
    foundAs: ["internal"],
    seedsMax: 8,
    patch: () =>
      replaced(ColdReads.prototype, "read", (read) => {
        return function (this: ColdReads, range) {
          const found = read.call(this, range);
          if (found.kind !== "failed") return found;
          return { kind: "ok", records: [], nextOffset: range.from };
        };
      }),
  },
  {
    name: "the log start is not stored before objects below it are deleted",
    regime: "local",
    foundAs: ["internal", ...lostRecords],
    seedsMax: 8,
    store: (store) => forgetfulStore(store, ({ key }) => keyKind(key) === "partition"),
  },
];
