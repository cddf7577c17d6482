import { MetadataError } from "@millrace/core";
import type { Broker } from "../broker.ts";
import type { Unavailable } from "../group/deps.ts";

/**
 * Asks the coordinator about a group only where this broker leads the group's slot and knows so
 * (ownership rule 16): another's slot is not even claimed. An answer that waited, until what this
 * broker knows had become old, is given after a strong read found the slot still its own.
 *
 * `ask` is called in this turn, so that requests of one connection take effect in their order.
 */
export async function asCoordinator<Answer>(
  broker: Pick<Broker, "cluster" | "view">,
  groupId: string,
  ask: () => Promise<Answer>,
): Promise<Answer | Unavailable> {
  const { cluster, view } = broker;
  if (!view.hasEvidence || !view.leads(cluster.slotOfGroup(groupId))) return "notCoordinator";
  const answer = await ask();
  if (view.hasEvidence) return answer;
  return (await lostCoordinator(broker, groupId)) ?? answer;
}

/** Why the group's slot is not this broker's, by a strong read that begins now; or undefined. */
export async function lostCoordinator(
  { cluster, view }: Pick<Broker, "cluster" | "view">,
  groupId: string,
): Promise<Unavailable | undefined> {
  try {
    const isOurs = await view.isStillOurs(cluster.slotOfGroup(groupId));
    return isOurs ? undefined : "notCoordinator";
  } catch (error) {
    if (!(error instanceof MetadataError)) throw error;
    return "coordinatorNotAvailable";
  }
}
