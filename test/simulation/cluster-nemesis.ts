import type { TopicId } from "@millrace/core";
import type { BrokerHost } from "./broker-host.ts";
import {
  brokerFaults,
  commonFaults,
  healBroker,
  hurtAtStep,
  inducementOf,
  killInCall,
  pauseLong,
  type StepCell,
  stepCells,
} from "./cluster-faults.ts";
import { clusterSteps } from "./cluster-steps.ts";
import type { FaultScene, NemesisDeps } from "./fault-scene.ts";
import type { Fleet } from "./fleet.ts";
import { LostObjects } from "./lost-objects.ts";
import type { Network } from "./network.ts";
import type { PartitionRef } from "./partition-ref.ts";
import type { PreferredFault } from "./preferred-faults.ts";
import type { World } from "./world.ts";

/** A quarter of the periods are free of faults. */
const calmPerThousand = 250;

export interface ClusterNemesisDeps {
  readonly world: World;
  readonly network: Network;
  readonly fleet: Fleet;
  /** Those that are always there; the others join and leave. */
  readonly brokersMin: number;
  readonly killIn?: string;
  readonly crashAt?: string;
  /** What it does at a step most of all, where `crashAt` says nothing. */
  readonly aim: StepCell;
  readonly prefers?: PreferredFault;
  /** Until when clients do nothing. */
  readonly restsUntilMs: () => number;
  readonly crashClient: () => void;
}

/** From one period to the next. */
function pausesOf(prefers: PreferredFault | undefined): { msMin: number; msMax: number } {
  if (prefers === "pauseLong") return { msMin: 4_000, msMax: 9_000 };
  return { msMin: 300, msMax: prefers === undefined ? 3_000 : 1_200 };
}

/** Hurts one broker, some, most or all of them, and what is between them, period by period. */
export class ClusterNemesis {
  readonly #deps: ClusterNemesisDeps;
  /** Brokers that are to be there: whoever runs them starts them again. */
  readonly #wanted = new Set<BrokerHost>();
  readonly #lostObjects: LostObjects;
  #isOver = false;

  constructor(deps: ClusterNemesisDeps) {
    this.#deps = deps;
    this.#lostObjects = new LostObjects(deps.world, deps.fleet);
    for (const host of deps.fleet.hosts.slice(0, deps.brokersMin)) this.#wanted.add(host);
  }

  /** Starts those that are to be there, and sees to it that they stay. */
  supervise(): void {
    const { aim, fleet, world } = this.#deps;
    // Some steps come at the first start alone.
    if (world.chance(500)) hurtAtStep(fleet.hosts, world, aim);
    for (const host of this.#deps.fleet.hosts) void this.#supervise(host);
  }

  async run(): Promise<void> {
    const { prefers, restsUntilMs, world } = this.#deps;
    const pauses = pausesOf(prefers);
    while (!this.#isOver) {
      if (!world.chance(calmPerThousand)) this.#hurt();
      // While nobody does anything little can go wrong.
      const isResting = restsUntilMs() > world.nowMs;
      await world.sleep(world.between(pauses.msMin, pauses.msMax) * (isResting ? 20 : 1));
      if (world.chance(500)) this.heal();
    }
  }

  /** No more faults; what is broken is mended, who is paused goes on, who is down is started. */
  end(): void {
    this.#isOver = true;
    this.#lostObjects.find();
    this.heal();
    for (const host of this.#deps.fleet.hosts) {
      host.steps.disarm();
      host.links.mend();
      host.resume();
    }
  }

  heal(): void {
    const { fleet, network } = this.#deps;
    for (const host of fleet.hosts) healBroker(host);
    network.weather.delayMsMax = 1;
    network.weather.splitPerThousand = 250;
  }

  /** Of those that are there: one, some, most or all. */
  #hurt(): void {
    const { fleet, prefers, world } = this.#deps;
    const present = fleet.hosts.filter((host) => this.#wanted.has(host));
    const most = Math.ceil(present.length / 2);
    const isQuiet = prefers === "moves" && world.chance(700);
    const isOne = prefers === "pauseLong";
    const count =
      isQuiet || isOne ? Number(isOne) : world.pick([1, 1, 1, 1, 2, most, present.length]);
    for (let left = count; left > 0 && present.length > 0; left -= 1) {
      const host = world.pick(present);
      present.splice(present.indexOf(host), 1);
      this.#soon(host, this.#pick());
    }
    if (!isQuiet && !isOne && world.chance(500)) this.#hurtAtStep();
    if (world.chance(300)) this.#soon(fleet.hosts[0], world.pick(commonFaults));
    if (world.chance(isQuiet ? 700 : 120)) this.#joinOrLeave();
    if (world.chance(prefers === "journalObjectLost" ? 700 : 40)) {
      this.#soon(world.pick(fleet.hosts), ({ deps: { host } }) => this.#lostObjects.loseOf(host));
    }
  }

  #pick(): (scene: FaultScene) => void {
    const { killIn, prefers, world } = this.#deps;
    if (prefers === "pauseLong" && world.chance(800)) return pauseLong;
    const isPreferred = killIn !== undefined && world.chance(600);
    return isPreferred ? killInCall : world.pick(brokerFaults);
  }

