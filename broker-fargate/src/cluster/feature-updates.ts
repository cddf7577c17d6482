import {
  decideFeatureUpdates,
  type FeatureDecision,
  type FeatureUpdate,
  keys,
  keysUnder,
  leadershipItem,
  type Member,
  MetadataError,
  millraceVersionFeature,
  readHeartbeat,
  readMember,
  versionMoved,
  type Write,
} from "@millrace/core";
import {
  assertReadable,
  type LeadershipAccess,
  type ReadLeadership,
  readLeadershipNow,
} from "./leadership-writes.ts";
import { read, readAll, transact } from "./persist.ts";
import type { Intent } from "./topics.ts";

export type FeaturesOutcome =
  /** Every level is what was asked, or could be. */
  | { readonly kind: "done" }
  | Extract<FeatureDecision, { readonly kind: "refused" }>
  /** The store did not answer: whether anything was changed is not known. */
  | { readonly kind: "unavailable" };

const pageItems = 1000;

/**
 * Raises or lowers the finalised level (KIP-584). Leadership is read first, then who its members
 * are; one transaction writes the level, and leadership in the form of that level, on condition
 * that both are as they were read. As every member registers by a write of leadership, on condition
 * of the features, nobody joins unseen in between; and no older form is left that a writer who did
 * not know yet could put there afterwards.
 */
export async function updateFeatures(
  access: LeadershipAccess,
  asked: {
    readonly updates: readonly FeatureUpdate[];
    readonly intent: Intent;
    readonly slots: number;
    readonly is: "alone" | "member";
  },
): Promise<FeaturesOutcome> {
  const { features } = access;
  const { updates, intent, slots, is } = asked;
  try {
    for (;;) {
      await features.follow(access);
      const before = await readLeadershipNow(access, slots);
      await assertReadable(access, before);
      const members = is === "alone" ? undefined : await openMembers(access);
      const { level, supported } = features;
      const decision = decideFeatureUpdates({ level, supported, slots, members }, updates);
      if (decision.kind === "refused") return decision;
      if (decision.kind === "unchanged" || intent === "check") return { kind: "done" };
      // Refused, or applied with its reply lost: reading again tells.
      await transact(access, changeOf(access, before, decision.level), () => false);
    }
  } catch (error) {
    if (error instanceof MetadataError) return { kind: "unavailable" };
    throw error;
  }
}

function changeOf(
  { features }: LeadershipAccess,
  { leadership, version }: ReadLeadership,
  level: number,
): readonly Write[] {
  return [
    features.changed({ [millraceVersionFeature]: level }),
    {
      kind: "put",
      key: keys.leadership,
      value: leadershipItem(leadership, level),
      condition: { is: "version", version },
    },
    versionMoved([keys.features, keys.leadership]),
  ];
}

/**
 * Everybody who heartbeats, or did, and whose journal nobody has begun to close: who stands still
 * may go on, until it is known to be over.
 */
async function openMembers(access: LeadershipAccess): Promise<readonly Member[]> {
  const members: Member[] = [];
  for await (const heartbeat of readAll(access, keysUnder("heartbeat", pageItems))) {
    const { incarnation } = readHeartbeat(heartbeat);
    const item = await read(access, keys.incarnation(incarnation));
    const member = item === undefined ? undefined : readMember(item);
    if (member?.state === "open") members.push(member);
  }
  return members;
}
