import {
  type Item,
  keys,
  type Leadership,
  type LeadershipChange,
  leadershipItem,
  noLeadership,
  readLeadership,
  type Write,
} from "@millrace/core";
import { read, type StoreAccess, transact } from "./persist.ts";
import { versionMoved } from "./version-item.ts";

/** The leadership item as it was read. */
export interface ReadLeadership {
  readonly leadership: Leadership;
  /** 0: there is none yet. */
  readonly version: number;
}

/** A strong read. Throws MetadataError. */
export async function readLeadershipNow(
  access: StoreAccess,
  slots: number,
): Promise<ReadLeadership> {
  return parsed(await read(access, keys.leadership), slots);
}

/**
 * Writes what `decide` makes of leadership, on condition that the item is as it was read, and moves
 * the version item with it. A refused write reads again and decides anew, so `decide` finds its own
 * change when a reply was lost. Answers with leadership as it is then. Throws MetadataError.
 */
export async function changeLeadership(
  access: StoreAccess,
  known: ReadLeadership,
  decide: (before: Leadership) => LeadershipChange,
): Promise<ReadLeadership> {
  const slots = known.leadership.leaders.length;
  let before = known;
  for (;;) {
    const after = decide(before.leadership);
    if (after === "unchanged") return before;
    const outcome = await transact(access, leadershipWrites(before, after), () => false);
    if (outcome.ok) return { leadership: after, version: before.version + 1 };
    const refused = outcome.refused.find(({ key }) => key === keys.leadership);
    before = parsed(refused?.found, slots);
  }
}

/** What writes `after` in the place of `before`: the item and the version item. */
export function leadershipWrites(before: ReadLeadership, after: Leadership): readonly Write[] {
  const condition =
    before.version === 0
      ? ({ is: "absent" } as const)
      : ({ is: "version", version: before.version } as const);
  return [
    { kind: "put", key: keys.leadership, value: leadershipItem(after), condition },
    versionMoved([keys.leadership]),
  ];
}

function parsed(item: Item | undefined, slots: number): ReadLeadership {
  if (item === undefined) return { leadership: noLeadership(slots), version: 0 };
  return { leadership: readLeadership(item, slots), version: item.version };
}
