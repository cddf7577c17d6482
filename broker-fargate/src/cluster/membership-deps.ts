import type { BrokerId, IncarnationId, Load, SeenVersion } from "@millrace/core";
import type { FinalisedFeatures } from "./finalised-features.ts";
import type { StoreAccess } from "./persist.ts";
import type { Registered } from "./register.ts";

/** Why an incarnation is over. `replaced`: a newer incarnation of the same broker has its slots. */
export interface Over {
  readonly reason: "replaced" | "slotsTaken" | "closed";
  readonly message: string;
}

/** What this broker tells of itself with every heartbeat. */
export interface HeartbeatSource {
  /** Every entry of the journal below this seq is durable. */
  durable(): number;
  load(): Load;
}

/** May come later, by `Membership.use`. */
export interface LateDependencies {
  /** Closes the journal of an incarnation that is dead and leads nothing (ownership rule 11 b – d). */
  readonly closeJournal?: (incarnation: IncarnationId) => Promise<void>;
}

export interface MembershipDependencies extends StoreAccess, LateDependencies {
  readonly brokerId: BrokerId;
  readonly registered: Registered;
  /** Of a version that may not work under the finalised one: it takes no part in decisions. */
  readonly features: FinalisedFeatures;
  /** Told of every newer version of the version item. */
  readonly onVersion: (seen: SeenVersion) => void;
  /** Topics, configs and features are known up to this version. */
  readonly followedVersion: () => number;
  /** Called once; everything has stopped by then. */
  readonly onOver: (over: Over) => void;
  readonly log: MembershipLog;
}

export interface MembershipLog {
  info(about: object, message: string): void;
  warn(about: object, message: string): void;
}
