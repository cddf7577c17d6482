/**
 * Puts a broker together over its ports: the same for a process (`main.ts`) and for a simulation.
 *
 * Order: cluster (new incarnation and epoch, durably) → partitions (the journals of former
 * incarnations are replayed) → groups → handlers. Only then may anybody listen.
 */
import { assert, supportedMillraceVersions } from "@millrace/core";
import type {
  Clock,
  Disk,
  Hashing,
  IncarnationId,
  KeySeeker,
  MemberListener,
  MetadataStore,
  ObjectStore,
  Random,
  Settings,
  SideWork,
  SupportedVersions,
} from "@millrace/core";
import type { CodecSet, Crc32c } from "@millrace/wire";
import type { Logger } from "pino";
import type { Broker } from "./broker.ts";
import type { BufferPool } from "./buffer-pool.ts";
import { Cluster, type ClusterOptions } from "./cluster/cluster.ts";
import { liveBrokers } from "./cluster/live-brokers.ts";
import { SlotTraffic } from "./cluster/slot-traffic.ts";
import { compactionTools } from "./compaction/compaction-format.ts";
import type { CompactionLimits } from "./compaction/limits.ts";
import { LogCleaner } from "./compaction/log-cleaner.ts";
import { GroupCoordinator } from "./group/coordinator.ts";
import type { DataFolder } from "./handlers/35-describe-log-dirs.ts";
import type { JournalLimits } from "./journal/limits.ts";
import { Metrics } from "./metrics/registry.ts";
import type { PartitionLimits } from "./partition/limits.ts";
import { Partitions } from "./partition/partitions.ts";
import { wireFormat } from "./partition/wire-format.ts";
import { IdleLogs } from "./retention/idle-logs.ts";
import { Retention } from "./retention/retention.ts";
import { routesOf } from "./routes.ts";
import { Dispatcher } from "./server/dispatcher.ts";
import { limitedLog } from "./server/log.ts";
import { endsWithin } from "./takeover/ends-within.ts";
import { type FormerLimits, memberCloseMsMax } from "./takeover/limits.ts";
import { memberPartitionLimits } from "./takeover/member-limits.ts";
import { type Member, openMember } from "./takeover/open-member.ts";
import { memberTierLimits, type TierLimits } from "./tier/limits.ts";

export interface Ports {
  readonly clock: Clock;
  readonly random: Random;
  readonly hashing: Hashing;
  readonly disk: Disk;
  readonly store: MetadataStore;
  /** Of the same store, if it can. */
  readonly seeker?: KeySeeker;
  /** Where tiered topics' logs go; none by default. */
  readonly objects?: ObjectStore;
  readonly codecs: CodecSet;
  readonly crc32c: Crc32c;
  readonly sideWork: SideWork;
  readonly folder: DataFolder;
  readonly log: Logger;
  readonly buffers: BufferPool;
  /** Levels of `millrace.version`; by default what this version supports. */
  readonly versions?: SupportedVersions;
  /** Smaller ones for tests. */
  readonly limits?: PartitionLimits;
  readonly tierLimits?: TierLimits;
  readonly compactionLimits?: CompactionLimits;
  /** The disk can't be trusted with writes any more; what was acknowledged is safe. */
  readonly onFailed?: (cause: unknown) => void;
  /** Absent: the broker is alone in its cluster. */
  readonly asMember?: MemberPorts;
}

/** What a broker of a cluster needs beside the others' ports. */
export interface MemberPorts {
  /** As they are advertised to clients, and to the other brokers. */
  readonly listeners: readonly MemberListener[];
  /** This process's incarnation before, if it had one: see ReplacedError. */
  readonly former?: IncarnationId;
  readonly journalLimits?: JournalLimits;
  readonly formerLimits?: FormerLimits;
  /** This incarnation is over: it is to be abandoned, and a new one opened. Called once or more. */
  readonly onOver: (cause: unknown) => void;
}

export interface OpenBroker {
  readonly broker: Broker;
  readonly dispatcher: Dispatcher;
  /** Hands a member's slots over to the others, who serve them from then on. */
  leave(): Promise<void>;
  /** Syncs and closes everything but the ports. A member's takes no longer than it may. */
  close(): Promise<void>;
  /** A member's end when it is over: nothing is written any more. */
  abandon(): void;
}

/** The configuration that a broker starts with; `known` as `parseSettings` gave it. */
export interface Configuration {
  readonly settings: Settings;
  readonly known: ReadonlyMap<string, string>;
}

