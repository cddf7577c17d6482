import type { Clock, MetadataStore, ObjectStore, Random, ReadBuffers } from "@millrace/core";
import { MetadataError, ObjectError } from "@millrace/core";
import type { SideWork, Slot, Source } from "@millrace/core";
import { Metrics } from "../metrics/registry.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { JournalItems } from "../journal/files/journal-item.ts";
import type { SlotWrites } from "../partition/slot-writes.ts";
import type { WarningLog } from "../partition/partitions-deps.ts";
import type { WireFormat } from "../partition/wire-format.ts";
import type { Cover, TieredOwner } from "./checkpointer.ts";
import { CheckpointDamagedError } from "./former-checkpoints.ts";
import type { JanitorOfMember } from "./janitor.ts";
import type { TierLimits } from "./limits.ts";
import { ObjectAccess } from "./object-access.ts";
import { Tier } from "./tier.ts";
import { lostOffsets, objectMeter, observeTier } from "./tier-metrics.ts";

export interface OpenTierDeps<Owner extends TieredOwner> {
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly random: Random;
  /** Undefined: no object store is configured. */
  readonly objects?: ObjectStore;
  readonly buffers?: ReadBuffers;
  readonly sideWork: SideWork;
  readonly tierLimits?: TierLimits;
  readonly cluster: Pick<
    Cluster,
    | "incarnation"
    | "epoch"
    | "clusterId"
    | "slots"
    | "topics"
    | "openSlot"
    | "dropSources"
    | "useCheckpoints"
  >;
  readonly writes: SlotWrites;
  readonly journalItems: JournalItems;
  readonly wire: WireFormat;
  readonly cover: Cover<Owner>;
  readonly metrics?: Metrics;
  readonly log: Pick<WarningLog, "error">;
  /** Of a member of a cluster; see Tier. */
  readonly janitor?: JanitorOfMember;
  readonly onOver?: (cause: unknown) => void;
  readonly warn: (what: string, cause: unknown) => void;
}

/** The object store's side of a process; undefined where none is configured. */
export function openTier<Owner extends TieredOwner>(
  deps: OpenTierDeps<Owner>,
): Tier<Owner> | undefined {
  const { cluster, clock, objects, random, warn } = deps;
  if (objects === undefined) return undefined;
  const { incarnation } = cluster;
  const { metrics } = deps;
  const lost = lostOffsets(metrics ?? new Metrics());
  const meter = metrics === undefined ? {} : { meter: objectMeter(metrics) };
  const tier: Tier<Owner> = new Tier({
    ...deps,
    objects: new ObjectAccess({ store: objects, clock, random, ...meter }),
    buffers: deps.buffers ?? leftToCollector,
    cluster: {
      ...{ incarnation, epoch: cluster.epoch, clusterId: cluster.clusterId, slots: cluster.slots },
      isKnown: (topicId) => cluster.topics.byId(topicId) !== undefined,
      openSlot: (slot) => cluster.openSlot(slot),
      useCheckpoints: (holdsSlot) => cluster.useCheckpoints(forClaims(holdsSlot)),
      dropSources: async (slot) => {
        try {
          return await cluster.dropSources(slot);
        } catch (error) {
          if (!(error instanceof MetadataError)) throw error;
          // A source that stays names objects that nobody needs, until the slot's next claim.
          warn("a slot's sources could not be dropped", error);
          return false;
        }
      },
    },
    onLost: (of, { baseOffset, nextOffset }) => {
      lost.add(nextOffset - baseOffset);
      const { partition, topicId } = of;
      const fields = { topicId, partition, lostFrom: baseOffset, lostBelow: nextOffset };
      const message = "a partition's packed records are lost: nothing gives them back";
      deps.log.error(fields, message);
    },
    ...(deps.tierLimits === undefined ? {} : { limits: deps.tierLimits }),
  });
  if (metrics !== undefined) observeTier(metrics, tier);
  return tier;
}

const leftToCollector: ReadBuffers = {
  take: (bytes) => new Uint8Array(bytes),
  takeShared: (bytes) => new Uint8Array(new SharedArrayBuffer(bytes)),
  giveBack: () => undefined,
};

/**
 * A claim of a slot rejects with what the metadata store may do, and its callers expect that: here
 * it is the object store that does not tell yet which of the slot's sources counts.
 */
export function forClaims(
  holdsSlot: (source: Source, slot: Slot) => Promise<boolean>,
): (source: Source, slot: Slot) => Promise<boolean> {
  return async (source, slot) => {
    try {
      return await holdsSlot(source, slot);
    } catch (error) {
      const isDamaged = error instanceof CheckpointDamagedError;
      if (!isDamaged && !(error instanceof ObjectError)) throw error;
      const retriable = !isDamaged && error.retriable;
      const message = `slot ${slot} can't be claimed: ${error.message}`;
      throw new MetadataError(message, { retriable, applied: "no", cause: error });
    }
  };
}
