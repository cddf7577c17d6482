/** The calls of the ports that an operation's actions are. All may be repeated. */
import type {
  BrokerDriver,
  Clock,
  ClusterId,
  ClusterStores,
  ObservedCluster,
} from "@millrace/core";
import type { CertificateFacts } from "../clusters/cluster-record.ts";
import { deletedObjectsPage } from "./limits.ts";
import { certify } from "./certify.ts";
import type { Action, Observed } from "./next-step.ts";

export interface PerformDependencies {
  readonly clock: Clock;
  readonly driver: BrokerDriver;
  readonly stores: ClusterStores;
}

/**
 * All at once; when some fail, the others come to their end first. Says what the cluster's record is
 * to keep of it. Throws DriverError and ObjectError.
 */
export async function perform(
  deps: PerformDependencies,
  cluster: ClusterId,
  actions: readonly Action[],
): Promise<{ readonly certificate?: CertificateFacts }> {
  const facts: { certificate?: CertificateFacts } = {};
  const calls = actions.map(async (action) => {
    const certificate = await performOne(deps, cluster, action);
    if (certificate !== undefined) facts.certificate = certificate;
  });
  for (const outcome of await Promise.allSettled(calls)) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
  return facts;
}

async function performOne(
  { clock, driver, stores }: PerformDependencies,
  id: ClusterId,
  action: Action,
): Promise<CertificateFacts | undefined> {
  switch (action.does) {
    case "ensureStore":
      await driver.ensureStore(id);
      return undefined;
    case "ensureName":
      await driver.ensureName(id, action.broker);
      return undefined;
    case "ensureBroker":
      await driver.ensureBroker(id, action.spec);
      return undefined;
    case "remove":
      await driver.remove(id, action.part);
      return undefined;
    case "issueCertificate": {
      const { renews, revision } = action;
      return certify({ clock, driver }, { cluster: id, renews, revision });
    }
    case "deleteObjects":
      await deleteObjects(stores, id);
      return undefined;
  }
}

async function deleteObjects(stores: ClusterStores, cluster: ClusterId): Promise<void> {
  const objects = await stores.objects(cluster);
  try {
    const page = await objects.list({ prefix: "", limit: deletedObjectsPage });
    await objects.delete(page.objects.map(({ key }) => key));
  } finally {
    await objects.close();
  }
}

/** Whether there are any is looked for when a deletion has come that far. Throws ObjectError. */
export async function objectsOf(
  stores: ClusterStores,
  cluster: ClusterId,
  parts: ObservedCluster,
): Promise<Observed["objects"]> {
  if (parts.store !== "absent" || parts.brokers.length > 0) return "unknown";
  const objects = await stores.objects(cluster);
  try {
    const page = await objects.list({ prefix: "", limit: 1 });
    return page.objects.length > 0 ? "some" : "none";
  } finally {
    await objects.close();
  }
}
