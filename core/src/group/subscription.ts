import type { ClassicGroup } from "./classic-group.ts";
import { metadataFor } from "./member.ts";

/** The protocol type under which members' metadata is a consumer's subscription. */
export const consumerProtocolType = "consumer";

/**
 * The topics that a group's members read: known, `unknown` where a consumer group's metadata can't
 * be read, or `none` where the members are no consumers (or there never were any).
 */
export type Subscription = ReadonlySet<string> | "unknown" | "none";

/** `topicsOf` reads one member's metadata; undefined when it is not a subscription. */
export function subscriptionOf(
  group: ClassicGroup,
  topicsOf: (metadata: Uint8Array) => readonly string[] | undefined,
): Subscription {
  if (group.protocolType !== consumerProtocolType) return "none";
  const names = new Set<string>();
  for (const member of group.members()) {
    const topics = topicsOf(metadataFor(member, group.protocolName));
    if (topics === undefined) return "unknown";
    for (const name of topics) names.add(name);
  }
  return names;
}

/** What can't be read counts as subscribed: offsets must not go while somebody may need them. */
export function isSubscribed(subscription: Subscription, topic: string): boolean {
  if (typeof subscription === "string") return subscription === "unknown";
  return subscription.has(topic);
}
