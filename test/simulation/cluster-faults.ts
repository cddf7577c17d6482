import { calmObjects, type BrokerHost } from "./broker-host.ts";
import { clusterSteps } from "./cluster-steps.ts";
import type { Fault, FaultScene } from "./fault-scene.ts";
import type { Side } from "./fault-table.ts";
import { badStore, diskError, diskFull, slowNetwork, slowSyncs } from "./plain-faults.ts";
import { badObjects, objectsAway, rotHotCopies } from "./tier-faults.ts";
import type { World } from "./world.ts";

/** Faults of one broker of a cluster, of its links and of its ways to the stores. */
export const brokerFaults: readonly Fault[] = [
  (scene) => scene.kill(),
  (scene) => scene.kill(),
  pauseLong,
  pauseLong,
  pauseShort,
  killInCall,
  ({ deps: { host } }) => host.stop(),
  ({ deps: { host } }) => host.stop(),
  stopAndKill,
  wallJump,
  badStore,
  badStore,
  storeAway,
  storeDeaf,
  slowStore,
  lateStore,
  lateFromWrite,
  lateFromWrite,
  badObjects,
  badObjects,
  objectsAway,
  objectsDeaf,
  linksCut,
  linksCut,
  linksCut,
  slowSyncs,
  diskError,
  diskFull,
  rotHotCopies,
];

/** What makes others reach a step: some come only when a broker dies, or leaves, or joins. */
export type Inducement = "death" | "leave" | "none";

export function inducementOf(step: string): Inducement {
  if (ofDeaths.has(step)) return "death";
  return ofMoves.has(step) ? "leave" : "none";
}

const ofDeaths: ReadonlySet<string> = new Set([
  "journal closing",
  "fence put",
  "journal closed",
  "head taken",
  "sources dropped",
  "incarnation registered",
  "leadership written",
]);
const ofMoves: ReadonlySet<string> = new Set([
  "slots moved",
  "head released",
  "head claimed",
  "handover pack put",
  "journal ended",
]);

/** What may happen to whoever comes to a step, and on which side of it. */
export interface StepCell {
  readonly step: string;
  readonly side: Side;
  readonly hurt: "crash" | "pause";
}

/** Every one of them: a seed has one that it aims at. */
export const stepCells: readonly StepCell[] = clusterSteps.flatMap((step) =>
  (["before", "after"] as const).flatMap((side) =>
    (["crash", "pause"] as const).map((hurt) => ({ step, side, hurt })),
  ),
);

/**
 * Whoever of the brokers comes to the step next dies just before its effect, or just after it; or is
 * paused there, long enough for the others to take over.
 */
export function hurtAtStep(
  hosts: readonly BrokerHost[],
  world: World,
  { hurt, side, step }: StepCell,
): void {
  // While others take over, or when they have done so for long.
  const pauseMs = world.between(2_600, world.pick([5_000, 12_000]));
  for (const host of hosts) {
    host.steps.arm({
      step,
      side,
      hit: () => {
        for (const other of hosts) other.steps.disarm();
        host.table.add(`${hurt} ${side}`, step);
        if (hurt === "pause") pauseFor(host, world, pauseMs);
        else {
          host.freeze();
          world.clock.after(0, () => host.kill("kill"));
        }
        return hurt === "pause" ? "goesOn" : "dies";
      },
    });
  }
}

/** Those of the whole network, and of clients. */
export const commonFaults: readonly Fault[] = [
  slowNetwork,
  ({ deps: { network } }) => network.resetAny(),
  ({ deps: { network } }) => network.resetInNext("request"),
  ({ deps: { network } }) => network.resetInNext("reply"),
  ({ deps: { crashClient } }) => crashClient(),
];

/** Calls in which a kill is worth more than anywhere. */
const calls: readonly string[] = [
  "put journal",
  "put checkpoint",
  "put data",
  "delete journal",
  "read journal",
  "read checkpoint",
  "transact head",
  "transact leadership",
  "transact incarnation",
  "transact segment",
  "transact offsets",
  "transact group",
  "transact topic",
  "get head",
  "start",
  "stop",
];

export function killInCall(scene: FaultScene): void {
  const { host, killIn, world } = scene.deps;
  const step = killIn ?? world.pick(calls);
  const delayMs = world.below(4);
  host.steps.watch(step, () => {
    world.clock.after(delayMs, () => scene.kill());
  });
  if (step === "stop") host.stop();
  if (step === "start") host.kill("kill");
}

