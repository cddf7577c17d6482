import {
  FaultyMetadataStore,
  FaultyObjectStore,
  MemoryMetadataStore,
  MemoryObjectStore,
  MemorySideWork,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import { type IncarnationId, keys, readLeadership } from "@millrace/core";
import { crc32c } from "@millrace/adapter-node";
import { jsCodecs } from "@millrace/wire";
import { inlineHashing } from "../../adapters/memory/src/hashing.ts";
import { BufferPool } from "../../broker-fargate/src/buffer-pool.ts";
import { type OpenBroker, openBroker } from "../../broker-fargate/src/open-broker.ts";
import { awsMember, strictLog } from "../fixtures/aws-member.ts";
import { sideTasks } from "../../broker-fargate/src/side-work/tasks.ts";
import { CacheDisk } from "./cache-disk.ts";
import { Tally, type Usage } from "./counts.ts";
import { MeteredMetadata, MeteredObjects } from "./metered-stores.ts";
import { SinkObjects } from "./sink.ts";

/** The longest way to a store and back, in ms; half of it on average. */
const metadataMsMax = 6;
const objectsMsMax = 60;

export interface MeteredBroker extends OpenBroker {
  readonly id: number;
  readonly tally: Tally;
  /** Of this life. */
  readonly incarnation: IncarnationId;
}

/**
 * Brokers of one cluster, with all of a broker's code, over stores in memory, on virtual time; what
 * each asks of the stores is counted. Nothing fails here: a warning of a broker, or the end of an
 * incarnation, fails the run.
 */
export class MeteredCluster {
  readonly clock: VirtualClock = new VirtualClock();
  readonly brokers: MeteredBroker[] = [];
  readonly memory: MemoryMetadataStore = new MemoryMetadataStore();
  readonly objects: MemoryObjectStore = new MemoryObjectStore();
  readonly #random = new SeededRandom(1);
  readonly #wrong: string[] = [];

  /** So many brokers, once every slot has its owner and nothing moves any more. */
  static async start(count: number): Promise<MeteredCluster> {
    const cluster = new MeteredCluster();
    for (let id = 1; id <= count; id += 1) await cluster.join(id);
    await cluster.settle();
    return cluster;
  }

  async join(id: number): Promise<MeteredBroker> {
    const { clock } = this;
    const tally = new Tally();
    const random = this.#random.fork();
    const fault = { clock, random: random.fork(), rates: { perThousand: {} } };
    const store = new FaultyMetadataStore(this.memory, {
      ...fault,
      rates: { perThousand: {}, latencyMsMax: metadataMsMax / 2 },
    });
    const objects = new FaultyObjectStore(this.objects, {
      ...fault,
      rates: { perThousand: {}, latencyMsMax: objectsMsMax / 2 },
    });
    const wrong = (what: string): void => void this.#wrong.push(`broker ${id}: ${what}`);
    const opened = await this.settled(
      openBroker(
        {
          ...{ clock, random, crc32c, hashing: inlineHashing },
          disk: new CacheDisk(() => clock.wallMs()),
          store: new MeteredMetadata(store, tally),
          objects: new MeteredObjects(new SinkObjects(objects), tally),
          codecs: jsCodecs,
          sideWork: new MemorySideWork({ clock, tasks: sideTasks({ codecs: jsCodecs, crc32c }) }),
          folder: { path: "memory", space: () => ({ totalBytes: 2 ** 40, usableBytes: 2 ** 39 }) },
          log: strictLog("warnings", wrong),
          buffers: new BufferPool(),
          onFailed: (cause) => wrong(String(cause)),
          asMember: {
            listeners: [{ name: "PLAINTEXT", host: `broker-${id}`, port: 9092 }],
            onOver: (cause) => wrong(String(cause)),
          },
        },
        awsMember(id),
      ),
    );
    const { incarnation } = opened.broker.cluster;
    const broker = { ...opened, id, tally, incarnation };
    this.brokers.push(broker);
    return broker;
  }

  /** Until leadership gives every slot to somebody, evenly, and nothing of it is under way. */
  async settle(): Promise<void> {
    for (let seconds = 0; seconds < 300; seconds += 1) {
      await this.advance(1_000);
      if (await this.#isSettled()) return this.advance(10_000);
    }
    throw new Error("the slots did not come to rest");
  }

  /** Lets virtual time pass, timer by timer; promise chains take none of it. */
  async advance(ms: number): Promise<void> {
    const endMs = this.clock.monotonicMs() + ms;
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      const dueMs = this.clock.nextDueMs;
      if (dueMs === undefined || dueMs > endMs) break;
      this.clock.fireNext();
    }
    this.clock.advance(endMs - this.clock.monotonicMs());
    this.#check();
  }

  /** Lets virtual time pass until the promise settles. */
  async settled<Result>(promise: Promise<Result>): Promise<Result> {
    let isSettled = false;
    const note = (): void => {
      isSettled = true;
    };
    promise.then(note, note);
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      if (isSettled) return promise;
      if (!this.clock.fireNext()) throw new Error("nothing left to happen, and no answer");
    }
  }

  /** What the brokers asked for in so much time from now on, each. */
  async measure(minutes: number): Promise<readonly Usage[]> {
    for (const { tally } of this.brokers) tally.take();
    await this.advance(minutes * 60_000);
    return this.brokers.map(({ tally }) => tally.take());
  }

  /** What the first broker asked for since this was asked last. */
  takeOfFirst(): Usage {
    const [first] = this.brokers;
    if (first === undefined) throw new Error("there is no broker");
    return first.tally.take();
  }

  /** Creates a topic, and lets every broker hear of it. */
  async createTopic(name: string, partitionCount: number): Promise<void> {
    const [first] = this.brokers;
    if (first === undefined) throw new Error("there is no broker");
    const request = { name, partitionCount, replicationFactor: 1, assignments: [], configs: [] };
    const creating = first.broker.cluster.createTopic(request, "perform");
    const outcome = await this.settled(creating);
    if (outcome.kind !== "done") throw new Error(`no topic: ${JSON.stringify(outcome)}`);
    await this.advance(10_000);
  }

  /** Something was not as it should be: the run fails at its next step. */
  fail(what: string): void {
    this.#wrong.push(what);
  }

  async close(): Promise<void> {
    for (const broker of this.brokers) await this.settled(broker.close());
  }

  async #isSettled(): Promise<boolean> {
    const item = await this.memory.get(keys.leadership);
    const [first] = this.brokers;
    if (item === undefined || first === undefined) return false;
    const { slots } = first.broker.cluster;
    const { leaders, moves } = readLeadership(item, slots);
    const counts = this.brokers.map(({ incarnation }) => {
      return leaders.filter((leader) => leader?.incarnation === incarnation).length;
    });
    const sum = counts.reduce((all, count) => all + count, 0);
    const isEven = Math.max(...counts) - Math.min(...counts) <= 1;
    return moves.length === 0 && sum === slots && isEven;
  }

  #check(): void {
    if (this.#wrong.length > 0) throw new Error(this.#wrong.join("\n"));
  }
}
