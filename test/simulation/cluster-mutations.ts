import type { Item, ItemValue, MetadataStore, ObjectStore, Write } from "@millrace/core";
import { crc32c, decodeFence } from "@millrace/wire";
import { Flights } from "../../broker-fargate/src/journal/objects/flights.ts";
import { ObjectJournal } from "../../broker-fargate/src/journal/objects/object-journal.ts";
import { JournalItems } from "../../broker-fargate/src/journal/files/journal-item.ts";
import { FormerEntries } from "../../broker-fargate/src/takeover/former-entries.ts";
import { Tier } from "../../broker-fargate/src/tier/tier.ts";
import { keyKind, objectKind } from "./fault-table.ts";
import type { MutatedStart } from "./life-ports.ts";
import { type KnownMutation, passingItems, replaced } from "./mutating.ts";
import { ownershipMutations } from "./ownership-mutations.ts";

const slowMs = 400;

function passing(store: ObjectStore): ObjectStore {
  return {
    putIfAbsent: (key, parts) => store.putIfAbsent(key, parts),
    readRange: (key, range) => store.readRange(key, range),
    list: (listing) => store.list(listing),
    delete: (keys) => store.delete(keys),
    close: () => store.close(),
  };
}

function isFence(key: string, [first]: readonly Uint8Array[]): boolean {
  if (objectKind(key) !== "journal" || first === undefined) return false;
  return decodeFence(first, crc32c).kind !== "invalid";
}

/** A fence takes the place of what came there since somebody looked. */
function overwritingFences(store: ObjectStore, { after }: MutatedStart): ObjectStore {
  return {
    ...passing(store),
    putIfAbsent: async (key, parts) => {
      if (!isFence(key, parts)) return store.putIfAbsent(key, parts);
      const copies = parts.map((part) => part.slice());
      await new Promise<void>((resolve) => after(slowMs, resolve));
      await store.delete([key]);
      return store.putIfAbsent(key, copies);
    },
  };
}

/** Every third object of a journal takes longer. */
function unevenJournals(store: ObjectStore, { after }: MutatedStart): ObjectStore {
  return {
    ...passing(store),
    putIfAbsent: async (key, parts) => {
      const isSlow = objectKind(key) === "journal" && Number(key.split("/").at(-1)) % 3 === 0;
      if (!isSlow || isFence(key, parts)) return store.putIfAbsent(key, parts);
      const copies = parts.map((part) => part.slice());
      await new Promise<void>((resolve) => after(slowMs, resolve));
      return store.putIfAbsent(key, copies);
    },
  };
}

/** With the last of a journal its fence goes, too. */
function unfencing(store: ObjectStore): ObjectStore {
  return {
    ...passing(store),
    delete: async (keys) => {
      await store.delete(keys);
      const last = keys.at(-1);
      if (last === undefined || objectKind(last) !== "journal") return;
      const prefix = last.slice(0, last.lastIndexOf("/") + 1);
      const { objects } = await store.list({ prefix, limit: 2 });
      if (objects.length === 1) await store.delete(objects.map(({ key }) => key));
    },
  };
}

/** Without the condition of the head's epoch. */
function unchecked(kind: string): (writes: readonly Write[]) => readonly Write[] {
  return (writes) => {
    const isSuch = writes.some((write) => keyKind(write.key) === kind);
    return isSuch ? writes.filter((write) => write.kind !== "check") : writes;
  };
}

/** Of the journal's own item, whatever it is by now. */
function unconditional(write: Write): Write {
  const isOwn = write.kind === "put" && keyKind(write.key) === "incarnation";
  const isRegistration = isOwn && write.value["checkpoint"] !== undefined;
  if (!isRegistration || write.value["state"] !== "open") return write;
  const { key, kind, value } = write;
  return { kind, key, value };
}

function isSame(one: ItemValue, other: ItemValue): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/**
 * Writes under a slot are on condition of its head's epoch alone, and those that fail are followed by
 * nothing that makes them too late.
 */
function unguarded(store: MetadataStore): MetadataStore {
  const heads = new Map<string, Item>();
  const learn = (item: Item | undefined): void => {
    if (item !== undefined && keyKind(item.key) === "head") {
      heads.set(`${item.key} ${item.version}`, item);
    }
  };
  // What would have been written again has the versions behind the one that was read.
  const headAt = (key: string, version: number): Item | undefined => {
    if (version === 0) return undefined;
    return heads.get(`${key} ${version}`) ?? headAt(key, version - 1);
  };
  const byEpoch = (write: Write): Write => {
    const { condition, key } = write;
    const head = condition?.is === "version" ? headAt(key, condition.version) : undefined;
    if (head === undefined || write.kind === "delete") return write;
    const isGuard = write.kind === "check" || isSame(write.value, head.value);
    const epoch = Number(head.value["epoch"]);
    return isGuard ? { kind: "check", key, condition: { is: "epochAtMost", epoch } } : write;
  };
  return {
    ...passingItems(store, (writes) => writes),
    get: async (key, consistency) => {
      const item = await store.get(key, consistency);
      learn(item);
      return item;
    },
    transact: async (writes) => {
      const outcome = await store.transact(writes.map(byEpoch));
      for (const { found } of outcome.ok ? [] : outcome.refused) learn(found);
      return outcome;
    },
  };
}

