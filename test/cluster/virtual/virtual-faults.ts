/** What is done to a cluster on virtual time, and whose outages count. */
import type { PartitionWindow } from "../windows.ts";
import type { VirtualBroker } from "./virtual-broker.ts";
import type { VirtualCluster } from "./virtual-cluster.ts";
import type { VirtualProbe } from "./virtual-probe.ts";

export const virtualFaults = ["kill", "pause", "fence", "stop", "move", "scale-out"] as const;
export type VirtualFault = (typeof virtualFaults)[number];

/** A partition's longest time from one acknowledgement to the next, after a fault. */
export interface VirtualOutage {
  readonly of: VirtualFault | "others";
  readonly gapMs: number;
  readonly fault: number;
}

export interface VirtualSite {
  readonly cluster: VirtualCluster;
  readonly probe: VirtualProbe;
  /** Between two faults, at most. */
  readonly restMsMax: number;
}

/** Longer than a dead broker's slots may take. */
const settleMs = 4_000;
const pausedMs = 10_000;
/** Between linger and one put of the journal that takes long. */
const quietMs = 400;

/** Carries out one fault, and waits until the cluster is as it was. */
export async function carryOutVirtually(
  site: VirtualSite,
  kind: VirtualFault,
  fault: number,
): Promise<readonly VirtualOutage[]> {
  const { cluster } = site;
  const broker = cluster.brokers[fault % cluster.brokers.length];
  if (broker === undefined) throw new Error("there is no broker");
  site.probe.isResting = true;
  await cluster.world.sleep(cluster.world.below(site.restMsMax));
  site.probe.isResting = false;
  await recovered(site);
  site.probe.window();
  const found = await faulted(site, kind, broker);
  await cluster.balanced();
  await recovered(site);
  return found.map((one) => ({ ...one, fault }));
}

type Found = readonly Omit<VirtualOutage, "fault">[];

async function faulted(
  site: VirtualSite,
  kind: VirtualFault,
  broker: VirtualBroker,
): Promise<Found> {
  const { cluster, probe } = site;
  switch (kind) {
    case "kill": {
      broker.kill();
      const found = await ledBy(site, kind, broker);
      await broker.start();
      return found;
    }
    case "pause": {
      broker.pause();
      await cluster.world.sleep(pausedMs);
      const found = outages(probe.window(), kind, ({ from }) => from === broker.id);
      broker.resume();
      return found;
    }
    case "fence":
      await cluster.fence(broker);
      return ledBy(site, kind, broker);
    case "stop": {
      await broker.stop();
      const found = await ledBy(site, kind, broker);
      await broker.start();
      return found;
    }
    case "move": {
      await broker.stop();
      await recovered(site);
      probe.window();
      await broker.start();
      return moved(site, kind);
    }
    case "scale-out": {
      const newcomer = await cluster.join();
      const found = await moved(site, kind);
      await newcomer.stop();
      cluster.brokers.pop();
      return found;
    }
  }
}

async function ledBy(site: VirtualSite, of: VirtualFault, { id }: VirtualBroker): Promise<Found> {
  await site.cluster.world.sleep(settleMs);
  await recovered(site);
  return outages(site.probe.window(), of, ({ from }) => from === id);
}

/** Those that got another leader. */
async function moved(site: VirtualSite, of: VirtualFault): Promise<Found> {
  await site.cluster.balanced();
  await recovered(site);
  return outages(site.probe.window(), of, ({ from, to }) => from !== to);
}

function outages(
  window: readonly PartitionWindow[],
  of: VirtualFault,
  isMeant: (window: PartitionWindow) => boolean,
): Found {
  return window.map((one) => ({ of: isMeant(one) ? of : "others", gapMs: one.gapMs }));
}

/** Every partition was written to a moment ago. */
async function recovered({ cluster, probe }: VirtualSite): Promise<void> {
  await cluster.until(() => probe.silenceMs() <= quietMs);
}
