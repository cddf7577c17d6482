import { Admin } from "./admin.ts";
import { checkHistory } from "./checker.ts";
import { stepCells } from "./cluster-faults.ts";
import { ClusterInvariants } from "./cluster-invariants.ts";
import { KnownCluster, type Scene } from "./client.ts";
import { ClusterNemesis } from "./cluster-nemesis.ts";
import { Drain } from "./drain.ts";
import { Fleet } from "./fleet.ts";
import { History } from "./history.ts";
import { Network } from "./network.ts";
import { groupsOf, populate } from "./populate.ts";
import { Population } from "./population.ts";
import type { SimulationOptions, SimulationResult } from "./simulate.ts";
import { restNowAndThen } from "./rests.ts";
import { RollingUpgrade } from "./rolling-upgrade.ts";
import { drainMsMax, setUpMsMax, Stage } from "./stage.ts";
import { brokerConfigs, mainTopics, type SimulatedTopic } from "./topics.ts";
import { StoreInvariants } from "./store-invariants.ts";
import { Values } from "./values.ts";
import { World } from "./world.ts";

const anomaliesMaxDefault = 20;
/** Those that are there at first, and at the end; others join and leave. */
const brokersMin = 3;
const brokersMax = 5;

/**
 * In a run of so long clients take their time, some more than others: it is as many runs that find
 * most, not long ones.
 */
const longRunMs = 300_000;
const slownessesOfLongRuns: readonly number[] = [8, 32, 32, 32];
/** Groups outlive many deaths of their coordinators in a run. */
const slownessOfGroups = 4;

/** So many clusters begin with the version before. */
const upgradedPerThousand = 200;

/**
 * A cluster of three to five brokers: each of them may be killed with its disk, paused and cut off,
 * join and leave, while the others and the clients go on.
 */
export class ClusterSimulation {
  readonly #options: SimulationOptions;
  readonly #world: World;
  readonly #network: Network;
  readonly #fleet: Fleet;
  readonly #scene: Scene;
  readonly #stage: Stage;
  readonly #population: Population;
  readonly #topics: readonly SimulatedTopic[];
  readonly #admin: Admin;
  readonly #nemesis: ClusterNemesis;
  readonly #upgrade: RollingUpgrade | undefined;
  #isDrained = false;

  constructor(options: SimulationOptions) {
    this.#options = options;
    const { keepTrace = "digest", mutation, seed } = options;
    this.#world = new World({ seed, keepTrace });
    this.#network = new Network(this.#world);
    const [world, network] = [this.#world, this.#network];
    const mutated = mutation === undefined ? {} : { mutation };
    const [history, cluster] = [new History(), new KnownCluster()];
    const stores: StoreInvariants = new StoreInvariants({
      note: (what) => this.#fleet.note(what),
      slots: Number(brokerConfigs["millrace.slots"]),
      partitions: () => cluster.partitions,
      shown: (ref) => partitions.shown(ref),
    });
    const brokers = brokersMax;
    this.#fleet = new Fleet({ ...{ world, network, brokers, observer: stores }, ...mutated });
    const host = this.#fleet;
    const partitions = new ClusterInvariants({
      ...{ hosts: host.hosts, cluster, history },
      durableEnd: (ref) => stores.durableEnd(ref),
    });
    const isLong = (options.faultsMsMin ?? 0) >= longRunMs;
    const isThin = options.focus === "groups";
    const slowness = isLong ? world.pick(slownessesOfLongRuns) : isThin ? slownessOfGroups : 1;
    this.#scene = { world, host, history, cluster, isEnding: false, restsUntilMs: 0, slowness };
    const isUpgraded = world.chance(upgradedPerThousand);
    this.#upgrade = isUpgraded ? new RollingUpgrade(this.#scene, host) : undefined;
    this.#topics = mainTopics(world, "journal");
    this.#population = new Population(this.#scene);
    this.#admin = new Admin(this.#scene);
    const { crashAt, killIn, prefers } = options;
    this.#nemesis = new ClusterNemesis({
      ...{ world, network, fleet: host, brokersMin },
      aim: stepCells[seed % stepCells.length] ?? world.pick(stepCells),
      ...(killIn === undefined ? {} : { killIn }),
      ...(crashAt === undefined ? {} : { crashAt }),
      ...(prefers === undefined ? {} : { prefers }),
      restsUntilMs: () => this.#scene.restsUntilMs,
      crashClient: () => this.#population.crashOne(),
    });
    this.#stage = new Stage({
      ...{ brokers: host, anomalies: host.anomalies },
      anomaliesMax: options.anomaliesMax ?? anomaliesMaxDefault,
      isBroken: () => host.hosts.some(({ isBroken }) => isBroken),
      afterEvent: () => {
        partitions.check();
        stores.check();
      },
      state: () => host.states,
    });
  }

  async run(): Promise<void> {
    const stage = this.#stage;
    const nemesis = this.#nemesis;
    nemesis.supervise();
    if (!(await stage.phase("set up", this.#setUp(), setUpMsMax))) return;
    this.#populate();
    const { events, faultsMsMin = 0 } = this.#options;
    void nemesis.run();
    void this.#upgrade?.run();
    if (faultsMsMin > 0) void restNowAndThen(this.#scene);
    const lastEvent = this.#world.events + events;
    const lastMs = this.#world.nowMs + faultsMsMin;
    const isEnough = (): boolean => {
      return this.#world.events >= lastEvent && this.#world.nowMs >= lastMs;
    };
    await stage.runUntil(isEnough, Number.MAX_SAFE_INTEGER);
    this.#scene.restsUntilMs = 0;
    nemesis.end();
    if (stage.isHopeless) return;
    this.#scene.isEnding = true;
    const population = this.#population;
    if (
      !(await stage.settle(
        () => population.isEmpty,
        () => population.names,
      ))
    )
      return;
    const drain = new Drain(this.#scene).run(groupsOf(this.#options.focus));
    this.#isDrained = await stage.phase("drain", drain, drainMsMax);
  }

  result(): SimulationResult {
    const { history } = this.#scene;
    const found = checkHistory(history, {
      promises: { policyOf: () => "journal", power: "lost" },
      drain: this.#isDrained ? "complete" : "none",
    });
    const fleet = this.#fleet;
    fleet.abandon();
    const { operations } = history;
    for (const [place, resets] of Object.entries(this.#network.resets)) {
      if (resets > 0) fleet.table.add("link reset", place, resets);
    }
    const isAcknowledged = (one: (typeof operations)[number]): boolean =>
      one.kind === "send" && one.completion === "ok";
    return {
      ...{ seed: this.#options.seed, regime: "cluster", table: fleet.table },
      anomalies: [...fleet.anomalies, ...found],
      digest: this.#world.trace.digest,
      trace: this.#world.trace.lines,
      events: this.#world.events,
      operations: operations.length,
      acknowledged: operations.filter(isAcknowledged).length,
      starts: sum(fleet.hosts.map(({ starts }) => starts)),
      checkpoints: sum(fleet.hosts.map(({ checkpoints }) => checkpoints)),
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
    populate(this.#scene, { groups, population, values: this.#values, topics, fullReads: "no" });
    const how = { topics, switches: "nothing", durability: "journal" } as const;
    population.watch(this.#admin, this.#admin.run(how));
  }

  readonly #values = new Values();
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
