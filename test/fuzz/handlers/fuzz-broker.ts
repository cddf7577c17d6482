import {
  inlineHashing,
  MemoryDisk,
  MemoryMetadataStore,
  MemorySideWork,
  VirtualClock,
} from "@millrace/adapter-memory";
import { loadCodecs } from "@millrace/adapter-node";
import { parseSettings } from "@millrace/core";
import { crc32c } from "@millrace/wire";
import { BufferPool } from "../../../broker-fargate/src/buffer-pool.ts";
import {
  type OpenBroker,
  openBroker,
  type Ports,
} from "../../../broker-fargate/src/open-broker.ts";
import { checked, partitionLimits } from "../../../broker-fargate/src/partition/limits.ts";
import { Server } from "../../../broker-fargate/src/server/server.ts";
import { sideTasks } from "../../../broker-fargate/src/side-work/tasks.ts";
import type { Chance } from "../chance.ts";

const kibibyte = 1024;
/** Small, so that files roll and fill within a short case. */
const limits = checked({
  ...partitionLimits,
  journalFileBytes: 256 * kibibyte,
  journalGrowBytes: 64 * kibibyte,
  journalObjectBytes: 64 * kibibyte,
  journalBytesMax: 2048 * kibibyte,
  journalPendingBytesMax: 512 * kibibyte,
  journalTrimBytes: 256 * kibibyte,
  turnCompressedBytesMax: 4 * kibibyte,
  turnOpenedBytesMax: 16 * kibibyte,
  turnReencodedBytesMax: kibibyte,
});

const configs = {
  "group.initial.rebalance.delay.ms": "100",
  "millrace.slots": "16",
  "socket.request.max.bytes": "1048576",
};
export const frameBytesMax = 1_048_576;

/** Even small buffers are used again: what somebody still reads would be overwritten. */
const pooledBytesMin = 64;
const closeMsMax = 5_000;

export interface LogLine {
  readonly level: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** A mistake that is put into the broker, to see that it is found. */
export type Plant = (opened: OpenBroker) => void;

/** The real broker and server over memory, on virtual time; a restart keeps disk and store. */
export class FuzzBroker {
  readonly clock: VirtualClock = new VirtualClock();
  readonly disk: MemoryDisk = new MemoryDisk();
  /** Since they were looked at last. */
  readonly lines: LogLine[] = [];
  /** The clients that a line in the log was about. */
  readonly toldOf: Set<unknown> = new Set();
  readonly #chance: Chance;
  readonly #plant: Plant | undefined;
  #store: MemoryMetadataStore = new MemoryMetadataStore();
  #opened: OpenBroker | undefined;
  #server: Server | undefined;

  constructor(chance: Chance, plant: Plant | undefined) {
    this.#chance = chance;
    this.#plant = plant;
  }

  async start(): Promise<void> {
    const { settings, known } = parseSettings(new Map(Object.entries(configs)));
    const buffers = new BufferPool(pooledBytesMin);
    const { codecs } = loadCodecs();
    const tasks = sideTasks({ codecs, crc32c });
    const ports: Ports = {
      ...{ clock: this.clock, disk: this.disk, store: this.#store, limits, crc32c, buffers },
      random: this.#chance.random.fork(),
      codecs,
      hashing: inlineHashing,
      sideWork: new MemorySideWork({ clock: this.clock, tasks }),
      folder: { path: "fuzzed", space: () => ({ totalBytes: 1 << 30, usableBytes: 1 << 29 }) },
      log: this.#log(),
    };
    const opened = await openBroker(ports, { settings, known });
    this.#plant?.(opened);
    const { dispatcher, broker } = opened;
    const { clock, log, metrics } = broker;
    this.#opened = opened;
    this.#server = new Server({ dispatcher, clock, log, metrics, buffers, settings });
  }

  get opened(): OpenBroker {
    if (this.#opened === undefined) throw new Error("not started");
    return this.#opened;
  }

  get server(): Server {
    if (this.#server === undefined) throw new Error("not started");
    return this.#server;
  }

  /** As after SIGTERM. */
  async restart(pass: () => Promise<void>): Promise<void> {
    await during(pass, this.server.close(closeMsMax));
    await during(pass, this.opened.close());
    this.disk.kill();
    this.#store = this.#store.reopen();
    await during(pass, this.start());
  }

  /** The value of one line of the metrics; 0 when it is not there. */
  metric(line: string): number {
    const lines = this.opened.broker.metrics.exposition().split("\n");
    const found = lines.find((candidate) => candidate.startsWith(`${line} `));
    return found === undefined ? 0 : Number(found.slice(line.length + 1));
  }

  #log(): Ports["log"] {
    const write =
      (level: string) =>
      (fields: LogLine["fields"], message: string): void => {
        this.lines.push({ level, fields, message });
        this.toldOf.add(fields["client"]);
      };
    const silent = (): void => undefined;
    const levels = { info: write("info"), warn: write("warn"), error: write("error") };
    const log = { ...levels, fatal: write("error"), debug: silent, trace: silent };
    // The broker writes lines and nothing else; of pino's logger that is all it needs.
    return log as unknown as Ports["log"];
  }
}

/** Lets time pass until the promise settles. */
async function during<Result>(pass: () => Promise<void>, work: Promise<Result>): Promise<Result> {
  const state = { isSettled: false };
  const settle = (): void => {
    state.isSettled = true;
  };
  work.then(settle, settle);
  for (let rounds = 0; !state.isSettled; rounds += 1) {
    if (rounds > 5_000) throw new Error("the broker does not close or start");
    await pass();
  }
  return work;
}