export async function openBroker(ports: Ports, configuration: Configuration): Promise<OpenBroker> {
  const { clock, random, store } = ports;
  const { settings, known: configs } = configuration;
  const metrics = new Metrics();
  const brokerId = settings.nodeId;
  const { versions = supportedMillraceVersions } = ports;
  const cluster = await openCluster(ports, { store, clock, random, brokerId, configs, versions });
  const { view } = cluster;
  cluster.useLiveBrokers(() => liveBrokers(view));
  const member = openMemberOf(ports, cluster, metrics);
  const parts = member === undefined ? {} : { member: member.parts };
  const limits = limitsOf(ports);
  const partitions = await Partitions.open({ ...ports, ...limits, ...parts, cluster, metrics });
  // Settings are looked up at each use: a dynamic change of the broker's configs makes new ones.
  const groups = new GroupCoordinator({
    ...{ clock, random, cluster, view, metrics },
    ...(ports.seeker === undefined ? {} : { seeker: ports.seeker }),
    get settings() {
      return cluster.settings;
    },
  });
  groups.open();
  const traffic = new SlotTraffic(clock, cluster.slots);
  member?.begin({ partitions, groups, traffic });
  const idleLogs = new IdleLogs({
    disk: ports.disk,
    wire: wireFormat(ports),
    coldParts: ({ partition, topicId }) => partitions.coldParts(topicId, partition),
  });
  const retention = new Retention({
    ...{ clock, cluster, partitions, idleLogs, metrics },
    log: ports.log,
  });
  retention.start();
  const { compactionLimits: cleanerLimits, disk, sideWork } = ports;
  const cleaner = new LogCleaner({
    ...(cleanerLimits === undefined ? {} : { limits: cleanerLimits }),
    ...{ clock, random, disk, sideWork, cluster, partitions, metrics },
    tools: compactionTools(ports),
    log: ports.log,
    isStillOurs: (slot) => view.isStillOurs(slot),
  });
  cleaner.start();
  view.onViewChange(() => {
    retention.leadersChanged();
    cleaner.leadersChanged();
  });
  const { buffers, codecs, crc32c, hashing } = ports;
  const log = limitedLog(ports.log, clock);
  const broker: Broker = {
    ...{ clock, random, cluster, view, partitions, groups, codecs, crc32c, buffers, metrics, log },
    ...{ hashing, misses: cluster, traffic },
    get settings() {
      return cluster.settings;
    },
  };
  const dispatcher: Dispatcher = new Dispatcher(
    routesOf(broker, { folder: ports.folder, served: () => dispatcher.servedApis() }),
  );
  return {
    broker,
    dispatcher,
    ...endings({ clock, log: ports.log, member, groups, retention, cleaner, partitions, cluster }),
  };
}

/** How a broker's parts end, in their order. */
function endings(parts: {
  readonly clock: Clock;
  readonly log: Logger;
  readonly member: Member | undefined;
  readonly groups: GroupCoordinator;
  readonly retention: Retention;
  readonly cleaner: LogCleaner;
  readonly partitions: Partitions;
  readonly cluster: Cluster;
}): Pick<OpenBroker, "leave" | "close" | "abandon"> {
  const { cleaner, clock, cluster, groups, log, member, partitions, retention } = parts;
  const close = async (): Promise<void> => {
    await member?.close();
    await groups.close();
    await retention.close();
    await cleaner.close();
    await partitions.close();
    await member?.endJournal();
    await cluster.membership?.close();
  };
  const abandon = (): void => {
    // First, so that whatever ends below acknowledges nothing more.
    partitions.abandon();
    void member?.close();
    void groups.close();
    void retention.close();
    void cleaner.close();
    void cluster.membership?.close();
  };
  return {
    leave: async () => {
      await member?.drain();
    },
    close: async () => {
      if (member === undefined) return close();
      if (await endsWithin(clock, memberCloseMsMax, close())) return;
      log.warn({}, "a store is away: what is left to be done the others find in the journal");
      abandon();
    },
    abandon,
  };
}

/** Smaller ones are a test's. */
function limitsOf({ asMember, limits, tierLimits }: Ports): Pick<Ports, "limits" | "tierLimits"> {
  const usual = { limits: memberPartitionLimits, tierLimits: memberTierLimits };
  return {
    ...(asMember === undefined ? {} : usual),
    ...(limits === undefined ? {} : { limits }),
    ...(tierLimits === undefined ? {} : { tierLimits }),
  };
}

function openCluster(ports: Ports, options: ClusterOptions): Promise<Cluster> {
  const { asMember, log } = ports;
  if (asMember === undefined) return Cluster.open(options);
  const { listeners, onOver } = asMember;
  const former = asMember.former === undefined ? {} : { former: asMember.former };
  const rack = options.configs?.get("broker.rack");
  return Cluster.join({ ...options, member: { listeners, rack, log, onOver, ...former } });
}

function openMemberOf(ports: Ports, cluster: Cluster, metrics: Metrics): Member | undefined {
  const { asMember, clock, crc32c, disk, log, objects, random, store } = ports;
  const { membership } = cluster;
  if (asMember === undefined || membership === undefined) return undefined;
  assert(objects !== undefined, "a member of a cluster has an object store");
  const { formerLimits, journalLimits, onOver } = asMember;
  return openMember({
    ...{ clock, crc32c, disk, log, objects, random, store, cluster, membership, metrics, onOver },
    ...(journalLimits === undefined ? {} : { journalLimits }),
    ...(formerLimits === undefined ? {} : { formerLimits }),
  });
}