/** Longer than any timeout of the cluster: the others take over, and then it goes on. */
export function pauseLong({ deps: { host, world } }: FaultScene): void {
  pauseFor(host, world, world.between(2_500, 20_000));
}

/** Perhaps too short for that, perhaps just not. */
function pauseShort({ deps: { host, world } }: FaultScene): void {
  pauseFor(host, world, world.between(20, 4_000));
}

function pauseFor(host: BrokerHost, world: World, ms: number): void {
  if (host.state === "down" || host.isPaused) return;
  const paused = host.starts;
  host.pause();
  world.clock.after(ms, () => {
    if (host.starts === paused) host.resume();
  });
}

function stopAndKill(scene: FaultScene): void {
  const { host, world } = scene.deps;
  host.stop();
  world.clock.after(world.below(world.pick([100, 1_000, 4_000])), () => {
    if (host.state === "closing") scene.kill();
  });
}

function wallJump({ deps: { host, world } }: FaultScene): void {
  host.wallAheadMs = world.between(-60_000, 60_000);
  host.table.add("clock jump", host.state);
}

/** No request reaches the metadata store. */
function storeAway({ deps: { host, world } }: FaultScene): void {
  host.table.add("store cut off", host.state);
  host.setStoreRates({ perThousand: { requestLost: 1000 }, latencyMsMax: world.pick([1, 500]) });
}

/** Requests reach the metadata store, and no reply comes back. */
function storeDeaf({ deps: { host, world } }: FaultScene): void {
  host.table.add("store replies cut off", host.state);
  const perThousand = { replyLost: 1000 };
  host.setStoreRates({ perThousand, latencyMsMax: world.pick([1, 500]) });
}

function slowStore({ deps: { host, world } }: FaultScene): void {
  host.table.add("slow store", host.state);
  host.setStoreRates({ perThousand: {}, latencyMsMax: world.pick([200, 1_000, 3_000]) });
}

/** What it writes takes effect when nobody expects it any more. */
function lateStore({ deps: { host, world } }: FaultScene): void {
  const perThousand = { lateEffect: world.pick([150, 500, 950]) };
  host.setStoreRates({ perThousand, latencyMsMax: 5, lateMsMax: world.pick([1_000, 20_000]) });
}

/** The same from a write under a slot on, all of its tries included. */
function lateFromWrite({ deps: { host, world } }: FaultScene): void {
  const forMs = world.between(100, world.pick([1_000, 5_000]));
  const lateMsMax = world.pick([5_000, 30_000]);
  host.steps.watch(world.pick(slotWrites), () => {
    host.setStoreRates({ perThousand: { lateEffect: 950 }, latencyMsMax: 5, lateMsMax });
    world.clock.after(forMs, () => host.setStoreRates({ perThousand: {}, latencyMsMax: 5 }));
  });
}

const slotWrites: readonly string[] = [
  "transact segment",
  "transact segment",
  "transact segment",
  "transact partition",
  "transact group",
  "transact offsets",
  "transact topic",
];

/** What it asks of the object store is done, and no answer comes. */
function objectsDeaf({ deps: { host, world } }: FaultScene): void {
  host.table.add("object store replies cut off", host.state);
  host.objects.rates = { perThousand: { replyLost: 1000 }, latencyMsMax: 2, slowMsMax: 100 };
  world.clock.after(world.between(500, 8_000), () => {
    host.objects.rates = calmObjects;
  });
}

/** Clients and the broker do not reach each other, or only in one direction. */
function linksCut({ deps: { host, world } }: FaultScene): void {
  const cut = world.pick(["both", "request", "reply"] as const);
  host.table.add(`links cut: ${cut}`, host.state);
  host.links.cut(cut);
  world.clock.after(world.between(300, 12_000), () => host.links.mend());
}

/** What a fault left of a broker that goes on. */
export function healBroker(host: BrokerHost): void {
  host.steps.unwatch();
  host.disk.setCapacity(Number.POSITIVE_INFINITY);
  host.diskWeather.syncMsMax = 1;
  const { world } = host;
  host.setStoreRates({ perThousand: {}, latencyMsMax: world.pick([0, 0, 2, 5]) });
  host.objects.rates = { ...calmObjects, latencyMsMax: world.pick([0, 2, 5]) };
}
