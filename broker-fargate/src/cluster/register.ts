import {
  type BrokerId,
  countedItem,
  type Epoch,
  heartbeatItem,
  type IncarnationId,
  type Item,
  keys,
  type Leadership,
  memberItem,
  type MemberListener,
  newIncarnationId,
  registered,
  type SupportedVersions,
  takenFrom,
  versionMoved,
  type Write,
} from "@millrace/core";
import {
  assertReadable,
  type LeadershipAccess,
  leadershipFrom,
  leadershipWrites,
  learnFeatures,
  type ReadLeadership,
} from "./leadership-writes.ts";
import { hexOf } from "./open-cluster.ts";
import { read, transact } from "./persist.ts";

/** What a broker tells of itself when it joins. */
export interface Newcomer {
  readonly brokerId: BrokerId;
  readonly slots: number;
  /** As they are advertised. */
  readonly listeners: readonly MemberListener[];
  readonly rack: string | undefined;
}

export interface Registered extends ReadLeadership {
  readonly incarnation: IncarnationId;
  /** The newest epoch that was given when it registered. */
  readonly epoch: Epoch;
}

/**
 * Registers a new incarnation, durably, in one transaction: leadership counts it, its item is open,
 * its first heartbeat is there. What a former incarnation of the same broker leads is given to it at
 * once, with a new epoch: a restarted process does not wait to be declared dead (ownership rule 9),
 * and of two processes with one broker id the newer one wins.
 *
 * A version that does not cover the finalised level is only counted: it gets no slot, and leaves all
 * of leadership that it may not be able to read as it is. Throws MetadataError, UnreadableItemError.
 */
export async function registerIncarnation(
  access: LeadershipAccess,
  newcomer: Newcomer,
): Promise<Registered> {
  const bits = hexOf(access.random.bytes(16));
  const { features } = access;
  for (;;) {
    const item = await read(access, keys.leadership);
    const before = leadershipFrom(item, newcomer.slots);
    await assertReadable(access, before);
    const incarnation = newIncarnationId(before.leadership, bits);
    const counted = registered(before.leadership, incarnation);
    const me = { ...newcomer, incarnation };
    const after = features.isCompatible ? withFormerSlots(counted, me) : counted;
    const { epoch } = after;
    const writes = [
      ...(features.isCompatible
        ? leadershipWrites(features, before, after)
        : [countedWrite(item), versionMoved([keys.leadership]), features.unmoved]),
      ...birthOf(me, { epoch, versions: features.supported }),
    ];
    // The id is its own: finding its item means that a lost reply was a success.
    const isBorn = async (): Promise<boolean> =>
      (await read(access, keys.incarnation(incarnation))) !== undefined;
    const outcome = await transact(access, writes, isBorn);
    if (outcome.ok) return { ...before, incarnation, epoch, ...nextOf(before, after) };
    learnFeatures(features, outcome.refused);
  }
}

function countedWrite(item: Item | undefined): Write {
  const condition =
    item === undefined
      ? ({ is: "absent" } as const)
      : ({ is: "version", version: item.version } as const);
  return { kind: "put", key: keys.leadership, value: countedItem(item), condition };
}

function nextOf(
  before: ReadLeadership,
  leadership: Leadership,
): Pick<ReadLeadership, "leadership" | "version"> {
  return { leadership, version: before.version + 1 };
}

function birthOf(
  { brokerId, listeners, rack, incarnation }: Newcomer & { readonly incarnation: IncarnationId },
  { epoch, versions }: { readonly epoch: Epoch; readonly versions: SupportedVersions },
): readonly Write[] {
  const absent = { is: "absent" } as const;
  const load = { total: 0, slots: [] };
  const calm = { isAlone: false, isDraining: false };
  const first = heartbeatItem({ counter: 0, durable: 0, load, seen: 0, ...calm });
  return [
    {
      kind: "put",
      key: keys.incarnation(incarnation),
      value: memberItem({ brokerId, epoch, listeners, rack, versions }),
      condition: absent,
    },
    { kind: "put", key: keys.heartbeat(incarnation), value: first },
  ];
}

function withFormerSlots(
  before: Leadership,
  me: Newcomer & { readonly incarnation: IncarnationId },
): Leadership {
  const former = new Set<IncarnationId>();
  for (const leader of before.leaders) {
    if (leader?.brokerId === me.brokerId) former.add(leader.incarnation);
  }
  if (former.size === 0) return before;
  const change = takenFrom(before, {
    by: me.incarnation,
    isDead: (one) => former.has(one),
    receivers: [{ brokerId: me.brokerId, incarnation: me.incarnation }],
  });
  return change === "unchanged" ? before : change;
}
