import {
  FaultyMetadataStore,
  MemoryDisk,
  MemoryMetadataStore,
  type MetadataFaultRates,
} from "@millrace/adapter-memory";
import { type Disk, type MetadataStore, parseSettings, type Settings } from "@millrace/core";
import { crc32c, jsCodecs } from "@millrace/wire";
import { BufferPool } from "../../broker-fargate/src/buffer-pool.ts";
import { type OpenBroker, openBroker, type Ports } from "../../broker-fargate/src/open-broker.ts";
import {
  checked,
  type PartitionLimits,
  partitionLimits,
} from "../../broker-fargate/src/partition/limits.ts";
import { JournalDamagedError } from "../../broker-fargate/src/partition/journal-reader.ts";
import type { Link } from "../../broker-fargate/src/server/link.ts";
import { Server } from "../../broker-fargate/src/server/server.ts";
import { FaultTable, Steps } from "./fault-table.ts";
import type { Anomaly } from "./history.ts";
import { Life } from "./life.ts";
import type { Network, Pipe } from "./network.ts";
import { WatchedDisk, watchedStore } from "./ports.ts";
import { recordingLog } from "./recording-log.ts";
import type { World } from "./world.ts";

/** Something wrong that is put between the broker and what is around it. */
export interface Mutation {
  readonly name: string;
  /** Called at each start of the broker, before it gets its ports. */
  readonly disk?: (disk: Disk, start: MutatedStart) => Disk;
  readonly store?: (store: MetadataStore, start: MutatedStart) => MetadataStore;
  /** Called when the broker is open, before the first client can reach it. */
  readonly broker?: (opened: OpenBroker, start: MutatedStart) => void;
}

export interface MutatedStart {
  readonly world: World;
  /** 1 for the first start. */
  readonly number: number;
  /** What is really on the disk. */
  readonly memoryDisk: MemoryDisk;
}

/** How slow the disk is at the moment. */
export interface DiskWeather {
  syncMsMax: number;
}

export type HostState = "down" | "starting" | "up" | "closing";

const kibibyte = 1024;
/** Small, so that files roll, fill, and are trimmed within a short run. */
const smallLimits: PartitionLimits = checked({
  ...partitionLimits,
  journalFileBytes: 64 * kibibyte,
  journalObjectBytes: 16 * kibibyte,
  journalBytesMax: 512 * kibibyte,
  journalPendingBytesMax: 128 * kibibyte,
  journalTrimBytes: 96 * kibibyte,
  journalTrimAgeMs: 4_000,
  appendWaitMsMax: 3_000,
  appendWaitBytesMax: 64 * kibibyte,
  diskRetryMs: 200,
  idleSyncMs: 1_500,
  dirtySyncMs: 5_000,
  replayLogsMax: 2,
});
const restartMsMax = 300;
/** More than any fault that passes could cause: then it is no fault that passes. */
const failedStartsMax = 60;
const gracefulMsMax = 5_000;
/** Even small buffers are used again: a batch that somebody still reads would be overwritten. */
const pooledBytesMin = 64;
/** Unsent bytes of a link above which the broker is told to wait. */
const linkWatermarkBytes = 8 * kibibyte;

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
  readonly anomalies: Anomaly[] = [];
  /** Whether the broker said that only a restart helps. */
  needsRestart = false;
  state: HostState = "down";
  /** It can't start any more, and needs a person: the run is over. */
  isBroken = false;
  starts = 0;
  readonly #store: MemoryMetadataStore = new MemoryMetadataStore();
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
    this.disk = new MemoryDisk({
      schedule: (run) => {
        world.clock.after(world.random.below(this.diskWeather.syncMsMax + 1), run);
      },
    });
  }

  get opened(): OpenBroker | undefined {
    return this.state === "up" ? this.#opened : undefined;
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
  connect(client: {
    readonly name: string;
    readonly received: (chunk: Uint8Array) => void;
    readonly closed: (error: Error | undefined) => void;
  }): Pipe | undefined {
    const [life, server] = [this.#life, this.#server];
    if (this.state !== "up" || life === undefined || server === undefined) return undefined;
    let isFull = false;
    const pipe: Pipe = this.network.pipe({
      received: {
        request: (chunk) => {
          if (!life.isOver) listener.receive(chunk);
        },
        reply: client.received,
      },
      drained: {
        request: () => undefined,
        reply: () => {
          if (closing === "written") pipe.close(undefined);
          else if (isFull && !life.isOver) {
            isFull = false;
            listener.drained();
          }
        },
      },
      closed: (error) => {
        this.#pipes.delete(pipe);
        client.closed(error);
        if (!life.isOver) listener.closed(error);
      },
    });
    let closing: "written" | "now" | undefined;
    const link: Link = {
      write: (parts, sent) => {
        life.check("link write");
        if (closing !== undefined) return "ok";
        pipe.reply.send(parts, () => {
          if (!life.isOver) sent?.();
        });
        isFull ||= pipe.reply.unsentBytes > linkWatermarkBytes;
        return isFull ? "full" : "ok";
      },
      unsentBytes: () => pipe.reply.unsentBytes,
      pause: () => pipe.request.pause(),
      resume: () => pipe.request.resume(),
      close: (when) => {
        if (closing !== undefined && when === "written") return;
        closing = when;
        if (when === "now" || pipe.reply.unsentBytes === 0) pipe.close(undefined);
      },
    };
    const listener = server.connect({
      link,
      clientHost: client.name,
      listener: { name: "PLAINTEXT", host: "broker", port: 9092 },
    });
    this.#pipes.add(pipe);
    return pipe;
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
    const isOperational = name === "MetadataError" || name === "DiskError";
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
    this.#life = undefined;
    this.#server = undefined;
    this.#opened = undefined;
    this.#faultyStore = undefined;
  }

  #ports(life: Life): Ports {
    const { world, steps, table } = this;
    const clock = life.clock(world.clock);
    const watchers = { life, trace: world.trace, steps, table };
    const faulty = new FaultyMetadataStore(this.#store, {
      clock,
      random: world.random.fork(),
      rates: this.storeRates,
    });
    this.#faultyStore = faulty;
    const disk = new WatchedDisk(this.disk, watchers);
    const store = watchedStore(faulty, watchers);
    const mutation = this.#mutation;
    const start = this.#mutatedStart();
    const ports = {
      clock,
      random: world.random.fork(),
      disk: mutation?.disk?.(disk, start) ?? disk,
      store: mutation?.store?.(store, start) ?? store,
      codecs: jsCodecs,
      crc32c,
      folder: {
        path: "simulated",
        space: () => ({ totalBytes: 1 << 30, usableBytes: (1 << 30) - this.disk.usedBytes }),
      },
      log: recordingLog(world.trace, (what) => this.note(what)),
      limits: smallLimits,
      buffers: new BufferPool(pooledBytesMin),
      onFailed: () => {
        this.needsRestart = true;
      },
    };
    return ports;
  }

  #mutatedStart(): MutatedStart {
    return { world: this.world, number: this.starts, memoryDisk: this.disk };
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : ` because of ${describe(error.cause)}`;
  return `${error.name}: ${error.message}${cause}`;
}
