import { Admin, type Durability } from "./admin.ts";
import { BrokerHost, type Mutation } from "./broker-host.ts";
import { checkHistory } from "./checker.ts";
import { KnownCluster, nameOf, type PartitionRef, type Scene } from "./client.ts";
import { ClusterSimulation } from "./cluster-simulation.ts";
import { Drain } from "./drain.ts";
import type { FaultTable } from "./fault-table.ts";
import { type Anomaly, History } from "./history.ts";
import { Invariants } from "./invariants.ts";
import { LastLook } from "./last-look.ts";
import { takeCensus } from "./named-objects.ts";
import { namedSteps } from "./named-steps.ts";
import { Nemesis } from "./nemesis.ts";
import { Network } from "./network.ts";
import { groupsOf, populate } from "./populate.ts";
import { Population } from "./population.ts";
import { preferredFault, type PreferredFault } from "./preferred-faults.ts";
import { restNowAndThen } from "./rests.ts";
import { drainMsMax, setUpMsMax, Stage } from "./stage.ts";
import { brokerConfigs, mainTopics, type SimulatedTopic } from "./topics.ts";
import { Values } from "./values.ts";
import { World } from "./world.ts";

/**
 * What a run promises its clients. `local`: the process is killed, power stays. `journal`: power is
 * lost too. `switching`: topics change their durability to and fro, power stays. `strengthened`:
 * topics begin as local and become journaled; power is lost after a reply made the new promise.
 * `lossy`: as `local`, and the folders of tiered partitions' logs go with the process: what the
 * object store had by then survives. Under `journal` they go, too, and nothing may be lost.
 * `cluster`: several brokers, whose disks go with their processes.
 */
export type Regime = "local" | "journal" | "switching" | "strengthened" | "lossy" | "cluster";

/** Those of a broker that is alone. */
export const regimes: readonly Regime[] = [
  "journal",
  "local",
  "switching",
  "strengthened",
  "lossy",
];

/**
 * `compacted`: all topics are compacted again and again, and in both tiers. `groups`: there are
 * several groups, and of each somebody asks all the time what it has committed.
 */
export type Focus = "compacted" | "groups";

export interface SimulationOptions {
  readonly seed: number;
  /** Operations, port calls and faults while faults happen; healing and the drain come after. */
  readonly events: number;
  /** Virtual time while faults happen, at least; clients rest most of it. 0 if absent. */
  readonly faultsMsMin?: number;
  readonly keepTrace?: "all" | "digest";
  /** By the seed if absent. */
  readonly regime?: Regime;
  readonly mutation?: Mutation;
  /** The step in which most kills come; by the seed if absent. */
  readonly killIn?: string;
  /** The named step before and after which most crashes come; by the seed if absent. */
  readonly crashAt?: string;
  /** A fault that comes more often; by the seed if absent. */
  readonly prefers?: PreferredFault;
  /** What there is most of; a mixture if absent. */
  readonly focus?: Focus;
  /** The run ends early when so many anomalies were seen from inside; 20 if absent. */
  readonly anomaliesMax?: number;
}

export interface SimulationResult {
  readonly seed: number;
  readonly regime: Regime;
  /** Two runs with one digest are the same run. */
  readonly digest: string;
  readonly trace: readonly string[];
  readonly events: number;
  readonly operations: number;
  readonly acknowledged: number;
  readonly starts: number;
  /** Registered ones. */
  readonly checkpoints: number;
  readonly virtualMs: number;
  readonly table: FaultTable;
  readonly anomalies: readonly Anomaly[];
}

