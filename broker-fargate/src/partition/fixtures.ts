import {
  MemoryDisk,
  MemoryMetadataStore,
  MemoryObjectStore,
  MemorySideWork,
  type SideFate,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import type { SideCall, TopicId } from "@millrace/core";
import {
  buildBatch,
  type CodecSet,
  crc32c,
  jsCodecs,
  readRecords,
  recordLimits,
  splitBatches,
} from "@millrace/wire";
import { BufferPool } from "../buffer-pool.ts";
import { Cluster } from "../cluster/cluster.ts";
import { sideTasks } from "../side-work/tasks.ts";
import type { AppendResult } from "./append.ts";
import type { TierLimits } from "../tier/limits.ts";
import { checked, partitionLimits } from "./limits.ts";
import type { PartitionLimits } from "./limits.ts";
import type { PartitionOwner } from "./owner.ts";
import { Partitions } from "./partitions.ts";

/** Limits so small that a short test meets them all. */
export const smallLimits: PartitionLimits = checked({
  ...partitionLimits,
  journalFileBytes: 64 * 1024,
  journalGrowBytes: 16 * 1024,
  journalObjectBytes: 16 * 1024,
  journalBytesMax: 512 * 1024,
  journalPendingBytesMax: 128 * 1024,
  journalTrimBytes: 128 * 1024,
  journalTrimAgeMs: 60_000,
  replayLogsMax: 2,
});

/** A broker's partitions over a disk and a store in memory, through lives, deaths and crashes. */
export class Rig {
  clock: VirtualClock = new VirtualClock();
  readonly disk: MemoryDisk;
  readonly store: MemoryMetadataStore = new MemoryMetadataStore();
  readonly random: SeededRandom;
  /** Even the smallest reads are used again. */
  readonly buffers: BufferPool = new BufferPool(1);
  readonly failures: unknown[] = [];
  readonly warnings: string[] = [];
  readonly limits: PartitionLimits;
  /** Undefined: topics are not tiered. */
  objects: MemoryObjectStore | undefined;
  readonly #tierLimits: TierLimits | undefined;
  readonly #codecs: CodecSet;
  /** What becomes of calls of side work; by default they end in the next turn of virtual time. */
  fate: (call: SideCall) => SideFate = () => ({ delayMs: 0, dies: "no" });
  #cluster: Cluster | undefined;
  #partitions: Partitions | undefined;

  constructor(
    options: {
      readonly seed?: number;
      readonly limits?: PartitionLimits;
      /** How syncs end; by default in a microtask. */
      readonly schedule?: (run: () => void) => void;
      /** Set: topics are tiered. */
      readonly tierLimits?: TierLimits;
      /** By default those that are written in JavaScript. */
      readonly codecs?: CodecSet;
    } = {},
  ) {
    this.random = new SeededRandom(options.seed ?? 1);
    this.limits = options.limits ?? smallLimits;
    this.#tierLimits = options.tierLimits;
    this.#codecs = options.codecs ?? jsCodecs;
    this.objects = options.tierLimits === undefined ? undefined : new MemoryObjectStore();
    const { schedule } = options;
    const wallMs = (): number => this.clock.wallMs();
    this.disk = new MemoryDisk(schedule === undefined ? { wallMs } : { schedule, wallMs });
  }

  async start(): Promise<this> {
    const { buffers, clock, disk, limits, objects, random, store } = this;
    const tierLimits = this.#tierLimits;
    const codecs = this.#codecs;
    const configs = new Map([["remote.log.storage.system.enable", String(objects !== undefined)]]);
    const cluster = await Cluster.open({ store, clock, random, brokerId: 1, slots: 8, configs });
    this.#cluster = cluster;
    this.#partitions = await Partitions.open({
      ...{ buffers, clock, cluster, crc32c, disk, limits, random, store },
      ...(objects === undefined ? {} : { objects }),
      ...(tierLimits === undefined ? {} : { tierLimits }),
      codecs,
      sideWork: new MemorySideWork({
        clock,
        tasks: sideTasks({ codecs, crc32c }),
        fate: (call) => this.fate(call),
      }),
      log: {
        warn: (fields, message) => this.warnings.push(`${message}: ${JSON.stringify(fields)}`),
        error: (_, message) => this.warnings.push(message),
      },
      onFailed: (cause) => this.failures.push(cause),
    });
    return this;
  }

  get cluster(): Cluster {
    if (this.#cluster === undefined) throw new Error("not started");
    return this.#cluster;
  }

  get partitions(): Partitions {
    if (this.#partitions === undefined) throw new Error("not started");
    return this.#partitions;
  }

  async createTopic(
    name: string,
    options: { readonly partitions?: number; readonly configs?: Record<string, string> } = {},
  ): Promise<TopicId> {
    const outcome = await this.cluster.createTopic(
      {
        name,
        partitionCount: options.partitions ?? 1,
        replicationFactor: 1,
        assignments: [],
        configs: Object.entries(options.configs ?? {}),
      },
      "perform",
    );
    if (outcome.kind !== "done") throw new Error(JSON.stringify(outcome));
    return outcome.topic.id;
  }

  async setDurability(name: string, durability: "local" | "journal"): Promise<void> {
    const outcome = await this.cluster.setTopicConfigs(
      name,
      (before) => ({ ok: true, configs: new Map(before).set("millrace.durability", durability) }),
      "perform",
    );
    if (outcome.kind !== "done") throw new Error(JSON.stringify(outcome));
  }

  /** The process dies; every written byte stays. */
  async kill(): Promise<void> {
    this.disk.kill();
    await this.#restart();
  }

  /** The same, and the folder with the partitions' logs is lost. */
  async killAndLoseLogs(): Promise<void> {
    this.disk.kill();
    this.disk.remove("partitions");
    await this.#restart();
  }

  /** Power is lost; what was not synced is gone, cut or mangled. */
  async crash(): Promise<void> {
    this.disk.crash(this.random);
    await this.#restart();
  }

  /** The dead process's timers never fire. */
  async #restart(): Promise<void> {
    this.clock = new VirtualClock({ wallMs: this.clock.wallMs() });
    await this.start();
  }

  /** Fires timers up to `ms` from now, letting promises run between them. */
  async pass(ms: number): Promise<void> {
    const endMs = this.clock.monotonicMs() + ms;
    for (;;) {
      await turn();
      const dueMs = this.clock.nextDueMs;
      if (dueMs === undefined || dueMs > endMs) break;
      this.clock.fireNext();
    }
    this.clock.advance(endMs - this.clock.monotonicMs());
    await turn();
  }
}

