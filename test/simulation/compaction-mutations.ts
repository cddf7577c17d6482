import {
  type Disk,
  KeyMap,
  type OpenRecords,
  type PlainValue,
  type SideTasks,
} from "@millrace/core";
import { ColdCleaner } from "../../broker-fargate/src/compaction/cold-cleaner.ts";
import { cleanTask, type PieceTold } from "../../broker-fargate/src/compaction/tasks.ts";
import { SettledOffset } from "../../broker-fargate/src/compaction/settled-offset.ts";
import { ManifestItems } from "../../broker-fargate/src/tier/manifest-items.ts";
import { fileKind } from "./fault-table.ts";
import { type KnownMutation, mutatedDisk, replaced } from "./mutating.ts";
import { slowStore } from "./tier-mutations.ts";

/** What is wrong is found by whichever client looks first. */
const lostRecords = [
  "stuck",
  "keyLost",
  "keyCameBack",
  "recordCameBack",
  "lostWrite",
  "unseen",
  "pollSkip",
  "inconsistentOffsets",
  "highWatermarkWentBack",
  "internal",
] as const;

/** Old segments go when the cleaned one is about to get its name, and not when it has it. */
function hastyRemovals(disk: Disk): Disk {
  return {
    ...mutatedDisk(disk, () => ({})),
    rename: (from, to) => {
      const [, folder = "", base, end] = /^(.*)\/(\d{20})-(\d{20})\.swap$/u.exec(to) ?? [];
      const names = base === undefined ? [] : disk.list(folder);
      for (const name of names) {
        const offset = /^(\d{20})\.log$/u.exec(name)?.[1];
        if (offset === undefined || Number(offset) < Number(base)) continue;
        if (Number(offset) < Number(end)) disk.remove(`${folder}/${name}`);
      }
      disk.rename(from, to);
    },
  };
}

/** A replacement that a crash left half done is not seen by the next life. */
function hiddenSwaps(disk: Disk): Disk {
  return {
    ...mutatedDisk(disk, () => ({})),
    list: (directory) => disk.list(directory).filter((name) => !name.endsWith(".swap")),
  };
}

/** No tombstone waits for `delete.retention.ms`. */
function hastyTombstones(tasks: SideTasks): SideTasks {
  const clean = tasks[cleanTask];
  if (clean === undefined) throw new Error("there is no such task");
  return {
    ...tasks,
    [cleanTask]: (call) => {
      const told = call.told as unknown as PieceTold;
      const hasty = { ...told, order: { ...told.order, deleteRetentionMs: 0 } };
      return clean({ ...call, told: hasty as unknown as PlainValue });
    },
  };
}

/** Hot tombstones go whatever the object store has, of which nothing is compacted. */
function expireRegardless(): () => void {
  const restoreLook = replaced(ColdCleaner.prototype, "look", () => {
    return () => Promise.resolve(undefined);
  });
  const restoreExpiry = replaced(ColdCleaner.prototype, "expiresBelow", () => {
    return () => Number.POSITIVE_INFINITY;
  });
  return () => {
    restoreLook();
    restoreExpiry();
  };
}

/** The map never hears of tombstones: older records stay, and each is the last of its key. */
function forgetTombstones(): () => void {
  return replaced(KeyMap.prototype, "putAll", (putAll) => {
    return function (this: KeyMap, keys) {
      const { hasValue } = keys as Partial<OpenRecords>;
      const keyBytes = keys.keyBytes.map((bytes, at) => (hasValue?.[at] === 0 ? -1 : bytes));
      return putAll.call(this, { ...keys, keyBytes });
    };
  });
}

/** Mistakes of compaction. */
export const compactionMutations: readonly KnownMutation[] = [
  {
    name: "a cleaned segment takes its place before its bytes are durable",
    regime: "journal",
    crashAt: "swap put in place",
    foundAs: lostRecords,
    seedsMax: 16,
    disk: (disk) =>
      mutatedDisk(disk, (path) =>
        fileKind(path) === "cleaned" ? { sync: () => Promise.resolve() } : {},
      ),
  },
  {
    name: "old segments are removed before the cleaned one counts",
    regime: "local",
    crashAt: "swap named",
    foundAs: lostRecords,
    seedsMax: 8,
    disk: hastyRemovals,
  },
  {
    name: "a replacement that a crash left half done is not finished",
    regime: "local",
    crashAt: "old segment removed",
    foundAs: lostRecords,
    seedsMax: 12,
    disk: hiddenSwaps,
  },
  {
    name: "the newest record of a key is dropped",
    regime: "local",
    foundAs: lostRecords,
    seedsMax: 8,
    patch: () =>
      replaced(KeyMap.prototype, "findAll", (findAll) => {
        return function (this: KeyMap, keys, into) {
          findAll.call(this, keys, into);
          // One in some is said to have a later record still.
          for (let at = 0; at < keys.count; at += 1) {
            const offset = into[at] ?? -1;
            if (offset > 0 && offset % 5 === 0) into[at] = offset + 1;
          }
        };
      }),
  },
  {
    name: "a tombstone is dropped while an older record of its key is in the object store",
    regime: "local",
    // What is hot is cleaned before it is stored, which older records are.
    objects: slowStore,
    focus: "compacted",
    faultsMsMin: 60_000,
    foundAs: ["keyCameBack"],
    seedsMax: 8,
    sideTasks: hastyTombstones,
    patch: expireRegardless,
  },
  {
    name: "a tombstone leaves older records, and goes",
    regime: "local",
    faultsMsMin: 120_000,
    foundAs: ["keyCameBack"],
    seedsMax: 16,
    patch: forgetTombstones,
  },
  {
    name: "cold parts are deleted while the manifest still names them",
    regime: "local",
    faultsMsMin: 20_000,
    foundAs: ["internal"],
    seedsMax: 8,
    patch: () =>
      replaced(ManifestItems.prototype, "replace", () => {
        return () => Promise.resolve();
      }),
  },
  {
    name: "what a restart may still verify or cut is compacted",
    regime: "local",
    crashAt: "swap put in place",
    faultsMsMin: 60_000,
    foundAs: lostRecords,
    seedsMax: 16,
    patch: () =>
      replaced(SettledOffset.prototype, "look", () => {
        return ({ log }) => log.endOffset;
      }),
  },
];
