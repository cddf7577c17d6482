import { calmObjects } from "./broker-host.ts";
import type { Fault, FaultScene, NemesisDeps } from "./fault-scene.ts";
import { killInStep, plainFaults } from "./plain-faults.ts";
import { crashAtStep, tierFaults } from "./tier-faults.ts";

/** A quarter of the periods are free of faults. */
const calmPerThousand = 250;

/** Hurts the broker, the disk, the store, the links and the clients, period by period. */
export class Nemesis implements FaultScene {
  readonly deps: NemesisDeps;
  #isOver = false;

  constructor(deps: NemesisDeps) {
    this.deps = deps;
  }

  async run(): Promise<void> {
    const { world } = this.deps;
    void this.#supervise();
    while (!this.#isOver) {
      const isCalm = world.chance(calmPerThousand);
      for (let faults = isCalm ? 0 : world.between(1, 3); faults > 0; faults -= 1) {
        const fault = this.#pick();
        world.clock.after(world.below(500), () => {
          if (this.#isOver) return;
          world.count();
          fault(this);
        });
      }
      // While nobody does anything little can go wrong.
      const isResting = this.deps.restsUntilMs() > world.nowMs;
      await world.sleep(world.between(200, 1_500) * (isResting ? 8 : 1));
      if (world.chance(600)) this.heal();
    }
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** No more faults; what is broken is mended. The broker is started if it is down. */
  end(): void {
    this.#isOver = true;
    this.deps.host.steps.disarm();
    this.heal();
  }

  heal(): void {
    const { host, network } = this.deps;
    host.steps.unwatch();
    host.disk.setCapacity(Number.POSITIVE_INFINITY);
    // Between a fast disk and one on which many appends wait for one sync.
    host.diskWeather.syncMsMax = this.deps.world.pick([1, 3, 20]);
    host.setStoreRates({ perThousand: {}, latencyMsMax: 1 });
    host.objects.rates = calmObjects;
    network.weather.delayMsMax = 1;
    network.weather.splitPerThousand = 250;
  }

  /** Kills now, or loses power where that is allowed. */
  kill(): void {
    const { host, world } = this.deps;
    const kind = this.deps.mayLosePower() && world.chance(600) ? "power loss" : "kill";
    host.kill(kind);
  }

  #pick(): Fault {
    const { crashAt, killIn, prefers, world } = this.deps;
    if (prefers !== undefined && world.chance(300)) return prefers;
    const isPreferred = (killIn ?? crashAt) !== undefined && world.chance(600);
    if (isPreferred) return crashAt === undefined ? killInStep : crashAtStep;
    return world.pick(world.chance(400) ? tierFaults : plainFaults);
  }

  /** Whoever runs the process starts it again, and ends it when it says that it must be. */
  async #supervise(): Promise<void> {
    const { world, host } = this.deps;
    for (;;) {
      const isResting = this.deps.restsUntilMs() > world.nowMs && host.state === "up";
      await world.sleep(world.between(20, 300) * (isResting ? 5 : 1));
      if (host.state === "down") host.start();
      if (host.state === "up" && host.needsRestart) host.kill("kill");
    }
  }
}
