import {
  type BrokerId,
  type Epoch,
  heartbeatItem,
  type IncarnationId,
  keys,
  type Leadership,
  type MemberListener,
  memberItem,
  newIncarnationId,
  registered,
  supportedMillraceVersions,
  takenFrom,
  type Write,
} from "@millrace/core";
import { leadershipWrites, type ReadLeadership, readLeadershipNow } from "./leadership-writes.ts";
import { hexOf } from "./open-cluster.ts";
import { read, type StoreAccess, transact } from "./persist.ts";

/** What a broker tells of itself when it joins. */
export interface Newcomer {
  readonly brokerId: BrokerId;
  readonly slots: number;
  /** As they are advertised. */
  readonly listeners: readonly MemberListener[];
  readonly rack: string | undefined;
  /** Of a version that may work under the finalised one. */
  readonly takesSlots: "yes" | "no";
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
 * and of two processes with one broker id the newer one wins. Throws MetadataError.
 */
export async function registerIncarnation(
  access: StoreAccess,
  newcomer: Newcomer,
): Promise<Registered> {
  const bits = hexOf(access.random.bytes(16));
  for (;;) {
    const before = await readLeadershipNow(access, newcomer.slots);
    const incarnation = newIncarnationId(before.leadership, bits);
    const after = withFormerSlots(registered(before.leadership, incarnation), {
      ...newcomer,
      incarnation,
    });
    const { epoch } = after;
    const writes = [...leadershipWrites(before, after), ...birthOf(newcomer, incarnation, epoch)];
    // The id is its own: finding its item means that a lost reply was a success.
    const isBorn = async (): Promise<boolean> =>
      (await read(access, keys.incarnation(incarnation))) !== undefined;
    const outcome = await transact(access, writes, isBorn);
    if (!outcome.ok) continue;
    return { incarnation, epoch, leadership: after, version: before.version + 1 };
  }
}

function birthOf(newcomer: Newcomer, incarnation: IncarnationId, epoch: Epoch): readonly Write[] {
  const { brokerId, listeners, rack } = newcomer;
  const versions = supportedMillraceVersions;
  const absent = { is: "absent" } as const;
  const load = { total: 0, slots: [] };
  const first = heartbeatItem({ counter: 0, durable: 0, load, seen: 0, isDraining: false });
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
  if (me.takesSlots === "no") return before;
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
