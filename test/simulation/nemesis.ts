import type { DiskOperation } from "@millrace/adapter-memory";
import type { BrokerHost } from "./broker-host.ts";
import { fileKind } from "./fault-table.ts";
import type { Network } from "./network.ts";
import type { World } from "./world.ts";

export interface NemesisDeps {
  readonly world: World;
  readonly host: BrokerHost;
  readonly network: Network;
  /** Whether what the topics promise holds over a loss of power. */
  readonly mayLosePower: () => boolean;
  /** A step that it prefers to kill in; all alike if absent. */
  readonly killIn?: string;
  /** Kills a client, and begins another in its place. */
  readonly crashClient: () => void;
}

/** Steps of the broker in which a kill is worth more than anywhere. */
export const killSteps: readonly string[] = [
  "sync journal",
  "syncDirectory journal",
  "sync segment",
  "sync index",
  "syncDirectory folder",
  "transact topic",
  "transact dirty",
  "transact offsets",
  "transact group",
  "transact incarnation",
  "transact leadership",
  "transact slot",
  "transact head",
  "start",
  "stop",
];

const brokenOperations: readonly DiskOperation[] = [
  "open",
  "read",
  "write",
  "write",
  "resize",
  "sync",
  "sync",
  "syncDirectory",
];
const fileKinds: readonly string[] = ["journal", "segment", "index", "timeindex", "snapshot"];

/** A quarter of the periods are free of faults. */
const calmPerThousand = 250;

type Fault = (nemesis: Nemesis) => void;

/** Hurts the broker, the disk, the store, the links and the clients, period by period. */
export class Nemesis {
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
        const isPreferred = this.deps.killIn !== undefined && world.chance(600);
        const fault = isPreferred ? killInStep : world.pick(allFaults);
        world.clock.after(world.below(500), () => {
          if (!this.#isOver) fault(this);
        });
      }
      await world.sleep(world.between(200, 1_500));
      if (world.chance(600)) this.heal();
    }
  }

  /** No more faults; what is broken is mended. The broker is started if it is down. */
  end(): void {
    this.#isOver = true;
    this.heal();
  }

  heal(): void {
    const { host, network } = this.deps;
    host.steps.unwatch();
    host.disk.setCapacity(Number.POSITIVE_INFINITY);
    // Between a fast disk and one on which many appends wait for one sync.
    host.diskWeather.syncMsMax = this.deps.world.pick([1, 3, 20]);
    host.setStoreRates({ perThousand: {}, latencyMsMax: 1 });
    network.weather.delayMsMax = 1;
    network.weather.splitPerThousand = 250;
  }

  /** Kills now, or loses power where that is allowed. */
  kill(): void {
    const { host, world } = this.deps;
    const kind = this.deps.mayLosePower() && world.chance(600) ? "power loss" : "kill";
    host.kill(kind);
  }

  /** Whoever runs the process starts it again, and ends it when it says that it must be. */
  async #supervise(): Promise<void> {
    const { world, host } = this.deps;
    for (;;) {
      await world.sleep(world.between(20, 300));
      if (host.state === "down") host.start();
      if (host.state === "up" && host.needsRestart) host.kill("kill");
    }
  }
}

const allFaults: readonly Fault[] = [
  (nemesis) => nemesis.kill(),
  killInStep,
  killInStep,
  killInStep,
  ({ deps: { host } }) => host.stop(),
  stopAndKill,
  loseRepliesAndStop,
  diskFull,
  diskError,
  diskError,
  slowSyncs,
  badStore,
  badStore,
  slowNetwork,
  ({ deps: { network } }) => network.resetAny(),
  ({ deps: { network } }) => network.resetInNext("request"),
  ({ deps: { network } }) => network.resetInNext("reply"),
  ({ deps: { crashClient } }) => crashClient(),
  killAndDamage,
  clockJump,
];

/** The next time the broker waits for that step, it does not live to see its end. */
function killInStep(nemesis: Nemesis): void {
  const { world, host } = nemesis.deps;
  const { killIn } = nemesis.deps;
  const step = killIn ?? (world.chance(300) ? "sync journal" : world.pick(killSteps));
  // Behind a slow sync many appends wait, so there is more that must not have been answered.
  if (world.chance(500)) slowSyncs(nemesis);
  const delayMs = world.below(host.diskWeather.syncMsMax + 2);
  host.steps.watch(step, () => {
    world.clock.after(delayMs, () => nemesis.kill());
  });
  if (step === "stop") host.stop();
  if (step === "start") host.kill("kill");
}

function stopAndKill(nemesis: Nemesis): void {
  const { world, host } = nemesis.deps;
  host.stop();
  world.clock.after(world.below(100), () => {
    if (host.state === "closing") nemesis.kill();
  });
}

/** While the broker is down, a file that can be made again loses a bit, or its end. */
function killAndDamage(nemesis: Nemesis): void {
  const { world, host } = nemesis.deps;
  const { disk } = host;
  nemesis.kill();
  const paths = disk.paths().filter((path) => rebuilt.has(fileKind(path)));
  if (host.state !== "down" || paths.length === 0) return;
  for (let files = world.between(1, 3); files > 0; files -= 1) {
    const path = world.pick(paths);
    const size = disk.bytesOf(path).length;
    const damage = world.chance(500) ? "bit flip" : "truncation";
    if (damage === "truncation") disk.cut(path, world.below(size + 1));
    else if (size > 0) disk.flipBit(path, world.below(size * 8));
    world.trace.add(`${damage} of ${path}`);
    host.table.add(damage, fileKind(path));
  }
}

const rebuilt: ReadonlySet<string> = new Set(["index", "timeindex", "snapshot"]);

function clockJump({ deps: { world, host } }: Nemesis): void {
  world.clock.jumpWall(world.between(-60_000, 60_000));
  host.table.add("clock jump", host.state);
}

/** Producers do not hear of what was appended, and send it again to the broker's next life. */
function loseRepliesAndStop(nemesis: Nemesis): void {
  const { world, host, network } = nemesis.deps;
  slowNetwork(nemesis);
  world.clock.after(world.between(100, 500), () => {
    if (host.state !== "up") return;
    network.resetAll();
    host.stop();
  });
}

function diskFull({ deps: { world, host } }: Nemesis): void {
  host.disk.setCapacity(host.disk.usedBytes + world.below(4_000));
  world.clock.after(world.between(300, 3_000), () => {
    host.disk.setCapacity(Number.POSITIVE_INFINITY);
  });
}

function diskError({ deps: { world, host } }: Nemesis): void {
  const kind = world.pick(fileKinds);
  host.disk.failNext({
    operation: world.pick(brokenOperations),
    matches: (path) => fileKind(path) === kind,
    after: world.below(5),
    times: world.between(1, 2),
  });
}

function slowSyncs({ deps: { world, host } }: Nemesis): void {
  host.diskWeather.syncMsMax = world.between(20, 800);
}

function badStore({ deps: { world, host } }: Nemesis): void {
  const most = world.pick([50, 200, 500]);
  host.setStoreRates({
    perThousand: {
      throttled: world.below(most),
      conflict: world.below(most / 2),
      requestLost: world.below(most / 2),
      replyLost: world.below(most),
    },
    latencyMsMax: world.pick([1, 20, 200]),
  });
}

function slowNetwork({ deps: { world, network } }: Nemesis): void {
  network.weather.delayMsMax = world.between(10, 400);
  network.weather.splitPerThousand = 600;
}