/** What journals, slots, claims and coordinators of a cluster must not do. */
export const clusterMutations: readonly KnownMutation[] = [
  {
    name: "an append is told durable before its object is stored",
    regime: "cluster",
    patch: () =>
      replaced(ObjectJournal.prototype, "append", (append) => {
        return function (this: ObjectJournal, entry) {
          const seq = this.nextSeq;
          append.call(this, { ...entry, durable: () => undefined, delayed: () => undefined });
          queueMicrotask(() => entry.durable(seq));
        };
      }),
    foundAs: ["internal"],
    seedsMax: 1,
  },
  {
    name: "objects of the journal are told durable in the order in which they are stored",
    regime: "cluster",
    patch: () => {
      const landed = new WeakMap<Flights, Parameters<Flights["landed"]>[0][]>();
      const restoreLanded = replaced(Flights.prototype, "landed", (original) => {
        return function (this: Flights, flight) {
          landed.set(this, [...(landed.get(this) ?? []), flight]);
          original.call(this, flight);
        };
      });
      const restoreNext = replaced(Flights.prototype, "nextToTell", () => {
        return function (this: Flights) {
          const [first, ...rest] = landed.get(this) ?? [];
          landed.set(this, rest);
          return first;
        };
      });
      return () => {
        restoreLanded();
        restoreNext();
      };
    },
    // Some take longer, so that the order in which they are stored is another one.
    objects: unevenJournals,
    killIn: "put journal",
    foundAs: ["internal"],
    seedsMax: 5,
  },
  {
    name: "the journal is trimmed up to its end, whatever checkpoints have",
    regime: "cluster",
    patch: () =>
      replaced(ObjectJournal.prototype, "advanceTrim", (advanceTrim) => {
        return function (this: ObjectJournal) {
          return advanceTrim.call(this, this.durableSeq);
        };
      }),
    faultsMsMin: 60_000,
    foundAs: ["internal", "lostWrite", "unseen"],
    seedsMax: 3,
  },
  {
    name: "a trim that is refused is taken for one that was made",
    regime: "cluster",
    patch: () =>
      replaced(JournalItems.prototype, "recordTrim", (recordTrim) => {
        return async function (this: JournalItems, ...how) {
          await recordTrim.apply(this, how).catch(() => undefined);
        };
      }),
    crashAt: "journal trimmed",
    events: 12_000,
    foundAs: ["internal", "lostWrite", "unseen"],
    seedsMax: 24,
  },
  {
    name: "a fence is put whether or not something is there",
    regime: "cluster",
    objects: overwritingFences,
    crashAt: "fence put",
    events: 12_000,
    foundAs: ["internal", "lostWrite", "unseen"],
    seedsMax: 10,
  },
  {
    name: "a fence is deleted with its journal",
    regime: "cluster",
    objects: unfencing,
    faultsMsMin: 60_000,
    foundAs: ["internal"],
    seedsMax: 3,
  },
  {
    name: "a manifest entry is written without the head's epoch",
    regime: "cluster",
    store: (store) => passingItems(store, unchecked("segment")),
    crashAt: "segment named",
    events: 20_000,
    foundAs: ["internal", "lostWrite", "unseen", "keyLost", "stuck"],
    seedsMax: 16,
  },
  {
    name: "a write under a slot that failed takes effect after those that came later",
    regime: "cluster",
    store: unguarded,
    faultsMsMin: 600_000,
    foundAs: ["internal", "lostWrite", "unseen", "keyLost", "stuck"],
    seedsMax: 16,
  },
  {
    name: "a checkpoint is registered whatever became of its journal",
    regime: "cluster",
    store: (store) => passingItems(store, (writes) => writes.map(unconditional)),
    crashAt: "checkpoint registered",
    faultsMsMin: 120_000,
    foundAs: ["internal"],
    seedsMax: 6,
  },
  {
    name: "a former owner's journal is not replayed",
    regime: "cluster",
    patch: () => replaced(FormerEntries.prototype, "load", () => () => Promise.resolve()),
    faultsMsMin: 30_000,
    foundAs: ["internal", "lostWrite", "unseen", "inconsistentOffsets"],
    seedsMax: 5,
  },
  {
    name: "a source is dropped before what it has is copied",
    regime: "cluster",
    patch: () => {
      const restore = [
        replaced(Tier.prototype, "isSlotCopied", () => () => true),
        replaced(FormerEntries.prototype, "partitionsOf", () => () => []),
      ];
      return () => {
        for (const each of restore) each();
      };
    },
    faultsMsMin: 60_000,
    foundAs: ["internal", "lostWrite", "unseen", "inconsistentOffsets"],
    seedsMax: 3,
  },
  ...ownershipMutations,
];
