import type { DiskOperation } from "@millrace/adapter-memory";
import type { Fault, FaultScene } from "./fault-scene.ts";
import { fileKind } from "./fault-table.ts";

/** Steps of the broker in which a kill is worth more than anywhere. */
export const killSteps: readonly string[] = [
  "sync journal",
  "syncDirectory journal",
  "sync segment",
  "sync index",
  "sync cleaned",
  "side work check-batches",
  "side work compaction-index",
  "side work compaction-clean",
  "syncDirectory folder",
  "transact topic",
  "transact dirty",
  "transact offsets",
  "transact group",
  "transact incarnation",
  "transact leadership",
  "transact slot",
  "transact head",
  "transact segment",
  "transact partition",
  "put data",
  "put checkpoint",
  "delete data",
  "journal trim held",
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
const fileKinds: readonly string[] = [
  "journal",
  "segment",
  "index",
  "timeindex",
  "snapshot",
  "cleaned",
];

/** Faults of processes, the disk, the metadata store, links, clients and clocks. */
export const plainFaults: readonly Fault[] = [
  (scene) => scene.kill(),
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
export function killInStep(scene: FaultScene): void {
  const { world, host } = scene.deps;
  const { killIn } = scene.deps;
  const step = killIn ?? (world.chance(300) ? "sync journal" : world.pick(killSteps));
  // Behind a slow sync many appends wait, so there is more that must not have been answered.
  if (world.chance(500)) slowSyncs(scene);
  const delayMs = world.below(host.diskWeather.syncMsMax + 2);
  host.steps.watch(step, () => {
    world.clock.after(delayMs, () => scene.kill());
  });
  if (step === "stop") host.stop();
  if (step === "start") host.kill("kill");
}

function stopAndKill(scene: FaultScene): void {
  const { world, host } = scene.deps;
  host.stop();
  world.clock.after(world.below(100), () => {
    if (host.state === "closing") scene.kill();
  });
}

/** While the broker is down, a file that can be made again loses a bit, or its end. */
function killAndDamage(scene: FaultScene): void {
  const { world, host } = scene.deps;
  const { disk } = host;
  scene.kill();
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

function clockJump({ deps: { world, host } }: FaultScene): void {
  world.clock.jumpWall(world.between(-60_000, 60_000));
  host.table.add("clock jump", host.state);
}

/** Producers do not hear of what was appended, and send it again to the broker's next life. */
export function loseRepliesAndStop(scene: FaultScene): void {
  const { world, host, network } = scene.deps;
  slowNetwork(scene);
  world.clock.after(world.between(100, 500), () => {
    if (host.state !== "up") return;
    network.resetAll();
    host.stop();
  });
}

export function diskFull({ deps: { world, host } }: FaultScene): void {
  host.disk.setCapacity(host.disk.usedBytes + world.below(4_000));
  world.clock.after(world.between(300, 3_000), () => {
    host.disk.setCapacity(Number.POSITIVE_INFINITY);
  });
}

export function diskError({ deps: { world, host } }: FaultScene): void {
  const kind = world.pick(fileKinds);
  host.disk.failNext({
    operation: world.pick(brokenOperations),
    matches: (path) => fileKind(path) === kind,
    after: world.below(5),
    times: world.between(1, 2),
  });
}

export function slowSyncs({ deps: { world, host } }: FaultScene): void {
  host.diskWeather.syncMsMax = world.between(20, 800);
}

export function badStore({ deps: { world, host } }: FaultScene): void {
  const most = world.pick([50, 200, 500]);
  host.setStoreRates({
    perThousand: {
      throttled: world.below(most),
      conflict: world.below(most / 2),
      requestLost: world.below(most / 2),
      replyLost: world.below(most),
      lateEffect: world.below(most / 2),
    },
    latencyMsMax: world.pick([1, 20, 200]),
  });
}

export function slowNetwork({ deps: { world, network } }: FaultScene): void {
  network.weather.delayMsMax = world.between(10, 400);
  network.weather.splitPerThousand = 600;
}
