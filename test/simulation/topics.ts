import type { Durability } from "./admin.ts";
import type { Focus } from "./simulate.ts";
import type { World } from "./world.ts";

/** What may be deleted of a topic's records: none, what DeleteRecords names, or by retention. */
export type Deletion = "nothing" | "records" | "retention";

export interface SimulatedTopic {
  readonly name: string;
  readonly partitions: number;
  readonly deletion: Deletion;
  /** Whether its log goes into the object store. */
  readonly isTiered: boolean;
  /** Whether only the last record of each key need be kept. */
  readonly isCompacted: boolean;
  readonly configs: Readonly<Record<string, string>>;
}

/** Nobody waits in a run for members that might still join, or minutes for retention. */
export const brokerConfigs: Readonly<Record<string, string>> = {
  "group.initial.rebalance.delay.ms": "300",
  "millrace.slots": "16",
  "log.retention.check.interval.ms": "2500",
  "log.cleaner.backoff.ms": "200",
  // Where topics are tiered by default; the store itself is handed to the broker.
  "millrace.object.store": "file:/simulated",
};

/** At least so long a tombstone is to be seen, and so long a full read may take, with time to spare. */
const deleteRetentionMsMin = 15_000;
export const fullReadMsMax = 3_000;

/**
 * The topics that are there for the whole of a run. `focus`: see SimulationOptions.
 */
export function mainTopics(
  world: World,
  durability: Durability,
  focus?: Focus,
): readonly SimulatedTopic[] {
  if (focus === "compacted") {
    const how = { deletion: "nothing", durability, isCompacted: true, isTiered: true } as const;
    return ["accounts", "addresses"].map((name) => {
      const made = topic(world, { name, partitions: 1, ...how });
      return { ...made, configs: { ...made.configs, ...quickCompaction } };
    });
  }
  return [
    topic(world, {
      name: "orders",
      partitions: 2,
      deletion: "records",
      isTiered: true,
      isCompacted: false,
      durability,
    }),
    topic(world, {
      ...{ name: "payments", partitions: 1, deletion: "nothing", durability },
      isTiered: world.chance(700),
      isCompacted: false,
    }),
    topic(world, {
      ...{ name: "events", partitions: 1, deletion: "retention", durability },
      isTiered: world.chance(800),
      isCompacted: false,
    }),
    topic(world, {
      ...{ name: "accounts", partitions: 1, durability, isCompacted: true },
      deletion: world.chance(200) ? "retention" : "nothing",
      isTiered: world.chance(500),
    }),
  ];
}

/** Rounds are due as soon as there is anything to clean. */
const quickCompaction: Readonly<Record<string, string>> = {
  "segment.ms": "300",
  "flush.ms": "20",
  "min.cleanable.dirty.ratio": "0",
  "min.compaction.lag.ms": "0",
  "local.retention.ms": "1",
};

/** One that comes and goes. */
export function scratchTopic(world: World, name: string, durability: Durability): SimulatedTopic {
  const isTiered = world.chance(800);
  const isCompacted = world.chance(300);
  const how = { name, partitions: 2, deletion: "nothing", isTiered, isCompacted } as const;
  return topic(world, { ...how, durability });
}

function topic(
  world: World,
  how: Omit<SimulatedTopic, "configs"> & { readonly durability: Durability },
): SimulatedTopic {
  const { durability, ...rest } = how;
  const configs = {
    "millrace.durability": durability,
    "segment.ms": String(world.between(300, 6_000)),
    "segment.index.bytes": String(8 * world.between(2, 30)),
    "index.interval.bytes": String(world.pick([0, 100, 400, 2_000])),
    "flush.messages": String(world.pick([1, 10, 1_000_000])),
    "flush.ms": String(world.pick([50, 1_000, 1_000_000])),
    "remote.storage.enable": String(rest.isTiered),
    ...(rest.isTiered ? localRetention(world) : {}),
    ...(rest.deletion === "retention" ? retention(world) : {}),
    ...(rest.isCompacted ? compaction(world, rest.deletion) : {}),
  };
  return { ...rest, configs };
}

/** What stays hot is little, so that most is read from the object store. */
function localRetention(world: World): Readonly<Record<string, string>> {
  return {
    "local.retention.ms": String(world.pick([-2, 1, 1_000, 4_000])),
    "local.retention.bytes": String(world.pick([-2, 0, 1_500])),
  };
}

function retention(world: World): Readonly<Record<string, string>> {
  return {
    "retention.ms": String(world.pick([5_000, 20_000, -1])),
    "retention.bytes": String(world.pick([-1, 3_000, 12_000])),
  };
}

function compaction(world: World, deletion: Deletion): Readonly<Record<string, string>> {
  return {
    "cleanup.policy": deletion === "retention" ? "compact,delete" : "compact",
    "segment.ms": String(world.between(300, 2_000)),
    // Only what is synced for sure is compacted.
    "flush.ms": String(world.pick([20, 200, 1_000, 1_000_000])),
    "min.cleanable.dirty.ratio": String(world.pick([0, 0, 0.1, 0.5])),
    "min.compaction.lag.ms": String(world.pick([0, 0, 0, 1_000])),
    "max.compaction.lag.ms": String(world.pick([5_000, 9_223_372_036_854_775_807n])),
    "delete.retention.ms": String(world.pick([deleteRetentionMsMin, 2 * deleteRetentionMsMin])),
  };
}
