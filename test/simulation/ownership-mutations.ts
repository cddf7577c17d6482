import type { MemoryDisk } from "@millrace/adapter-memory";
import {
  type Item,
  type ItemValue,
  keys,
  type MetadataStore,
  type ObjectStore,
} from "@millrace/core";
import { MemberView } from "../../broker-fargate/src/cluster/member-view.ts";
import { JournalObjectMissingError } from "../../broker-fargate/src/journal/objects/journal-errors.ts";
import { JournalItems } from "../../broker-fargate/src/journal/files/journal-item.ts";
import { FormerEntries } from "../../broker-fargate/src/takeover/former-entries.ts";
import { Tier } from "../../broker-fargate/src/tier/tier.ts";
import { keyKind, objectKind } from "./fault-table.ts";
import type { MutatedStart } from "./life-ports.ts";
import { type KnownMutation, mutatedDisk, passingItems, replaced } from "./mutating.ts";

const slowMs = 4_000;
const pageItems = 1_000;

/** The first incarnation of a change of leadership gets the newest epoch that was given before. */
function givingEpochsAgain(store: MetadataStore): MetadataStore {
  return {
    ...passingItems(store),
    transact: async (writes) => {
      const newest = Number((await store.get(keys.leadership))?.value["epoch"] ?? 0);
      const lowered = (value: ItemValue): ItemValue => {
        const assignments = (value["assignments"] ?? []) as readonly { readonly epoch: number }[];
        const older = (epoch: number): number => (epoch > newest ? epoch - 1 : epoch);
        return {
          ...value,
          epoch: older(Number(value["epoch"])),
          assignments: assignments.map((one) => ({ ...one, epoch: older(one.epoch) })),
        };
      };
      return store.transact(
        writes.map((write) => {
          const isSuch = write.kind === "put" && write.key === keys.leadership && newest > 0;
          return isSuch ? { ...write, value: lowered(write.value) } : write;
        }),
      );
    },
  };
}

/** What is under a slot when its head is first read counts when the head is claimed, long after. */
function readingTooEarly(store: MetadataStore, { after }: MutatedStart): MetadataStore {
  const early = new Map<string, readonly Item[]>();
  const claimed = new Set<string>();
  const slotOf = (key: string): string => key.split("/").slice(0, 2).join("/");
  const look = async (slot: string): Promise<void> => {
    const range = { from: `${slot}/`, to: `${slot}0`, limit: pageItems };
    early.set(slot, (await store.range(range)).items);
  };
  return {
    ...passingItems(store),
    get: async (key, consistency) => {
      if (keyKind(key) === "head" && !early.has(slotOf(key))) await look(slotOf(key));
      return store.get(key, consistency);
    },
    range: async (range) => {
      const seen = claimed.has(slotOf(range.from)) ? early.get(slotOf(range.from)) : undefined;
      if (seen === undefined) return store.range(range);
      return { items: seen.filter(({ key }) => key >= range.from && key < range.to) };
    },
    transact: async (writes) => {
      const heads = writes.filter(({ key, kind }) => kind === "put" && keyKind(key) === "head");
      const slots = heads.map(({ key }) => slotOf(key)).filter((slot) => !claimed.has(slot));
      const outcome = await store.transact(writes);
      if (!outcome.ok) return outcome;
      for (const slot of slots) {
        claimed.add(slot);
        after(slowMs, () => claimed.delete(slot));
      }
      return outcome;
    },
  };
}

/** Whoever writes a group or its offsets need not own their slot any more. */
function writingWithoutHead(store: MetadataStore): MetadataStore {
  return {
    ...passingItems(store),
    transact: (writes) => {
      const kinds = writes.map(({ key }) => keyKind(key));
      const isOfGroup = kinds.includes("offsets") || kinds.includes("group");
      return store.transact(
        isOfGroup ? writes.filter(({ key }) => keyKind(key) !== "head") : writes,
      );
    },
  };
}

const ageMsMax = 20;