const anomaliesMaxDefault = 20;
const longMs = Number.MAX_SAFE_INTEGER;
/** One run of one seed, from the first start of a broker to the check of the history. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const restore = options.mutation?.patch?.();
  try {
    const isCluster = options.regime === "cluster";
    const simulation = isCluster ? new ClusterSimulation(options) : new Simulation(options);
    await simulation.run();
    return simulation.result();
  } finally {
    restore?.();
  }
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #regime: Regime;
  readonly #world: World;
  readonly #network: Network;
  readonly #host: BrokerHost;
  readonly #scene: Scene;
  readonly #topics: readonly SimulatedTopic[];
  readonly #values: Values = new Values();
  readonly #invariants: Invariants;
  readonly #nemesis: Nemesis;
  readonly #admin: Admin;
  readonly #population: Population;
  readonly #stage: Stage;
  #isStrong: boolean;
  #isDrained = false;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#regime = options.regime ?? regimes[options.seed % regimes.length] ?? "local";
    this.#isStrong = this.#regime === "journal";
    const { seed, keepTrace = "digest", mutation } = options;
    this.#world = new World({ seed, keepTrace });
    this.#network = new Network(this.#world);
    const [world, network] = [this.#world, this.#network];
    this.#host = new BrokerHost({
      ...{ world, network, configs: brokerConfigs },
      ...(mutation === undefined ? {} : { mutation }),
    });
    const history = new History();
    const cluster = new KnownCluster();
    this.#topics = mainTopics(world, this.#firstDurability, options.focus);
    const host = this.#host;
    this.#scene = { world, host, history, cluster, isEnding: false, restsUntilMs: 0 };
    this.#population = new Population(this.#scene);
    this.#invariants = new Invariants(host, this.#scene);
    this.#stage = new Stage({
      ...{ brokers: host, anomalies: host.anomalies },
      anomaliesMax: options.anomaliesMax ?? anomaliesMaxDefault,
      isBroken: () => host.isBroken,
      afterEvent: () => this.#invariants.check(),
      state: () => `broker ${host.state}`,
    });
    this.#admin = new Admin(this.#scene);
    const { crashAt, killIn } = options;
    const prefers = options.prefers && preferredFault(options.prefers);
    this.#nemesis = new Nemesis({
      ...{ world, network, host, steps: namedSteps },
      ...(killIn === undefined ? {} : { killIn }),
      ...(crashAt === undefined ? {} : { crashAt }),
      ...(prefers === undefined ? {} : { prefers }),
      mayLosePower: () => this.#isStrong,
      logLoss: () => this.#logLoss,
      tiered: () => cluster.tiered,
      onLost: (ref) => this.#lost(ref),
      restsUntilMs: () => this.#scene.restsUntilMs,
      crashClient: () => this.#population.crashOne(),
    });
    host.mayMissRecords = this.#regime === "lossy";
    host.atRest = () => void this.#checkNamed();
  }

  get #firstDurability(): Durability {
    return this.#regime === "journal" ? "journal" : "local";
  }

  get #logLoss(): "never" | "local" | "journal" {
    if (this.#regime === "lossy") return "local";
    return this.#regime === "journal" ? "journal" : "never";
  }

  async run(): Promise<void> {
    this.#host.start();
    if (!(await this.#stage.phase("set up", this.#setUp(), setUpMsMax))) return;
    this.#populate();
    const nemesis = this.#nemesis;
    void nemesis.run();
    void this.#strengthen();
    const { events, faultsMsMin = 0 } = this.#options;
    if (faultsMsMin > 0) void restNowAndThen(this.#scene);
    const lastEvent = this.#world.events + events;
    const lastMs = this.#world.nowMs + faultsMsMin;
    const isEnough = (): boolean => {
      return this.#world.events >= lastEvent && this.#world.nowMs >= lastMs;
    };
    await this.#stage.runUntil(isEnough, longMs);
    this.#scene.restsUntilMs = 0;
    nemesis.end();
    if (this.#stage.isHopeless) return;
    this.#scene.isEnding = true;
    if (!(await this.#settle(() => this.#population.isEmpty))) return;
    await this.#lastFault();
    const drain = new Drain(this.#scene).run(groupsOf(this.#options.focus));
    this.#isDrained = await this.#stage.phase("drain", drain, drainMsMax);
    if (!this.#isDrained) return;
    const look = new LastLook(this.#scene, this.#nemesis).run();
    await this.#stage.phase("last look", look, drainMsMax);
  }

  result(): SimulationResult {
    const { history } = this.#scene;
    const isLocal = this.#regime === "local" || this.#regime === "lossy";
    const power = this.#isStrong ? "lost" : "kept";
    const found = checkHistory(history, {
      promises: { policyOf: () => (isLocal ? "local" : "journal"), power },
      drain: this.#isDrained ? "complete" : "none",
    });
    this.#host.abandon();
    const { operations } = history;
    const anomalies = [...this.#host.anomalies, ...found];
    const { table } = this.#host;
    for (const [place, resets] of Object.entries(this.#network.resets)) {
      if (resets > 0) table.add("link reset", place, resets);
    }
    return {
      ...{ seed: this.#options.seed, regime: this.#regime, table, anomalies },
      digest: this.#world.trace.digest,
      trace: this.#world.trace.lines,
      events: this.#world.events,
      operations: operations.length,
      acknowledged: operations.filter(
        ({ kind, completion }) => kind === "send" && completion === "ok",
      ).length,
      starts: this.#host.starts,
      checkpoints: this.#host.checkpoints,
      virtualMs: this.#world.nowMs,
    };
  }

  async #setUp(): Promise<void> {
    for (const topic of this.#topics) await this.#admin.createTopic(topic);
  }

  #populate(): void {
    const population = this.#population;
    const topics = this.#topics.map(({ name }) => name);
    const groups = groupsOf(this.#options.focus);
    populate(this.#scene, { groups, population, values: this.#values, topics, fullReads: "yes" });
    const how = {
      topics,
      switches: this.#regime === "switching" ? "durability" : "nothing",
      durability: weakRegimes.has(this.#regime) ? "local" : "journal",
    } as const;
    population.watch(this.#admin, this.#admin.run(how));
  }

  /** Topics become journaled; once every partition has acknowledged a write since, power may go. */
  async #strengthen(): Promise<void> {
    if (this.#regime !== "strengthened") return;
    const { history, cluster } = this.#scene;
    await this.#admin.sleep(this.#world.between(1_000, 4_000));
    for (const { name } of this.#topics) {
      await this.#admin.setConfig(name, "millrace.durability", "journal");
    }
    const from = history.operations.length;
    while (!this.#isStrong) {
      await this.#world.sleep(200);
      const promised = new Set<string>();
      for (const operation of history.operations.slice(from)) {
        if (operation.kind !== "send" || operation.completion !== "ok") continue;
        if (operation.acks === -1) promised.add(operation.partition);
      }
      const mine = cluster.partitions.filter(({ topic }) => {
        return this.#topics.some(({ name }) => name === topic);
      });
      this.#isStrong = mine.every((ref) => promised.has(nameOf(ref)));
    }
    this.#world.trace.add("everything is journaled from here on");
  }

  /** The partition's folder is gone: what the object store has of it is all that survives. */
  #lost(ref: PartitionRef): void {
    this.#scene.history.lostFolders.add(nameOf(ref));
    if (this.#logLoss !== "local") return;
    const from = this.#invariants.tieredEnd(ref);
    this.#scene.history.lose(nameOf(ref), from);
    this.#invariants.lost(ref, from);
  }

  /** Nobody is alive: all that is named is there. */
  async #checkNamed(): Promise<void> {
    const { missing } = await takeCensus(this.#host);
    for (const object of missing) this.#host.note(`named, and not there: ${object}`);
  }

  /** The last crash: what was acknowledged must come through it without any client's help. */
  async #lastFault(): Promise<void> {
    const host = this.#host;
    const last = this.#world.below(3);
    if (host.state === "up") {
      if (last === 0) host.stop();
      else this.#nemesis.kill();
    }
    if (this.#host.state === "closing") await this.#settle(() => host.state === "down");
    host.start();
  }

  #settle(isDone: () => boolean): Promise<boolean> {
    return this.#stage.settle(isDone, () => this.#population.names);
  }
}

/** Topics that come and go never change: power, or their folder, may be lost while they are there. */
const weakRegimes: ReadonlySet<Regime> = new Set(["local", "switching", "lossy"]);
