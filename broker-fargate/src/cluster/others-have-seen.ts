import { keys, readVersion } from "@millrace/core";
import { haveSeenMsMax } from "./limits.ts";
import { type HeardMember, isSeen } from "./members.ts";
import type { Membership } from "./membership.ts";
import { read, type StoreAccess } from "./persist.ts";
import { untilSo } from "./until-so.ts";

/** Looks at the cluster, counted. */
export interface Looks {
  /** So many have begun. */
  begun: number;
  /** The last of them that succeeded. */
  through: number;
}

export interface SeenByDeps extends StoreAccess {
  readonly looks: Readonly<Looks>;
  /** As of the last look, those who are not over. */
  readonly open: () => readonly HeardMember[];
}

/**
 * Resolves when all live members have seen the changes that were made before the call, or after
 * `haveSeenMsMax`; with whether all members have that are not over. A look that begins after the
 * call says who they are: who is alone looks seldom, and whoever has come since may be about to
 * change what it read before. Throws MetadataError.
 */
export async function othersHaveSeen(
  membership: Pick<Membership, "incarnation" | "isRunning" | "live" | "nudge" | "onLook">,
  { looks, open, ...access }: SeenByDeps,
): Promise<boolean> {
  const version = readVersion(await read(access, keys.version));
  const by = { self: membership.incarnation, ...version };
  const { begun } = looks;
  const hasLooked = (): boolean => looks.through > begun;
  membership.nudge();
  await untilSo({
    clock: access.clock,
    isSo: () => !membership.isRunning || (hasLooked() && isSeen(membership.live, by)),
    onLook: (listener) => membership.onLook(listener),
    msMax: haveSeenMsMax,
  });
  return hasLooked() && isSeen(open(), by);
}
