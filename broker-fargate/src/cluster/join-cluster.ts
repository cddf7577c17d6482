import {
  type BrokerId,
  type ClusterFormat,
  type Epoch,
  type Features,
  type Item,
  keys,
  type MemberListener,
  MetadataError,
  millraceVersionFeature,
  readFeatures,
  supportedMillraceVersions,
} from "@millrace/core";
import { storeRetryMsMax } from "./limits.ts";
import { Membership } from "./membership.ts";
import type { LateDependencies, MembershipLog, Over } from "./membership-deps.ts";
import { FormatError, type OpenedMetadata, openFormat, openMetadata } from "./open-cluster.ts";
import { read, type StoreAccess } from "./persist.ts";
import { registerIncarnation } from "./register.ts";
import { readVersion, type SeenVersion } from "./version-item.ts";

/** What a broker needs to be a member of a cluster. */
export interface MemberOptions extends LateDependencies {
  /** As they are advertised; an address of its own is shown as a connection's listener says. */
  readonly listeners: readonly MemberListener[];
  readonly rack: string | undefined;
  readonly log: MembershipLog;
  /** This incarnation is over, and everything of it has to stop; called once. */
  readonly onOver: (over: Over) => void;
}

/** The finalised features, and whether this version may take part under them. */
export interface FollowedFeatures {
  readonly features: Features;
  readonly level: number;
  /** Why it takes no slot, in a sentence for the operator. */
  readonly fault: string | undefined;
}

export interface JoinedCluster extends OpenedMetadata {
  readonly format: ClusterFormat;
  readonly features: FollowedFeatures;
  readonly membership: Membership;
  /** The newest epoch that was given when it registered; what it leads has epochs of its own. */
  readonly epoch: Epoch;
  /** Topics and configs are known up to this version of the version item. */
  readonly version: number;
  /** Who follows topics, configs and features from now on. */
  follow(follower: {
    readonly version: number;
    follow(seen: SeenVersion): void;
    isCompatible(): boolean;
    level(): number;
  }): void;
}

/**
 * The format is read before anything else, so that a newer one is refused untouched; then the new
 * incarnation is registered, durably, and heartbeats; then the rest is read. A version that does not
 * cover the finalised one joins, and takes no slot.
 *
 * A store that does not answer is asked again, for ever: the process waits, and is not ready yet.
 * Throws FormatError.
 */
export async function joinCluster(
  access: StoreAccess,
  start: { readonly brokerId: BrokerId; readonly slots: number; readonly member: MemberOptions },
): Promise<JoinedCluster> {
  const { brokerId, member } = start;
  const asked = <Result>(call: () => Promise<Result>): Promise<Result> =>
    untilAnswered(call, { ...access, log: member.log });
  const format = await asked(() => openFormat(access, start.slots));
  const features = await asked(() => readFeaturesNow(access));
  const { fault } = features;
  if (fault !== undefined) member.log.warn({}, `this broker takes no slot: ${fault}`);
  const takesSlots = fault === undefined ? "yes" : "no";
  const { slots } = format;
  const newcomer = { ...member, brokerId, slots, takesSlots } as const;
  const registered = await asked(() => registerIncarnation(access, newcomer));
  let follower: Parameters<JoinedCluster["follow"]>[0] = {
    version: 0,
    follow: () => undefined,
    isCompatible: () => fault === undefined,
    level: () => features.level,
  };
  const membership = new Membership({
    ...access,
    ...member,
    brokerId,
    registered,
    level: () => follower.level(),
    isCompatible: () => follower.isCompatible(),
    onVersion: (seen) => follower.follow(seen),
    followedVersion: () => follower.version,
  });
  await membership.start();
  // Read before the rest: what changes after it is followed.
  const { version } = readVersion(await asked(() => read(access, keys.version)));
  const metadata = await asked(() => openMetadata(access, brokerId));
  return {
    ...{ ...metadata, format, features, membership, version, epoch: registered.epoch },
    follow: (next) => {
      follower = next;
    },
  };
}

async function untilAnswered<Result>(
  call: () => Promise<Result>,
  { clock, log }: StoreAccess & { readonly log: MembershipLog },
): Promise<Result> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof MetadataError)) throw error;
      log.warn({ err: error }, "the metadata store does not answer; the start waits for it");
      await new Promise<void>((resolve) => clock.after(storeRetryMsMax, resolve));
    }
  }
}

/** A strong read. Throws FormatError, MetadataError. */
export async function readFeaturesNow(access: StoreAccess): Promise<FollowedFeatures> {
  const item = await read(access, keys.features);
  if (item === undefined) throw new FormatError("the cluster has no finalised features");
  const known = readFeatures(item);
  const level = levelOf(item);
  if (known.ok) return { features: known.features, level, fault: undefined };
  const { min, max } = supportedMillraceVersions;
  const supported = [{ name: millraceVersionFeature, minVersion: min, maxVersion: max }];
  const features = { supported, finalizedEpoch: item.version, finalized: [] };
  return { features, level, fault: known.message };
}

function levelOf(item: Item): number {
  const level = item.value[millraceVersionFeature];
  return typeof level === "number" ? level : 0;
}
