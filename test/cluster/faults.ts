/** What is done to a cluster, and in which windows of time its probe is read. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ProbeProcess } from "./probe-process.ts";
import type { Rig } from "./rig.ts";
import type { PartitionWindow } from "./windows.ts";

export const faultKinds = ["kill", "pause", "stop", "move", "host"] as const;
export type FaultKind = (typeof faultKinds)[number];

/** A partition's longest silence, and to which fault it belongs. */
export interface Outage {
  /** `return`: slots move to a broker that comes (back). `others`: partitions that nothing was done to. */
  readonly of: FaultKind | "return" | "others";
  readonly gapMs: number;
  /** When it began, after the fault or the start that its window begins with. */
  readonly atMs: number;
  readonly partition: number;
  readonly fault: number;
}

export interface FaultSite {
  readonly rig: Rig;
  readonly probe: ProbeProcess;
  readonly brokers: number;
  /** How long a paused broker stands still: longer than it takes to be declared dead. */
  readonly pausedMs: number;
}

/** Longer than a dead broker's slots may take. */
const settleMs = 4_000;
const hostGoneMs = 1_500;
const quietMs = 300;
const recoverMsMax = 30_000;

/** Carries out one fault, and waits until the cluster is as it was. */
export async function carryOut(
  site: FaultSite,
  kind: FaultKind,
  fault: number,
): Promise<readonly Outage[]> {
  const broker = (fault % site.brokers) + 1;
  await recovered(site);
  await site.probe.window();
  switch (kind) {
    case "kill":
      return killed(site, fault, broker);
    case "pause":
      return paused(site, fault, broker);
    case "stop":
    case "move":
      return stopped(site, { kind, fault, broker });
    case "host":
      return withoutHost(site, fault);
  }
}

async function killed(site: FaultSite, fault: number, broker: number): Promise<readonly Outage[]> {
  site.rig.broker(broker).signal("SIGKILL");
  await site.rig.broker(broker).gone;
  await sleep(settleMs);
  await recovered(site);
  const gone = outages(await site.probe.window(), { of: "kill", fault, broker });
  return [...gone, ...(await comesBack(site, fault, broker))];
}

async function paused(site: FaultSite, fault: number, broker: number): Promise<readonly Outage[]> {
  const process = site.rig.broker(broker);
  process.signal("SIGSTOP");
  await sleep(site.pausedMs);
  const gone = outages(await site.probe.window(), { of: "pause", fault, broker });
  process.signal("SIGCONT");
  await site.rig.balanced();
  await recovered(site);
  const back = outages(await site.probe.window(), { of: "return", fault, broker: undefined });
  return [...gone, ...back];
}

async function stopped(
  site: FaultSite,
  {
    kind,
    fault,
    broker,
  }: { readonly kind: FaultKind; readonly fault: number; readonly broker: number },
): Promise<readonly Outage[]> {
  const leaving = site.rig.broker(broker);
  await leaving.stop();
  if (leaving.ending !== "exit 0") throw new Error(`broker ${broker}: ${leaving.ending}`);
  await recovered(site);
  const gone = outages(await site.probe.window(), { of: "stop", fault, broker });
  const back = await comesBack(site, fault, broker);
  return kind === "move" ? back.map(asMove) : [...gone, ...back];
}

function asMove(outage: Outage): Outage {
  return outage.of === "return" ? { ...outage, of: "move" } : outage;
}

async function withoutHost({ probe, rig }: FaultSite, fault: number): Promise<readonly Outage[]> {
  const host = rig.processes.host;
  host?.signal("SIGKILL");
  await host?.gone;
  await sleep(hostGoneMs);
  await rig.processes.startHost();
  await sleep(settleMs);
  await rig.balanced();
  await recovered({ probe });
  return (await probe.window()).map(({ gapAtMs: atMs, gapMs, partition }) => {
    return { of: "host", gapMs, atMs, partition, fault };
  });
}

async function comesBack(
  site: FaultSite,
  fault: number,
  broker: number,
): Promise<readonly Outage[]> {
  await site.rig.start(broker);
  await site.rig.balanced();
  await recovered(site);
  return outages(await site.probe.window(), { of: "return", fault, broker: undefined });
}

/** Every partition was written to a moment ago. */
async function recovered({ probe }: Pick<FaultSite, "probe">): Promise<void> {
  const lateMs = performance.now() + recoverMsMax;
  while ((await probe.silenceMs()) > quietMs) {
    if (performance.now() > lateMs) throw new Error(`a partition is silent for ${recoverMsMax} ms`);
    await sleep(50);
  }
}

/** Of the partitions that `broker` led; undefined: of those that got another leader. */
function outages(
  window: readonly PartitionWindow[],
  what: { readonly of: Outage["of"]; readonly fault: number; readonly broker: number | undefined },
): readonly Outage[] {
  return window.map(({ from, gapAtMs: atMs, gapMs, partition, to }) => {
    const isMeant = what.broker === undefined ? from !== to : from === what.broker;
    return { of: isMeant ? what.of : "others", gapMs, atMs, partition, fault: what.fault };
  });
}
