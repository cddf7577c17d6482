import { parseSettings, type Settings, type TopicId } from "@millrace/core";
import type { AdvertisedListener } from "../../broker-fargate/src/handlers/handler.ts";
import {
  type MemberPorts,
  type OpenBroker,
  openBroker,
} from "../../broker-fargate/src/open-broker.ts";
import { JournalDamagedError } from "../../broker-fargate/src/journal/files/journal-reader.ts";
import { Server } from "../../broker-fargate/src/server/server.ts";
import type { Brokers } from "./client.ts";
import { Steps } from "./fault-table.ts";
import { HostLinks } from "./host-links.ts";
import { Life } from "./life.ts";
import { type MutatedStart, type Mutation, portsOf } from "./life-ports.ts";
import { Machine, type MemberHost } from "./machine.ts";
import type { Network, Pipe } from "./network.ts";
import type { Watchers } from "./ports.ts";
import type { LinkedClient } from "./simulated-link.ts";
import { smallJournalLimits } from "./small-limits.ts";
import type { World } from "./world.ts";

export type { MutatedStart, Mutation } from "./life-ports.ts";
export { calmObjects } from "./machine.ts";

export type HostState = "down" | "starting" | "up" | "closing";

const restartMsMax = 300;
/** More than any fault that passes could cause: then it is no fault that passes. */
const failedStartsMax = 60;
const gracefulMsMax = 5_000;
/** How long what is left of a life goes on beside the next one, in the same process. */
const leftoverMsMax = 1_500;

/**
 * The machine that the broker runs on: its disk and its store, which outlive it, and one life of
 * the broker after another. Of a member of a cluster only the stores outlive it; and where it says
 * that its incarnation is over, the next life begins in the same process.
 */
export class BrokerHost extends Machine implements Brokers {
  readonly network: Network;
  readonly are = "one";
  readonly steps: Steps = new Steps();
  /** What the broker may say of records that are gone: their folder was taken from it. */
  mayMissRecords = false;
  /** Called when a life is over and before the next one. */
  atRest: () => void = () => undefined;
  /** Whether the broker said that only a restart helps. */
  needsRestart = false;
  state: HostState = "down";
  /** It can't start any more, and needs a person: the run is over. */
  isBroken = false;
  starts = 0;
  /** Registered ones, by all lives. */
  checkpoints = 0;
  readonly #listener: AdvertisedListener;
  /** Lives that were abandoned, of which something still goes on in the process. */
  readonly #leftovers = new Set<Life>();
  #isListening = false;
  #isOverEarly = false;
  readonly links: HostLinks;
  readonly #settings: { readonly settings: Settings; readonly known: ReadonlyMap<string, string> };
  readonly #mutation: Mutation | undefined;
  #life: Life | undefined;
  #server: Server | undefined;
  #opened: OpenBroker | undefined;
  #endOfPhase: (() => void) | undefined;
  #newestEpoch = 0;
  #failedStarts = 0;

