import {
  FaultyMetadataStore,
  FaultyObjectStore,
  MemoryDisk,
  MemoryMetadataStore,
  MemoryObjectStore,
  type MetadataFaultRates,
  type ObjectFaultRates,
} from "@millrace/adapter-memory";
import {
  type Disk,
  type MetadataStore,
  type ObjectStore,
  parseSettings,
  type Settings,
  type SideTasks,
  type TopicId,
} from "@millrace/core";
import { crc32c, jsCodecs } from "@millrace/wire";
import { BufferPool } from "../../broker-fargate/src/buffer-pool.ts";
import { type OpenBroker, openBroker, type Ports } from "../../broker-fargate/src/open-broker.ts";
import { JournalDamagedError } from "../../broker-fargate/src/partition/journal-reader.ts";
import { Server } from "../../broker-fargate/src/server/server.ts";
import { FaultTable, objectKind, Steps } from "./fault-table.ts";
import type { Anomaly } from "./history.ts";
import { Life } from "./life.ts";
import type { Network, Pipe } from "./network.ts";
import { NamedSteps } from "./named-steps.ts";
import { WatchedDisk, watchedStore, type Watchers } from "./ports.ts";
import { recordingLog } from "./recording-log.ts";
import { simulatedSideWork } from "./side-work.ts";
import { linkTo, type LinkedClient } from "./simulated-link.ts";
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
  /** 1 for the first start. */
  readonly number: number;
  /** What is really on the disk. */
  readonly memoryDisk: MemoryDisk;
  /** Runs something later, if this life is not over by then. */
  readonly after: (delayMs: number, run: () => void) => void;
}

/** How slow the disk is at the moment. */
export interface DiskWeather {
  syncMsMax: number;
}

export type HostState = "down" | "starting" | "up" | "closing";

const restartMsMax = 300;
/** More than any fault that passes could cause: then it is no fault that passes. */
const failedStartsMax = 60;
const gracefulMsMax = 5_000;
export const calmObjects: ObjectFaultRates = { perThousand: {}, latencyMsMax: 2, slowMsMax: 300 };
/** Even small buffers are used again: a batch that somebody still reads would be overwritten. */
const pooledBytesMin = 64;
/**
 * The machine that the broker runs on: its disk and its store, which outlive it, and one life of
 * the broker after another.
 */
export class BrokerHost {
  readonly world: World;
  readonly network: Network;
  readonly table: FaultTable = new FaultTable();
  readonly steps: Steps = new Steps();
  readonly disk: MemoryDisk;
  readonly diskWeather: DiskWeather = { syncMsMax: 2 };
  storeRates: MetadataFaultRates = { perThousand: {}, latencyMsMax: 1 };
  /** What is really in the stores, which outlive every life of the broker. */
  readonly memoryStore: MemoryMetadataStore = new MemoryMetadataStore();
  readonly memoryObjects: MemoryObjectStore = new MemoryObjectStore();
  /** The way to the object store: what is under way on it outlives a life, too. */
  readonly objects: FaultyObjectStore;
  /** What the broker may say of records that are gone: their folder was taken from it. */
  mayMissRecords = false;
  /** Called when a life is over and before the next one. */
  atRest: () => void = () => undefined;
  readonly anomalies: Anomaly[] = [];
  /** Whether the broker said that only a restart helps. */
  needsRestart = false;
  state: HostState = "down";
  /** It can't start any more, and needs a person: the run is over. */
  isBroken = false;
  starts = 0;
  /** Registered ones, by all lives. */
  checkpoints = 0;
  readonly #named = new NamedSteps();
  readonly #settings: { readonly settings: Settings; readonly known: ReadonlyMap<string, string> };
  readonly #mutation: Mutation | undefined;
  #faultyStore: FaultyMetadataStore | undefined;
  #life: Life | undefined;
  #server: Server | undefined;
  #opened: OpenBroker | undefined;
  #endOfPhase: (() => void) | undefined;
  #newestEpoch = 0;
  #failedStarts = 0;
  readonly #pipes = new Set<Pipe>();

