import { inlineHashing } from "@millrace/adapter-memory";
import type { FaultyMetadataStore, FaultyObjectStore, MemoryDisk } from "@millrace/adapter-memory";
import type {
  Clock,
  Disk,
  MetadataStore,
  ObjectStore,
  SideTasks,
  SupportedVersions,
} from "@millrace/core";
import { crc32c, jsCodecs } from "@millrace/wire";
import { BufferPool } from "../../broker-fargate/src/buffer-pool.ts";
import type { MemberPorts, OpenBroker, Ports } from "../../broker-fargate/src/open-broker.ts";
import { FormerEyes } from "../fixtures/former-eyes.ts";
import { WatchedDisk, watchedStore, type Watchers } from "./ports.ts";
import { recordingLog } from "./recording-log.ts";
import { simulatedSideWork } from "./side-work.ts";
import { smallCompactionLimits, smallLimits, smallTierLimits } from "./small-limits.ts";
import { watchedObjects } from "./watched-objects.ts";
import type { World } from "./world.ts";

/** Something wrong that is put between the broker and what is around it. */
export interface Mutation {
  readonly name: string;
  /** Called at each start of the broker, before it gets its ports. */
  readonly disk?: (disk: Disk, start: MutatedStart) => Disk;
  readonly store?: (store: MetadataStore, start: MutatedStart) => MetadataStore;
  readonly objects?: (store: ObjectStore, start: MutatedStart) => ObjectStore;
  /** Of the work beside the event loop. */
  readonly sideTasks?: (tasks: SideTasks) => SideTasks;
  /** Changes the broker's code for one run; what it returns takes that back. */
  readonly patch?: () => () => void;
  /** Called when the broker is open, before the first client can reach it. */
  readonly broker?: (opened: OpenBroker, start: MutatedStart) => void;
}

export interface MutatedStart {
  readonly world: World;
  /** Whose machine it is. */
  readonly host: string;
  /** 1 for the first start. */
  readonly number: number;
  /** What is really on the disk. */
  readonly memoryDisk: MemoryDisk;
  /** Runs something later, if this life is not over by then. */
  readonly after: (delayMs: number, run: () => void) => void;
}

/** Even small buffers are used again: a batch that somebody still reads would be overwritten. */
const pooledBytesMin = 64;

/** What one life of a broker gets to work with. */
export interface LifeOutfit {
  readonly watchers: Watchers;
  /** As the machine has it. */
  readonly clock: Clock;
  readonly store: FaultyMetadataStore;
  readonly objects: FaultyObjectStore;
  readonly disk: MemoryDisk;
  readonly mutation: Mutation | undefined;
  readonly start: MutatedStart;
  /** Of a member of a cluster. */
  readonly asMember: MemberPorts | undefined;
  /** Set: it is of the version before, and can't read what a newer one writes. */
  readonly versions: SupportedVersions | undefined;
  /** The broker did what it should never do. */
  readonly bug: (what: string) => void;
  readonly mayMissRecords: () => boolean;
  readonly onFailed: () => void;
}

export function portsOf(outfit: LifeOutfit): Ports {
  const { disk, mutation, start, watchers } = outfit;
  const { life, steps, table, trace, world } = watchers;
  const watchedDisk = new WatchedDisk(disk, watchers);
  const watched = watchedStore(outfit.store, watchers);
  const { versions } = outfit;
  const store = versions === undefined ? watched : new FormerEyes(watched);
  const objects = watchedObjects(outfit.objects, watchers);
  return {
    clock: life.clock(outfit.clock),
    random: world.random.fork(),
    disk: mutation?.disk?.(watchedDisk, start) ?? watchedDisk,
    store: mutation?.store?.(store, start) ?? store,
    objects: mutation?.objects?.(objects, start) ?? objects,
    codecs: jsCodecs,
    crc32c,
    hashing: inlineHashing,
    sideWork: simulatedSideWork({ world, life, steps, table }, mutation?.sideTasks),
    folder: {
      path: "simulated",
      space: () => ({ totalBytes: 1 << 30, usableBytes: (1 << 30) - disk.usedBytes }),
    },
    log: recordingLog(trace, { bug: outfit.bug, mayMissRecords: outfit.mayMissRecords }),
    limits: smallLimits,
    tierLimits: smallTierLimits,
    compactionLimits: smallCompactionLimits,
    buffers: new BufferPool(pooledBytesMin),
    onFailed: outfit.onFailed,
    // As for processes: the stores that members share can't seek.
    ...(outfit.asMember === undefined ? { seeker: watched } : { asMember: outfit.asMember }),
    ...(versions === undefined ? {} : { versions }),
  };
}
