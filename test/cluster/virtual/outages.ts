import { type Distribution, distributions } from "../report.ts";
import { carryOutVirtually, type VirtualFault, type VirtualOutage } from "./virtual-faults.ts";
import { VirtualCluster } from "./virtual-cluster.ts";
import { VirtualProbe } from "./virtual-probe.ts";

const brokers = 3;
const topic = "probed";

export interface OutageOptions {
  readonly kinds: readonly VirtualFault[];
  /** Of each kind. */
  readonly times: number;
  readonly seed: number;
  /** That are written to. */
  readonly partitions: number;
  /** Of another topic, which nobody uses. */
  readonly idle: number;
  /** Between two faults, at most. */
  readonly restMsMax: number;
}

/** One fault after another, kind by kind, in one cluster of three brokers. */
export async function outagesOf(options: OutageOptions): Promise<{
  readonly rows: readonly Distribution[];
  readonly acknowledged: number;
}> {
  const cluster = new VirtualCluster(options.seed);
  return cluster.run(async () => {
    for (let count = 0; count < brokers; count += 1) await cluster.join();
    await cluster.balanced();
    await cluster.createTopic(topic, options.partitions);
    if (options.idle > 0) await cluster.createTopic("idle", options.idle);
    const { fail, world } = cluster;
    const probe = new VirtualProbe({
      ...{ clock: world.clock, brokers: () => cluster.brokers, topic, fail },
      partitions: options.partitions,
    });
    probe.start();
    const site = { cluster, probe, restMsMax: options.restMsMax };
    const found: VirtualOutage[] = [];
    for (const kind of options.kinds) {
      for (let fault = 0; fault < options.times; fault += 1) {
        found.push(...(await carryOutVirtually(site, kind, fault)));
      }
    }
    probe.end();
    return { rows: distributions(found), acknowledged: probe.acknowledged };
  });
}