  constructor(options: {
    readonly world: World;
    readonly network: Network;
    readonly configs: Readonly<Record<string, string>>;
    readonly mutation?: Mutation;
  }) {
    this.world = options.world;
    this.network = options.network;
    this.#mutation = options.mutation;
    const { settings, known, invalid } = parseSettings(new Map(Object.entries(options.configs)));
    if (invalid.length > 0) throw new Error(invalid.join("; "));
    this.#settings = { settings, known };
    const { world } = this;
    this.objects = new FaultyObjectStore(this.memoryObjects, {
      ...{ clock: world.clock, random: world.random.fork(), rates: calmObjects },
      onFault: ({ fault, operation, key }) => {
        this.table.add(`object ${fault}`, `${operation} ${objectKind(key)}`);
      },
    });
    this.disk = new MemoryDisk({
      wallMs: () => world.clock.wallMs(),
      schedule: (run) => {
        world.clock.after(world.random.below(this.diskWeather.syncMsMax + 1), run);
      },
    });
  }

  get opened(): OpenBroker | undefined {
    return this.state === "up" ? this.#opened : undefined;
  }

  /** Of the newest life that came up. */
  get newestEpoch(): number {
    return this.#newestEpoch;
  }

  /** The broker as it is, also while it comes to its end. */
  get observed(): OpenBroker | undefined {
    return this.state === "closing" ? this.#opened : this.opened;
  }

  /** Begins a life; it is up some time later, or fails and is begun again. */
  start(): void {
    if (this.state !== "down" || this.isBroken) return;
    this.starts += 1;
    this.state = "starting";
    this.needsRestart = false;
    const life = new Life(`broker-${this.starts}`);
    this.#life = life;
    this.world.trace.add(`${life.name} starts`);
    this.#endOfPhase = this.steps.begin("start");
    void this.#open(life);
  }