  /** Arms the crash, and does to another broker what brings somebody to the step. */
  #hurtAtStep(): void {
    const { fleet, world } = this.#deps;
    const cell = this.#pickCell();
    hurtAtStep(fleet.hosts, world, cell);
    const target = world.pick(fleet.hosts.filter((host) => this.#wanted.has(host)));
    const inducement = inducementOf(cell.step);
    if (inducement === "death") this.#soon(target, (scene) => scene.kill());
    if (inducement === "leave") this.#soon(target, ({ deps: { host } }) => host.stop());
  }

  /** The seed's own most of all, so that many seeds come to all of them. */
  #pickCell(): StepCell {
    const { aim, crashAt, world } = this.#deps;
    const any = world.pick(stepCells);
    if (crashAt !== undefined && world.chance(800)) return { ...any, step: crashAt };
    return world.chance(400) ? aim : any;
  }

  #soon(host: BrokerHost | undefined, fault: (scene: FaultScene) => void): void {
    const { world } = this.#deps;
    if (host === undefined) return;
    world.clock.after(world.below(500), () => {
      if (this.#isOver) return;
      world.count();
      fault(this.#sceneOf(host));
    });
  }

  #joinOrLeave(): void {
    const { brokersMin, fleet, world } = this.#deps;
    const host = world.pick(fleet.hosts.slice(brokersMin));
    world.count();
    // A small cluster is hurt more, and is simulated in less time: the fourth and fifth stay briefly.
    const isRare = this.#deps.prefers !== "moves";
    if (isRare && !this.#wanted.has(host) && world.chance(400)) return;
    if (this.#wanted.has(host)) {
      this.#wanted.delete(host);
      fleet.table.add("leave", host.state);
      host.stop();
    } else {
      this.#wanted.add(host);
      fleet.table.add("join", host.state);
    }
  }

  #sceneOf(host: BrokerHost): FaultScene {
    const { crashAt, crashClient, killIn, network, restsUntilMs, world } = this.#deps;
    const deps: NemesisDeps = {
      ...{ world, host, network, restsUntilMs, crashClient, steps: clusterSteps },
      ...(killIn === undefined ? {} : { killIn }),
      ...(crashAt === undefined ? {} : { crashAt }),
      mayLosePower: () => false,
      logLoss: () => "never",
      tiered: () => partitionsOn(host),
      onLost: () => undefined,
    };
    const isOver = (): boolean => this.#isOver;
    return {
      deps,
      get isOver() {
        return isOver();
      },
      kill: () => host.kill("kill"),
    };
  }

  async #supervise(host: BrokerHost): Promise<void> {
    const { world } = this.#deps;
    if (this.#wanted.has(host)) host.start();
    for (;;) {
      await world.sleep(world.between(20, 1_500));
      if (host.state === "down" && this.#wanted.has(host)) host.start();
      if (host.state === "up" && host.needsRestart && !host.isPaused) host.kill("kill");
    }
  }
}

/** Those of which the broker has files, while it runs. */
function partitionsOn({ disk, opened }: BrokerHost): readonly PartitionRef[] {
  const found = new Map<string, PartitionRef>();
  for (const path of disk.paths()) {
    const [, folder = "", topicId = "", partition] =
      /^partitions\/(([0-9a-f]{32})-([0-9]+))\//.exec(path) ?? [];
    const topic = opened?.broker.cluster.topics.byId(topicId as TopicId)?.name;
    if (topic !== undefined) found.set(folder, { topic, topicId, partition: Number(partition) });
  }
  return [...found.values()];
}
