import {
  type BrokerId,
  type ClusterFormat,
  type Epoch,
  type IncarnationId,
  keys,
  type MemberListener,
  MetadataError,
  readVersion,
  type SeenVersion,
  type SupportedVersions,
} from "@millrace/core";
import { FinalisedFeatures } from "./finalised-features.ts";
import { storeRetryMsMax } from "./limits.ts";
import { Membership } from "./membership.ts";
import type { LateDependencies, MembershipLog, Over } from "./membership-deps.ts";
import { type OpenedMetadata, openFormat, openMetadata } from "./open-cluster.ts";
import { read, type StoreAccess } from "./persist.ts";
import { registerIncarnation } from "./register.ts";
import { assertNotReplaced } from "./replaced.ts";

/** What a broker needs to be a member of a cluster. */
export interface MemberOptions extends LateDependencies {
  /** As they are advertised; an address of its own is shown as a connection's listener says. */
  readonly listeners: readonly MemberListener[];
  readonly rack: string | undefined;
  /** This process's incarnation before, which is over. */
  readonly former?: IncarnationId;
  readonly log: MembershipLog;
  /** This incarnation is over, and everything of it has to stop; called once. */
  readonly onOver: (over: Over) => void;
}

export interface JoinedCluster extends OpenedMetadata {
  readonly format: ClusterFormat;
  readonly features: FinalisedFeatures;
  readonly membership: Membership;
  /** The newest epoch that was given when it registered; what it leads has epochs of its own. */
  readonly epoch: Epoch;
  /** Topics and configs are known up to this version of the version item. */
  readonly version: number;
  /** Who follows topics, configs and features from now on. */
  follow(follower: { readonly version: number; follow(seen: SeenVersion): void }): void;
}

/**
 * The format is read before anything else, so that a newer one is refused untouched; then the new
 * incarnation is registered, durably, and heartbeats; then the rest is read. A version that does not
 * cover the finalised one joins, and takes no slot.
 *
 * A store that does not answer is asked again, for ever: the process waits, and is not ready yet.
 * Throws FormatError, and ReplacedError where the process has lived before.
 */
export async function joinCluster(
  access: StoreAccess,
  start: {
    readonly brokerId: BrokerId;
    readonly slots: number;
    readonly versions: SupportedVersions;
    readonly member: MemberOptions;
  },
): Promise<JoinedCluster> {
  const { brokerId, member, versions } = start;
  const asked = <Result>(call: () => Promise<Result>): Promise<Result> =>
    untilAnswered(call, { ...access, log: member.log });
  const format = await asked(() => openFormat(access, start));
  const features = await asked(() => FinalisedFeatures.read(access, versions));
  const sayFault = (): void => {
    if (features.fault !== undefined) {
      member.log.warn({}, `this broker takes no slot: ${features.fault}`);
    }
  };
  sayFault();
  const { former } = member;
  if (former !== undefined) {
    await asked(() => assertNotReplaced(access.store, { brokerId, former }));
  }
  const newcomer = { ...member, brokerId, slots: format.slots };
  const wasCompatible = features.isCompatible;
  const registered = await asked(() => registerIncarnation({ ...access, features }, newcomer));
  if (wasCompatible) sayFault();
  let follower: Parameters<JoinedCluster["follow"]>[0] = {
    version: 0,
    follow: () => undefined,
  };
  const membership = new Membership({
    ...access,
    ...member,
    brokerId,
    ...{ registered, features },
    onVersion: (seen) => follower.follow(seen),
    followedVersion: () => follower.version,
  });
  let isTaking = features.isCompatible;
  features.onChange(() => {
    if (features.isCompatible || !isTaking) return;
    isTaking = false;
    sayFault();
    membership.beginDrain();
  });
  await membership.start();
  // Read before the rest: what changes after it is followed.
  const { version } = readVersion(await asked(() => read(access, keys.version)));
  await asked(() => features.follow(access));
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