  /** SIGKILL, or the loss of power: nothing of this life goes on. */
  kill(kind: "kill" | "power loss"): void {
    const life = this.#life;
    if (life === undefined) return;
    for (const step of this.steps.running) this.table.add(kind, step);
    this.world.trace.add(`${life.name} ${kind} in ${this.steps.running.join(", ")}`);
    life.end();
    this.steps.clear();
    if (kind === "power loss") this.disk.crash(this.world.random);
    else this.disk.kill();
    this.#down();
    for (const pipe of [...this.#pipes]) pipe.reset(kind);
  }

  /** The run is over: nothing goes on, and nothing is counted. */
  abandon(): void {
    this.#life?.end();
  }

  /** SIGTERM: as `main` does it. The broker is down some time later, or is killed on the way. */
  stop(): void {
    const { state } = this;
    const [life, server, opened] = [this.#life, this.#server, this.#opened];
    if (state !== "up" || life === undefined || server === undefined || opened === undefined)
      return;
    for (const step of this.steps.running) this.table.add("graceful stop", step);
    this.state = "closing";
    this.world.trace.add(`${life.name} stops`);
    this.#endOfPhase = this.steps.begin("stop");
    void this.#close(life, server, opened);
  }

  /** A link to the broker, or nothing when nobody listens. */
  connect(client: LinkedClient): Pipe | undefined {
    const [life, server] = [this.#life, this.#server];
    if (this.state !== "up" || life === undefined || server === undefined) return undefined;
    return linkTo({ life, server, pipes: this.#pipes }, this.network, client);
  }

  /** What this life still asks of the outside has no effect; the caller ends it at once. */
  freeze(): void {
    this.#life?.freeze();
  }

  /** Something that only the simulation can see, and that must never be. */
  note(what: string): void {
    this.world.trace.add(`anomaly: ${what}`);
    this.anomalies.push({ kind: "internal", what });
  }

  setStoreRates(rates: MetadataFaultRates): void {
    this.storeRates = rates;
    if (this.#faultyStore !== undefined) this.#faultyStore.rates = rates;
  }

  async #open(life: Life): Promise<void> {
    const { world } = this;
    const ports = this.#ports(life);
    try {
      const opened = await openBroker(ports, this.#settings);
      this.#mutation?.broker?.(opened, this.#mutatedStart());
      const { broker, dispatcher } = opened;
      const { clock, metrics, settings, log } = broker;
      this.#server = new Server({
        ...{ dispatcher, clock, log, metrics, settings },
        buffers: broker.buffers,
      });
      this.#opened = opened;
      this.state = "up";
      this.#failedStarts = 0;
      this.#endOfPhase?.();
      world.trace.add(`${life.name} is up at epoch ${broker.cluster.epoch}`);
      this.#checkEpoch(broker.cluster.epoch);
    } catch (error) {
      this.#failed(life, error);
    }
  }

  #checkEpoch(epoch: number): void {
    if (epoch <= this.#newestEpoch) {
      this.note(`a start got epoch ${epoch}, after ${this.#newestEpoch} was given`);
    }
    this.#newestEpoch = Math.max(epoch, this.#newestEpoch);
  }

  /** The start did not work: operational failures are tried again, by whoever starts processes. */
  #failed(life: Life, error: unknown): void {
    const name = error instanceof Error ? error.name : "unknown";
    this.world.trace.add(`${life.name} fails: ${describe(error)}`);
    const isOperational = operationalErrors.has(name);
    this.#failedStarts += 1;
    if (this.#failedStarts === failedStartsMax) {
      this.note(`${failedStartsMax} starts in a row failed: ${describe(error)}`);
      this.isBroken = true;
    }
    if (!isOperational || error instanceof JournalDamagedError) {
      this.note(`a start failed: ${describe(error)}`);
      this.isBroken = true;
    }
    for (const step of this.steps.running) this.table.add("failed start", step);
    life.end();
    this.steps.clear();
    this.disk.kill();
    this.#down();
    const { world } = this;
    world.clock.after(world.between(1, restartMsMax), () => this.start());
  }

  async #close(life: Life, server: Server, opened: OpenBroker): Promise<void> {
    try {
      await server.close(gracefulMsMax);
      await opened.close();
    } catch (error) {
      this.note(`a graceful stop failed: ${describe(error)}`);
    }
    life.end();
    this.steps.clear();
    this.disk.kill();
    this.#down();
    this.world.trace.add(`${life.name} has stopped`);
    for (const pipe of [...this.#pipes]) pipe.reset("graceful stop");
  }

  #down(): void {
    this.#endOfPhase?.();
    this.state = "down";
    this.atRest();
    this.#life = undefined;
    this.#server = undefined;
    this.#opened = undefined;
    this.#faultyStore = undefined;
  }

  #ports(life: Life): Ports {
    const { world, steps, table } = this;
    const clock = life.clock(world.clock);
    const watchers: Watchers = {
      ...{ life, world, trace: world.trace, steps, table },
      ...{ named: this.#named, number: this.starts },
      isHot: (path) => this.#isHot(path),
      onCheckpoint: () => {
        this.checkpoints += 1;
      },
    };
    const faulty = new FaultyMetadataStore(this.memoryStore, {
      clock,
      random: world.random.fork(),
      rates: this.storeRates,
    });
    this.#faultyStore = faulty;
    const disk = new WatchedDisk(this.disk, watchers);
    const store = watchedStore(faulty, watchers);
    const mutation = this.#mutation;
    const objects = watchedObjects(this.objects, watchers);
    const start = this.#mutatedStart();
    const ports = {
      clock,
      random: world.random.fork(),
      disk: mutation?.disk?.(disk, start) ?? disk,
      store: mutation?.store?.(store, start) ?? store,
      objects: mutation?.objects?.(objects, start) ?? objects,
      codecs: jsCodecs,
      crc32c,
      sideWork: simulatedSideWork({ world, life, steps, table }, mutation?.sideTasks),
      folder: {
        path: "simulated",
        space: () => ({ totalBytes: 1 << 30, usableBytes: (1 << 30) - this.disk.usedBytes }),
      },
      log: recordingLog(world.trace, {
        bug: (what) => this.note(what),
        mayMissRecords: () => this.mayMissRecords,
      }),
      limits: smallLimits,
      tierLimits: smallTierLimits,
      compactionLimits: smallCompactionLimits,
      buffers: new BufferPool(pooledBytesMin),
      onFailed: () => {
        this.needsRestart = true;
      },
    };
    return ports;
  }

  /** Whether the log of the segment still begins at or before it. */
  #isHot(path: string): boolean {
    const found = /^partitions\/([^/]+)-(\d+)\/(\d+)\.log$/u.exec(path);
    const [, topicId = "", partition, offset] = found ?? [];
    const owner = this.opened?.broker.partitions.find(topicId as TopicId, Number(partition));
    return owner !== undefined && owner.logStartOffset <= Number(offset);
  }

  #mutatedStart(): MutatedStart {
    const life = this.#life;
    const after = (delayMs: number, run: () => void): void => {
      this.world.clock.after(delayMs, () => {
        if (life?.isOver === false) run();
      });
    };
    return { world: this.world, number: this.starts, memoryDisk: this.disk, after };
  }
}

/** Whoever runs the process starts it again after these. */
const operationalErrors: ReadonlySet<string> = new Set([
  "MetadataError",
  "DiskError",
  "ObjectError",
]);

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : ` because of ${describe(error.cause)}`;
  return `${error.name}: ${error.message}${cause}`;
}