/** Segments that nobody names go when they are old enough, whoever may be about to name them. */
function janitorByAge(): Pick<KnownMutation, "objects" | "store"> {
  const stores = new WeakMap<MutatedStart, MetadataStore>();
  const isNamed = async (store: MetadataStore, object: string): Promise<boolean> => {
    const [slot = ""] = (object.split("/").at(-1) ?? "").split("-").slice(1);
    const of = `slot/${slot.padStart(5, "0")}/segment`;
    const { items } = await store.range({ from: `${of}/`, to: `${of}0`, limit: pageItems });
    return items.some(({ value }) => value["object"] === object);
  };
  const objects = (store: ObjectStore, start: MutatedStart): ObjectStore => {
    const sweep = async (key: string): Promise<void> => {
      const items = stores.get(start);
      if (items !== undefined && !(await isNamed(items, key))) await store.delete([key]);
    };
    return {
      readRange: (key, range) => store.readRange(key, range),
      list: (listing) => store.list(listing),
      delete: (gone) => store.delete(gone),
      close: () => store.close(),
      putIfAbsent: async (key, parts) => {
        const outcome = await store.putIfAbsent(key, parts);
        if (objectKind(key) !== "data") return outcome;
        start.after(start.world.below(ageMsMax), () => {
          // What a store that is away keeps is not what is looked for.
          sweep(key).catch(() => undefined);
        });
        return outcome;
      },
    };
  };
  return {
    objects,
    store: (store, start) => {
      stores.set(start, store);
      return store;
    },
  };
}

/** Nothing of a member's folder is removed, by nobody: a new life begins with what the last one had. */
function oldDisks(): NonNullable<KnownMutation["disk"]> {
  const lastOf = new WeakMap<object, Map<string, MemoryDisk>>();
  return (disk, { host, memoryDisk, world }) => {
    const ofWorld = lastOf.get(world) ?? new Map<string, MemoryDisk>();
    lastOf.set(world, ofWorld);
    const last = ofWorld.get(host);
    ofWorld.set(host, memoryDisk);
    for (const path of last?.paths() ?? []) {
      const folders = path.split("/").slice(0, -1);
      folders.forEach((_, at) => memoryDisk.makeDirectory(folders.slice(0, at + 1).join("/")));
      const file = memoryDisk.open(path, { create: "ifAbsent" });
      file?.write(0, [last?.bytesOf(path) ?? new Uint8Array(0)]);
      file?.close();
    }
    return { ...mutatedDisk(disk, () => ({})), removeFolder: () => Promise.resolve() };
  };
}

/** A claim of evidence that nothing supports. */
function answeringAnyway(): () => void {
  const { prototype } = MemberView;
  const proper = Object.getOwnPropertyDescriptor(prototype, "hasEvidence");
  Object.defineProperty(prototype, "hasEvidence", { configurable: true, get: () => true });
  const restore = replaced(prototype, "isStillOurs", () => () => Promise.resolve(true));
  return () => {
    restore();
    if (proper !== undefined) Object.defineProperty(prototype, "hasEvidence", proper);
  };
}

/** A slot that was copied once counts as copied for good, at whichever epoch that was. */
function countingOldCopies(): () => void {
  const copied = new WeakMap<object, Set<number>>();
  return replaced(Tier.prototype, "isSlotCopied", (isSlotCopied) => {
    return function (this: (typeof Tier)["prototype"], slot) {
      const before = copied.get(this) ?? new Set();
      copied.set(this, before);
      if (isSlotCopied.call(this, slot)) before.add(slot);
      return before.has(slot);
    };
  });
}

const lostRecords = [
  "internal",
  "lostWrite",
  "unseen",
  "inconsistentOffsets",
  "duplicate",
] as const;

