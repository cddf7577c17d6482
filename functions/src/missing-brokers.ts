import type { ClusterCatalogue, ClusterRecord } from "@millrace/control-api";
import type { BrokerDriver } from "@millrace/core";
import { clustersPage } from "./limits.ts";

/** How many brokers of active clusters are not ready: what an alarm looks at. Throws DriverError. */
export async function missingBrokers(
  clusters: Pick<ClusterCatalogue, "list">,
  driver: Pick<BrokerDriver, "observe">,
): Promise<number> {
  let missing = 0;
  let after: ClusterRecord["id"] | undefined;
  do {
    const page = await clusters.list({ limit: clustersPage, ...(after && { after }) });
    for (const { id, spec, state } of page.items) {
      // What is being changed may well have fewer.
      if (state !== "active") continue;
      const { brokers } = await driver.observe(id);
      const ready = brokers.filter((broker) => broker.state === "ready").length;
      missing += Math.max(0, spec.brokers - ready);
    }
    after = page.next;
  } while (after !== undefined);
  return missing;
}
