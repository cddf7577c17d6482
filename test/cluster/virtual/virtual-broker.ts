import {
  inlineHashing,
  MemoryDisk,
  type MemoryMetadataStore,
  type MemoryObjectStore,
  MemorySideWork,
} from "@millrace/adapter-memory";
import { crc32c } from "@millrace/adapter-node";
import { type IncarnationId, type MemberListener } from "@millrace/core";
import { jsCodecs } from "@millrace/wire";
import type { Broker } from "../../../broker-fargate/src/broker.ts";
import { BufferPool } from "../../../broker-fargate/src/buffer-pool.ts";
import {
  type OpenBroker,
  openBroker,
  type Ports,
} from "../../../broker-fargate/src/open-broker.ts";
import { awsMember, strictLog } from "../../fixtures/aws-member.ts";
import { sideTasks } from "../../../broker-fargate/src/side-work/tasks.ts";
import { Life } from "../../simulation/life.ts";
import type { World } from "../../simulation/world.ts";
import { modelled } from "./latency.ts";
import { slowMetadata, slowObjects, type Way } from "./slow-stores.ts";

const firstPort = 9_000;

export interface VirtualStores {
  readonly metadata: MemoryMetadataStore;
  readonly objects: MemoryObjectStore;
}

/** Whoever was asked ended before the answer, or did not run. */
export class GoneError extends Error {
  override readonly name = "GoneError";
}

/**
 * A broker process of a cluster, with all of a broker's code and its own limits, on virtual time.
 * It is killed, paused and stopped as one is, and begins a new incarnation where its own is over.
 * What it computes takes no time; what it asks of the stores takes as long as these are modelled.
 */
export class VirtualBroker {
  readonly id: number;
  readonly listener: MemberListener;
  readonly #world: World;
  readonly #stores: VirtualStores;
  readonly #fail: (what: string) => void;
  #life: Life | undefined;
  #opened: OpenBroker | undefined;
  #former: IncarnationId | undefined;
  #starts = 0;

  constructor(
    id: number,
    at: {
      readonly world: World;
      readonly stores: VirtualStores;
      /** Something that no fault here explains. */
      readonly fail: (what: string) => void;
    },
  ) {
    this.id = id;
    this.#world = at.world;
    this.#stores = at.stores;
    this.#fail = at.fail;
    this.listener = { name: "PLAINTEXT", host: `broker-${id}`, port: firstPort + id };
  }

  get isUp(): boolean {
    return this.#opened !== undefined;
  }

  /** Of the life that runs. */
  get incarnation(): IncarnationId | undefined {
    return this.#opened?.broker.cluster.incarnation;
  }

  /** A process starts, without anything of the one before; resolves when it serves. */
  async start(): Promise<void> {
    this.#former = undefined;
    await this.#begin();
  }

  /** SIGKILL. */
  kill(): void {
    this.#life?.end();
    this.#life = undefined;
    this.#opened = undefined;
  }

  /** SIGSTOP. */
  pause(): void {
    this.#life?.pause();
  }

  /** SIGCONT. */
  resume(): void {
    this.#life?.resume((run) => void this.#world.clock.after(0, run));
  }

  /** SIGTERM; resolves when the process has ended. */
  async stop(): Promise<void> {
    const opened = this.#opened;
    await opened?.leave();
    await opened?.close();
    this.kill();
  }

  /** Over a connection: rejects with GoneError when this life ends before the answer. */
  ask<Answer>(question: (broker: Broker) => Answer | Promise<Answer>): Promise<Answer> {
    const [life, opened] = [this.#life, this.#opened];
    if (life === undefined || opened === undefined) return Promise.reject(new GoneError());
    return new Promise((resolve, reject) => {
      const forget = life.onEnd(() => reject(new GoneError()));
      const asked = async (): Promise<Answer> => question(opened.broker);
      life.deliver(() => {
        asked().finally(forget).then(resolve, reject);
      });
    });
  }

  async #begin(): Promise<void> {
    this.#starts += 1;
    const life = new Life(`broker-${this.id}-${this.#starts}`);
    this.#life = life;
    const opened = await openBroker(this.#ports(life), awsMember(this.id));
    if (life.isOver) return;
    this.#opened = opened;
    this.#former = opened.broker.cluster.incarnation;
  }

  /** As the process does it: nothing of the life counts any more, and the next one begins. */
  #over(life: Life): void {
    if (life !== this.#life || life.isOver) return;
    this.#world.clock.after(0, () => {
      life.deliver(() => {
        this.#opened?.abandon();
        this.kill();
        this.#begin().catch((error: unknown) => this.#fail(String(error)));
      });
    });
  }

  #ports(life: Life): Ports {
    const { clock: worldClock, random } = this.#world;
    const clock = life.clock(worldClock);
    const way = (latency: Way["latency"]): Way => {
      return { life, clock: worldClock, random: random.fork(), latency };
    };
    const schedule = (run: () => void): void => {
      worldClock.after(0, () => life.deliver(run));
    };
    const { metadata, objects } = this.#stores;
    return {
      ...{ clock, random: random.fork(), crc32c, hashing: inlineHashing, codecs: jsCodecs },
      disk: new MemoryDisk({ schedule, wallMs: () => worldClock.wallMs() }),
      store: slowMetadata(metadata, way(modelled.metadata)),
      objects: slowObjects(objects, way(modelled.objects)),
      sideWork: new MemorySideWork({ clock, tasks: sideTasks({ codecs: jsCodecs, crc32c }) }),
      folder: { path: "memory", space: () => ({ totalBytes: 2 ** 40, usableBytes: 2 ** 39 }) },
      log: strictLog("errors", (what) => this.#fail(`broker ${this.id}: ${what}`)),
      buffers: new BufferPool(),
      onFailed: (cause) => this.#fail(String(cause)),
      asMember: {
        listeners: [this.listener],
        onOver: () => this.#over(life),
        ...(this.#former === undefined ? {} : { former: this.#former }),
      },
    };
  }
}