  constructor(options: {
    readonly world: World;
    readonly network: Network;
    readonly configs: Readonly<Record<string, string>>;
    readonly mutation?: Mutation;
    /** Absent: the broker is alone. */
    readonly member?: MemberHost;
  }) {
    super(options);
    this.network = options.network;
    this.#mutation = options.mutation;
    this.#listener = { name: "PLAINTEXT", host: this.name, port: 9092 };
    this.links = new HostLinks(this.network, this.#listener);
    const { settings, known, invalid } = parseSettings(new Map(Object.entries(options.configs)));
    if (invalid.length > 0) throw new Error(invalid.join("; "));
    this.#settings = { settings, known };
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

  /** As long as this is the same, nothing in the broker has changed. */
  get turns(): string {
    return `${this.starts} ${this.state} ${this.#life?.turns ?? 0}`;
  }

  /** Begins a life; it is up some time later, or fails and is begun again. */
  start(): void {
    if (this.state !== "down" || this.isBroken) return;
    this.starts += 1;
    this.state = "starting";
    this.needsRestart = false;
    this.#isOverEarly = false;
    const life = new Life(`${this.name}-${this.starts}`);
    this.#life = life;
    if (this.member !== undefined) this.disk = this.newDisk();
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
    this.#end(life);
    if (kind === "power loss") this.disk.crash(this.world.random);
    else this.disk.kill();
    this.#down();
    this.links.reset(kind);
  }

  /** The run is over: nothing goes on, and nothing is counted. */
  abandon(): void {
    this.#life?.end();
    for (const life of this.#leftovers) life.end();
  }

  /** SIGSTOP: nothing of it goes on, and nobody is told. */
  pause(): void {
    for (const step of this.steps.running) this.table.add("pause", step);
    this.world.trace.add(`${this.name} is paused in ${this.steps.running.join(", ")}`);
    for (const life of this.#lives()) life.pause();
  }

  /** SIGCONT: what came meanwhile reaches it now, one thing after another. */
  resume(): void {
    if (!this.isPaused) return;
    this.world.trace.add(`${this.name} goes on`);
    for (const life of this.#lives()) life.resume((run) => this.world.clock.after(0, run));
  }

  get isPaused(): boolean {
    return this.#life?.isPaused === true;
  }

  /** SIGTERM: as `main` does it. The broker is down some time later, or is killed on the way. */
  stop(): void {
    const { state } = this;
    const [life, server, opened] = [this.#life, this.#server, this.#opened];
    if (state !== "up" || life === undefined || server === undefined || opened === undefined)
      return;
    if (life.isPaused) return;
    for (const step of this.steps.running) this.table.add("graceful stop", step);
    this.state = "closing";
    this.world.trace.add(`${life.name} stops`);
    this.#endOfPhase = this.steps.begin("stop");
    void this.#close(life, server, opened);
  }

  /** A link to the broker, or nothing when nobody listens. */
  connect(client: LinkedClient): Pipe | undefined {
    const [life, server] = [this.#life, this.#server];
    if (!this.#isListening || life === undefined || server === undefined) return undefined;
    return this.links.connect({ life, server }, client);
  }

  /** What this life still asks of the outside has no effect; the caller ends it at once. */
  freeze(): void {
    this.#life?.freeze();
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
      this.#isListening = true;
      this.#failedStarts = 0;
      this.#endOfPhase?.();
      world.trace.add(`${life.name} is up at epoch ${broker.cluster.epoch}`);
      this.#checkEpoch(broker.cluster.epoch);
      if (this.#isOverEarly) this.#over(life, "before it was open");
    } catch (error) {
      this.#failed(life, error);
    }
  }

  #checkEpoch(epoch: number): void {
    // A member starts at the newest epoch that anybody has.
    if (this.member === undefined && epoch <= this.#newestEpoch) {
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
    this.#end(life);
    this.disk.kill();
    this.#down();
    const { world } = this;
    world.clock.after(world.between(1, restartMsMax), () => this.start());
  }

  async #close(life: Life, server: Server, opened: OpenBroker): Promise<void> {
    try {
      // Its slots go to the others while it answers: clients are told who has them.
      if (this.member !== undefined) await opened.leave();
      this.#isListening = false;
      await server.close(gracefulMsMax);
      await opened.close();
    } catch (error) {
      this.note(`a graceful stop failed: ${describe(error)}`);
    }
    // The process exits within this turn; what is left of the turn asks nothing of the outside.
    life.freeze();
    this.world.clock.after(0, () => this.#stopped(life));
  }

  #stopped(life: Life): void {
    // Its end may have come in another way meanwhile.
    if (this.#life !== life) return;
    this.#end(life);
    this.disk.kill();
    this.#down();
    this.world.trace.add(`${life.name} has stopped`);
    this.links.reset("graceful stop");
  }

  #end(life: Life): void {
    life.end();
    for (const leftover of this.#leftovers) leftover.end();
    this.#leftovers.clear();
    this.steps.clear();
  }

  #down(): void {
    this.#endOfPhase?.();
    this.state = "down";
    this.#isListening = false;
    this.atRest();
    this.#life = undefined;
    this.#server = undefined;
    this.#opened = undefined;
    if (this.member === undefined) this.faultyStore = undefined;
  }

  /**
   * The broker says that this incarnation is over. As `main` does it: the life is abandoned, and the
   * next one begins in the same process, where what is left of the former goes on for a moment.
   */
  #over(life: Life, cause: unknown): void {
    const { world } = this;
    const [opened, server] = [this.#opened, this.#server];
    const isKnown = life !== this.#life || this.#leftovers.has(life);
    if (isKnown || life.isOver || this.state === "closing") return;
    // Who is over before it is open is abandoned when it is.
    this.#isOverEarly = this.state === "starting";
    if (this.#isOverEarly) {
      this.table.add("over", this.state);
      return;
    }
    world.trace.add(`${life.name} is over: ${describe(cause)}`);
    this.table.add("over", this.state);
    this.#leftovers.add(life);
    world.clock.after(0, () => {
      life.deliver(() => {
        opened?.abandon();
        void server?.close(0);
        this.steps.clear();
        this.#down();
        world.clock.after(world.between(0, restartMsMax), () => this.start());
        world.clock.after(world.below(leftoverMsMax), () => {
          this.#leftovers.delete(life);
          life.end();
        });
      });
    });
  }

  *#lives(): Iterable<Life> {
    if (this.#life !== undefined) yield this.#life;
    for (const life of this.#leftovers) if (life !== this.#life) yield life;
  }

  #ports(life: Life): Parameters<typeof openBroker>[0] {
    const { steps, table, world } = this;
    const trace = this.member === undefined ? world.trace : world.trace.of(life.name);
    const watchers: Watchers = {
      ...{ life, world, trace, steps, table },
      ...{ named: this.outside.named, number: this.#number },
      isHot: (path) => this.#isHot(path),
      onCheckpoint: () => {
        this.checkpoints += 1;
      },
    };
    this.faultyStore ??= this.newStore(life.clock(world.clock));
    return portsOf({
      ...{ watchers, clock: this.clock, objects: this.objects, disk: this.disk },
      store: this.faultyStore,
      mutation: this.#mutation,
      start: this.#mutatedStart(),
      asMember: this.#memberPorts(life),
      versions: this.versions,
      bug: (what) => this.note(this.member === undefined ? what : `${life.name}: ${what}`),
      mayMissRecords: () => this.mayMissRecords,
      onFailed: () => {
        this.needsRestart = true;
      },
    });
  }

  #memberPorts(life: Life): MemberPorts | undefined {
    if (this.member === undefined) return undefined;
    return {
      listeners: [this.#listener],
      journalLimits: smallJournalLimits,
      onOver: (cause) => this.#over(life, cause),
    };
  }

  /** Of this life, among those of all brokers. */
  get #number(): number {
    return this.starts + (this.member?.brokerId ?? 0) * 1_000_000;
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
    return {
      world: this.world,
      host: this.name,
      number: this.starts,
      memoryDisk: this.disk,
      after,
    };
  }
}

/** Whoever runs the process starts it again after these. */
const operationalErrors: ReadonlySet<string> = new Set([
  "MetadataError",
  "DiskError",
  "ObjectError",
]);

function describe(error: unknown): string {
  if (!(error instanceof Error)) {
    return typeof error === "string" ? error : JSON.stringify(error);
  }
  const cause = error.cause === undefined ? "" : ` because of ${describe(error.cause)}`;
  return `${error.name}: ${error.message}${cause}`;
}
