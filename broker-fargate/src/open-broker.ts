/**
 * Puts a broker together over its ports: the same for a process (`main.ts`) and for a simulation.
 *
 * Order: cluster (new incarnation and epoch, durably) → partitions (the journals of former
 * incarnations are replayed) → groups → handlers. Only then may anybody listen.
 */
import type {
  Clock,
  Disk,
  MetadataStore,
  ObjectStore,
  Random,
  Settings,
  SideWork,
} from "@millrace/core";
import type { CodecSet, Crc32c } from "@millrace/wire";
import type { Logger } from "pino";
import type { Broker } from "./broker.ts";
import type { BufferPool } from "./buffer-pool.ts";
import { Cluster } from "./cluster/cluster.ts";
import { compactionTools } from "./compaction/compaction-format.ts";
import type { CompactionLimits } from "./compaction/limits.ts";
import { LogCleaner } from "./compaction/log-cleaner.ts";
import { GroupCoordinator } from "./group/coordinator.ts";
import type { DataFolder } from "./handlers/35-describe-log-dirs.ts";
import { Metrics } from "./metrics/registry.ts";
import type { PartitionLimits } from "./partition/limits.ts";
import { Partitions } from "./partition/partitions.ts";
import { wireFormat } from "./partition/wire-format.ts";
import { IdleLogs } from "./retention/idle-logs.ts";
import { Retention } from "./retention/retention.ts";
import { routesOf } from "./routes.ts";
import { Dispatcher } from "./server/dispatcher.ts";
import { limitedLog } from "./server/log.ts";
import type { TierLimits } from "./tier/limits.ts";

export interface Ports {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly store: MetadataStore;
  /** Where tiered topics' logs go; none by default. */
  readonly objects?: ObjectStore;
  readonly codecs: CodecSet;
  readonly crc32c: Crc32c;
  readonly sideWork: SideWork;
  readonly folder: DataFolder;
  readonly log: Logger;
  readonly buffers: BufferPool;
  /** Smaller ones for tests. */
  readonly limits?: PartitionLimits;
  readonly tierLimits?: TierLimits;
  readonly compactionLimits?: CompactionLimits;
  /** The disk can't be trusted with writes any more; what was acknowledged is safe. */
  readonly onFailed?: (cause: unknown) => void;
}

export interface OpenBroker {
  readonly broker: Broker;
  readonly dispatcher: Dispatcher;
  /** Syncs and closes everything but the ports. */
  close(): Promise<void>;
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
  const cluster = await Cluster.open({ store, clock, random, brokerId, configs });
  const partitions = await Partitions.open({ ...ports, cluster, metrics });
  // Settings are looked up at each use: a dynamic change of the broker's configs makes new ones.
  const groups = new GroupCoordinator({
    ...{ clock, random, cluster, metrics },
    get settings() {
      return cluster.settings;
    },
  });
  groups.open();
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
  });
  cleaner.start();
  const { buffers, codecs, crc32c } = ports;
  const log = limitedLog(ports.log, clock);
  const broker: Broker = {
    ...{ clock, random, cluster, partitions, groups, codecs, crc32c, buffers, metrics, log },
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
    close: async () => {
      await groups.close();
      await retention.close();
      await cleaner.close();
      await partitions.close();
    },
  };
}