/**
 * What owners, claimants, coordinators and the janitor of a cluster must not do.
 *
 * One mistake is not here, because no run has shown it: entries of another epoch than their source's
 * that are replayed, too. An incarnation has a slot at two epochs only where it released it in
 * between, and a release comes after all of the former epoch is in checkpoints; replay goes on from
 * where these end, and passes over batches that end before. A test of FormerEntries finds it, and so
 * does the model of the protocol.
 */
export const ownershipMutations: readonly KnownMutation[] = [
  {
    name: "an epoch is given to two incarnations",
    regime: "cluster",
    store: givingEpochsAgain,
    foundAs: ["internal"],
    seedsMax: 2,
  },
  {
    name: "what is under a slot is read before its head is claimed",
    regime: "cluster",
    store: readingTooEarly,
    events: 12_000,
    foundAs: [...lostRecords, "commitWentBack"],
    seedsMax: 10,
  },
  {
    // Alone it is caught by the second check: who was away for long asks before it answers.
    name: "groups and offsets are written without the head's epoch, and answered without a look at it",
    regime: "cluster",
    store: writingWithoutHead,
    patch: answeringAnyway,
    prefers: "pauseLong",
    focus: "groups",
    events: 20_000,
    foundAs: ["commitWentBack", "internal"],
    seedsMax: 16,
  },
  {
    name: "offsets are answered from memory when there is no evidence any more",
    regime: "cluster",
    patch: answeringAnyway,
    prefers: "pauseLong",
    focus: "groups",
    events: 20_000,
    foundAs: ["commitWentBack", "internal"],
    seedsMax: 12,
  },
  {
    name: "a copy of an earlier epoch counts as one of the present one",
    regime: "cluster",
    patch: countingOldCopies,
    prefers: "moves",
    events: 20_000,
    foundAs: lostRecords,
    seedsMax: 8,
  },
  {
    name: "a journal that is closed is deleted although heads name it",
    regime: "cluster",
    patch: () => {
      const restore = (["listOver", "unnamedOf"] as const).map((name) =>
        name === "listOver"
          ? replaced(JournalItems.prototype, name, (list) => {
              return function (this: JournalItems) {
                return list.call(this, 0);
              };
            })
          : replaced(JournalItems.prototype, name, (list) => {
              return function (this: JournalItems, incarnations) {
                return list.call(this, incarnations, 0);
              };
            }),
      );
      return () => {
        for (const each of restore) each();
      };
    },
    faultsMsMin: 60_000,
    foundAs: ["internal"],
    seedsMax: 16,
  },
  {
    name: "segments that nobody names are swept by their age",
    regime: "cluster",
    ...janitorByAge(),
    faultsMsMin: 60_000,
    foundAs: ["internal", "stuck", "lostWrite", "unseen"],
    seedsMax: 4,
  },
  {
    name: "objects of the journal are deleted before the trim is written",
    regime: "cluster",
    patch: () =>
      replaced(JournalItems.prototype, "recordTrim", (recordTrim) => {
        return function (this: JournalItems, ...how) {
          // Whatever becomes of it, the deletion has begun.
          recordTrim.apply(this, how).catch(() => undefined);
          return Promise.resolve();
        };
      }),
    faultsMsMin: 60_000,
    foundAs: ["internal"],
    seedsMax: 4,
  },
  {
    name: "a missing object of a journal is taken for its end",
    regime: "cluster",
    prefers: "journalObjectLost",
    patch: () =>
      replaced(FormerEntries.prototype, "load", (load) => {
        return async function (this: FormerEntries, ...how) {
          await load.apply(this, how).catch((error: unknown) => {
            if (!(error instanceof JournalObjectMissingError)) throw error;
          });
        };
      }),
    events: 12_000,
    foundAs: ["internal", "lostWrite", "unseen", "inconsistentOffsets"],
    seedsMax: 8,
  },
  {
    name: "what a former life left on the disk is there, and is trusted",
    regime: "cluster",
    disk: oldDisks(),
    events: 12_000,
    foundAs: [...lostRecords, "highWatermarkWentBack", "stuck"],
    seedsMax: 8,
  },
];