/** Lets every promise that can run do so. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A produce request's records field with these values, one record each. */
export function batchOf(
  values: readonly number[],
  producer: { readonly id?: number; readonly sequence?: number; readonly padding?: number } = {},
): Uint8Array {
  const { id, padding = 0, sequence } = producer;
  const records = values.map((value) => ({ key: null, value: encodeValue(value, padding) }));
  if (id === undefined) return buildBatch(records, { crc32c });
  const fields = { producerId: id, producerEpoch: 0, baseSequence: sequence ?? 0 };
  return buildBatch(records, { crc32c, ...fields });
}

function encodeValue(value: number, padding: number): Uint8Array {
  const bytes = new Uint8Array(4 + padding);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

export interface SeenRecord {
  readonly offset: number;
  readonly value: number;
}

const wholeRange = { maxBytes: 1 << 20, isolation: "uncommitted", atLeastOneBatch: true } as const;

function recordsIn(runs: readonly Uint8Array[]): readonly SeenRecord[] {
  const rules = { codecs: jsCodecs, ...recordLimits };
  const open = (bytes: Uint8Array, at: number): readonly SeenRecord[] => {
    const batch = readRecords(bytes, at, rules);
    if (batch.kind === "fault") throw new Error(batch.fault);
    return batch.records.map(({ offset, value }) => {
      if (value === null) throw new Error("a value is missing");
      return { offset, value: new DataView(value.buffer, value.byteOffset).getUint32(0) };
    });
  };
  return runs.flatMap((bytes) => splitBatches(bytes).starts.flatMap((at) => open(bytes, at)));
}

/** All readable records, from the log's start to the high watermark, hot and cold. */
export async function fetchAllRecords(owner: PartitionOwner): Promise<readonly SeenRecord[]> {
  const seen: SeenRecord[] = [];
  let from = owner.logStartOffset;
  while (from < owner.highWatermark) {
    const read = owner.read({ ...wholeRange, from });
    if (read.kind === "pending") await read.ready;
    else if (read.kind !== "ok" || read.records.length === 0)
      throw new Error(`no records: ${from}`);
    else seen.push(...recordsIn(read.records));
    from = (seen.at(-1)?.offset ?? from - 1) + 1;
  }
  return seen;
}

/** All readable records, from the log's start to the high watermark. */
export function readAllRecords(owner: PartitionOwner): readonly SeenRecord[] {
  const seen: SeenRecord[] = [];
  let from = owner.logStartOffset;
  while (from < owner.highWatermark) {
    const read = owner.read({ ...wholeRange, from });
    if (read.kind !== "ok" || read.records.length === 0) throw new Error(`no records: ${from}`);
    seen.push(...recordsIn(read.records));
    from = (seen.at(-1)?.offset ?? from) + 1;
  }
  return seen;
}

export function offsetOf(result: AppendResult): number {
  if (result.kind === "refused") throw new Error(`refused: ${result.reason}`);
  return result.baseOffset;
}

/** A batch of some size for each value, the next when the one before is durable. */
export async function appendEach(owner: PartitionOwner, values: readonly number[]): Promise<void> {
  for (const value of values) {
    const records = batchOf([value], { padding: 20 });
    offsetOf(await owner.append({ waitFor: "durable", records }));
  }
}

/** All that a reader from the start gets. */
export async function valuesOf(owner: PartitionOwner): Promise<readonly number[]> {
  return (await fetchAllRecords(owner)).map(({ value }) => value);
}
