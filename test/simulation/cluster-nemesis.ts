import type { BrokerHost } from "./broker-host.ts";
import {
  brokerFaults,
  commonFaults,
  healBroker,
  hurtAtStep,
  inducementOf,
  killInCall,
} from "./cluster-faults.ts";
import { clusterSteps } from "./cluster-steps.ts";
import type { FaultScene, NemesisDeps } from "./fault-scene.ts";
import type { Fleet } from "./fleet.ts";
import type { Network } from "./network.ts";
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
  /** Until when clients do nothing. */
  readonly restsUntilMs: () => number;
  readonly crashClient: () => void;
}

/** Hurts one broker, some, most or all of them, and what is between them, period by period. */
export class ClusterNemesis {
  readonly #deps: ClusterNemesisDeps;
  /** Brokers that are to be there: whoever runs them starts them again. */
  readonly #wanted = new Set<BrokerHost>();
  #isOver = false;

  constructor(deps: ClusterNemesisDeps) {
    this.#deps = deps;
    for (const host of deps.fleet.hosts.slice(0, deps.brokersMin)) this.#wanted.add(host);
  }

  /** Starts those that are to be there, and sees to it that they stay. */
  supervise(): void {
    for (const host of this.#deps.fleet.hosts) void this.#supervise(host);
  }

  async run(): Promise<void> {
    const { restsUntilMs, world } = this.#deps;
    while (!this.#isOver) {
      if (!world.chance(calmPerThousand)) this.#hurt();
      // While nobody does anything little can go wrong.
      const isResting = restsUntilMs() > world.nowMs;
      await world.sleep(world.between(300, 3_000) * (isResting ? 5 : 1));
      if (world.chance(500)) this.heal();
    }
  }

  /** No more faults; what is broken is mended, who is paused goes on, who is down is started. */
  end(): void {
    this.#isOver = true;
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
    const { fleet, world } = this.#deps;
    const present = fleet.hosts.filter((host) => this.#wanted.has(host));
    const most = Math.ceil(present.length / 2);
    const count = world.pick([1, 1, 1, 1, 2, most, present.length]);
    for (let left = count; left > 0 && present.length > 0; left -= 1) {
      const host = world.pick(present);
      present.splice(present.indexOf(host), 1);
      this.#soon(host, this.#pick());
    }
    if (world.chance(500)) this.#hurtAtStep();
    if (world.chance(300)) this.#soon(fleet.hosts[0], world.pick(commonFaults));
    if (world.chance(120)) this.#joinOrLeave();
  }

  #pick(): (scene: FaultScene) => void {
    const { killIn, world } = this.#deps;
    const isPreferred = killIn !== undefined && world.chance(600);
    return isPreferred ? killInCall : world.pick(brokerFaults);
  }

  /** Arms the crash, and does to another broker what brings somebody to the step. */
  #hurtAtStep(): void {
    const { crashAt, fleet, world } = this.#deps;
    const step = crashAt !== undefined && world.chance(800) ? crashAt : world.pick(clusterSteps);
    hurtAtStep(fleet.hosts, { step, world });
    const target = world.pick(fleet.hosts.filter((host) => this.#wanted.has(host)));
    const inducement = inducementOf(step);
    if (inducement === "death") this.#soon(target, (scene) => scene.kill());
    if (inducement === "leave") this.#soon(target, ({ deps: { host } }) => host.stop());
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
      tiered: () => [],
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
