import type { Disk, DiskFile, MetadataStore, Write } from "@millrace/core";
import type { OpenBroker } from "../../broker-fargate/src/open-broker.ts";
import type { PartitionOwner } from "../../broker-fargate/src/partition/owner.ts";
import type { Mutation } from "./broker-host.ts";
import type { AnomalyKind } from "./history.ts";
import { type Focus, type Regime, simulate } from "./simulate.ts";
import type { PreferredFault } from "./preferred-faults.ts";

/** A mistake that the simulation must find: which one, where it shows, and within how many seeds. */
export interface KnownMutation extends Mutation {
  readonly regime: Regime;
  /** Where the nemesis kills most, for a mistake whose moment is short. */
  readonly killIn?: string;
  /** The same for a named step. */
  readonly crashAt?: string;
  /** The same for a fault, and for what there is most of. */
  readonly prefers?: PreferredFault;
  readonly focus?: Focus;
  /** At least so many of them while faults happen; 4000 if absent. */
  readonly events?: number;
  /** Virtual time while faults happen, for a mistake that takes time to show. */
  readonly faultsMsMin?: number;
  readonly foundAs: readonly AnomalyKind[];
  /** Within so many, wherever one begins. */
  readonly seedsMax: number;
}

/** Everything passes but what is replaced. */
export function mutatedDisk(
  disk: Disk,
  mutate: (path: string, file: DiskFile) => Partial<DiskFile>,
): Disk {
  return {
    open: (path, options) => {
      const file = disk.open(path, options);
      if (file === undefined) return undefined;
      return {
        size: () => file.size(),
        modifiedMs: () => file.modifiedMs(),
        write: (position, parts) => file.write(position, parts),
        read: (position, into) => file.read(position, into),
        resize: (size) => file.resize(size),
        sync: () => file.sync(),
        close: () => file.close(),
        ...mutate(path, file),
      };
    },
    list: (directory) => disk.list(directory),
    makeDirectory: (directory) => disk.makeDirectory(directory),
    remove: (path) => disk.remove(path),
    removeFolder: (directory) => disk.removeFolder(directory),
    rename: (from, to) => disk.rename(from, to),
    syncDirectory: (directory) => disk.syncDirectory(directory),
  };
}

/** Of the writes that the broker asks for, some are forgotten, and it is told that all was done. */
export function forgetfulStore(
  store: MetadataStore,
  forgets: (write: Write) => boolean,
): MetadataStore {
  return {
    get: (key) => store.get(key),
    range: (range) => store.range(range),
    transact: (writes) => {
      const kept = writes.filter((write) => !forgets(write));
      return kept.length === 0 ? Promise.resolve({ ok: true }) : store.transact(kept);
    },
    close: () => store.close(),
  };
}

/** Everything passes, with its writes changed, if that is wanted. */
export function passingItems(
  store: MetadataStore,
  change: (writes: readonly Write[]) => readonly Write[] = (writes) => writes,
): MetadataStore {
  return {
    get: (key, consistency) => store.get(key, consistency),
    range: (range) => store.range(range),
    transact: (writes) => store.transact(change(writes)),
    close: () => store.close(),
  };
}

export function mutateOwners(opened: OpenBroker, mutate: (owner: PartitionOwner) => void): void {
  const { partitions } = opened.broker;
  const seen = new WeakSet<PartitionOwner>();
  const find = partitions.find.bind(partitions);
  const once = (owner: PartitionOwner): PartitionOwner => {
    if (!seen.has(owner)) mutate(owner);
    seen.add(owner);
    return owner;
  };
  partitions.find = (topicId, partition) => {
    const owner = find(topicId, partition);
    return owner === undefined ? undefined : once(owner);
  };
  const open = partitions.open.bind(partitions);
  partitions.open = async (topicId, partition) => once(await open(topicId, partition));
}

/** Puts `make`'s function in the place of a method; the function that is returned takes it back. */
export function replaced<Target extends object, Name extends keyof Target>(
  target: Target,
  name: Name,
  make: (original: Target[Name]) => Target[Name],
): () => void {
  const original = target[name];
  target[name] = make(original);
  return () => {
    target[name] = original;
  };
}

/**
 * The first seed from this one on that shows the mistake as what it is; undefined: none of those
 * that should.
 */
export async function firstFound(mutation: KnownMutation, from = 1): Promise<number | undefined> {
  const { crashAt, events = 4_000, faultsMsMin = 0, foundAs, killIn, prefers, regime } = mutation;
  const { seedsMax } = mutation;
  const narrowed = {
    ...(killIn === undefined ? {} : { killIn }),
    ...(crashAt === undefined ? {} : { crashAt }),
    ...(prefers === undefined ? {} : { prefers }),
    ...(mutation.focus === undefined ? {} : { focus: mutation.focus }),
  };
  const how = { events, faultsMsMin, regime, mutation, ...narrowed };
  // It would be the broker's end, and does not have to be everything's here.
  const unhandled: unknown[] = [];
  const note = (error: unknown): number => unhandled.push(error);
  process.on("unhandledRejection", note);
  try {
    for (let seed = from; seed < from + seedsMax; seed += 1) {
      const { anomalies } = await simulate({ ...how, seed, anomaliesMax: 1 });
      await new Promise((resolve) => setImmediate(resolve));
      const isInside = foundAs.includes("internal") && unhandled.length > 0;
      if (isInside || anomalies.some(({ kind }) => foundAs.includes(kind))) return seed;
    }
    return undefined;
  } finally {
    process.off("unhandledRejection", note);
  }
}
