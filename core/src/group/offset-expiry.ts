import type { ClassicGroup } from "./classic-group.ts";
import type { CommittedOffset, GroupOffsets, OffsetKey } from "./group-offsets.ts";
import type { Subscription } from "./subscription.ts";
import { isSubscribed } from "./subscription.ts";

/** How long offsets live, in ms, and the wall time. */
export interface Retention {
  readonly retentionMs: number;
  readonly nowMs: number;
}

/**
 * The offsets that nobody needs any more (KIP-211): of an empty group, once it has been empty for
 * the retention; of a Stable consumer group, those of topics that it no longer reads, and of a
 * group without members' protocol, each once its last commit is that old.
 */
export function expiredOffsets(
  group: ClassicGroup,
  offsets: GroupOffsets,
  about: Retention & {
    readonly subscription: Subscription;
    readonly nameOf: (key: OffsetKey) => string | undefined;
  },
): readonly OffsetKey[] {
  const since = expiresSince(group, offsets, about.subscription);
  if (since === undefined) return [];
  const expired: OffsetKey[] = [];
  for (const [topicId, entries] of offsets.topics()) {
    const name = about.nameOf({ topicId, partition: 0 });
    if (name !== undefined && isSubscribed(about.subscription, name)) continue;
    for (const [partition, committed] of entries) {
      const key = { topicId, partition };
      if (isExpired(committed, since(key), about)) expired.push(key);
    }
  }
  return expired;
}

function expiresSince(
  group: ClassicGroup,
  offsets: GroupOffsets,
  subscription: Subscription,
): ((key: OffsetKey) => number) | undefined {
  const lastCommit = (key: OffsetKey): number => offsets.lastCommitMs(key);
  if (group.protocolType === null) return lastCommit;
  if (group.state === "Empty") return () => group.stateSinceMs;
  if (group.state === "Stable" && typeof subscription === "object") return lastCommit;
  return undefined;
}

function isExpired(
  { expireMs }: CommittedOffset,
  sinceMs: number,
  { nowMs, retentionMs }: Retention,
): boolean {
  return expireMs === null ? nowMs - sinceMs >= retentionMs : nowMs >= expireMs;
}
