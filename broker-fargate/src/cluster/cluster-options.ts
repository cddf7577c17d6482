import {
  type BrokerId,
  brokerId,
  type Clock,
  type MetadataStore,
  parseSettings,
  type Random,
  type Slot,
  type SupportedVersions,
  supportedMillraceVersions,
} from "@millrace/core";
import type { MemberOptions } from "./join-cluster.ts";
import type { NewCluster } from "./open-cluster.ts";
import type { OpenSlot } from "./slot-claims.ts";

export interface ClusterOptions {
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly brokerId: number;
  /** Only the first start of a cluster reads it; by default `millrace.slots` of `configs`. */
  readonly slots?: number;
  /** What file, environment and flags set, as `parseSettings` gave it in `known`. */
  readonly configs?: ReadonlyMap<string, string>;
  /** By default what this version of Millrace supports. */
  readonly versions?: SupportedVersions;
}

export interface JoinOptions extends ClusterOptions {
  readonly member: MemberOptions;
}

/** Who makes this incarnation the owner of slots. */
export interface SlotOpening {
  /** The slot if it is open already. */
  find(slot: Slot): OpenSlot | undefined;
  open(slot: Slot): Promise<OpenSlot>;
  dropSources(slot: Slot): Promise<boolean>;
}

export interface OwnBroker {
  readonly id: BrokerId;
  readonly fixed: ReadonlyMap<string, string>;
}

export function brokerOf(options: ClusterOptions): OwnBroker {
  const id = brokerId(options.brokerId);
  // Both names of the id are shown as set, whichever was.
  const own = [
    ["node.id", `${id}`],
    ["broker.id", `${id}`],
  ] as const;
  return { id, fixed: new Map([...(options.configs ?? []), ...own]) };
}

export function newClusterOf(options: ClusterOptions, { fixed }: OwnBroker): NewCluster {
  const { slots = parseSettings(fixed).settings.slots } = options;
  return { slots, versions: options.versions ?? supportedMillraceVersions };
}

/** Before `useOpener` was called: nothing may be opened. */
export const noOpener: SlotOpening = {
  find: () => undefined,
  open: () => Promise.reject(new Error("no slot can be opened yet")),
  dropSources: () => Promise.resolve(false),
};
