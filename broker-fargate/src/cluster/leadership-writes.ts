import {
  type Item,
  keys,
  type Leadership,
  type LeadershipChange,
  leadershipItem,
  MetadataError,
  noLeadership,
  readLeadership,
  readWithoutLeaders,
  UnreadableItemError,
  versionMoved,
  type Write,
} from "@millrace/core";
import type { FinalisedFeatures } from "./finalised-features.ts";
import { read, type Refused, type StoreAccess, transact } from "./persist.ts";

/** The leadership item as it was read. */
export interface ReadLeadership {
  readonly leadership: Leadership;
  /** 0: there is none yet. */
  readonly version: number;
  /** It has a form that this version does not read: by what it knows, nobody leads anything. */
  readonly fault?: UnreadableItemError;
}

/** Leadership is written in the form of the finalised level. */
export interface LeadershipAccess extends StoreAccess {
  readonly features: FinalisedFeatures;
}

/** A strong read. Throws MetadataError. */
export async function readLeadershipNow(
  access: StoreAccess,
  slots: number,
): Promise<ReadLeadership> {
  return leadershipFrom(await read(access, keys.leadership), slots);
}

export function leadershipFrom(item: Item | undefined, slots: number): ReadLeadership {
  if (item === undefined) return { leadership: noLeadership(slots), version: 0 };
  const { version } = item;
  try {
    return { leadership: readLeadership(item, slots), version };
  } catch (fault) {
    if (!(fault instanceof UnreadableItemError)) throw fault;
    return { leadership: readWithoutLeaders(item, slots), version, fault };
  }
}

/**
 * What cannot be read may be of a level that was finalised a moment ago. Otherwise it is damaged, and
 * nothing may be put in its place: throws UnreadableItemError. Throws MetadataError.
 */
export async function assertReadable(
  access: LeadershipAccess,
  { fault }: ReadLeadership,
): Promise<void> {
  const { features } = access;
  if (fault === undefined || !features.isCompatible) return;
  await features.follow(access);
  if (features.isCompatible) throw fault;
}

/**
 * Writes what `decide` makes of leadership, on condition that the item is as it was read, and moves
 * the version item with it. A refused write reads again and decides anew, so `decide` finds its own
 * change when a reply was lost. Answers with leadership as it is then. Throws MetadataError, also
 * where this version may not write, and UnreadableItemError.
 */
export async function changeLeadership(
  access: LeadershipAccess,
  known: ReadLeadership,
  decide: (before: Leadership) => LeadershipChange,
): Promise<ReadLeadership> {
  const { features } = access;
  const slots = known.leadership.leaders.length;
  let before = known;
  for (;;) {
    await assertReadable(access, before);
    if (features.fault !== undefined) {
      throw new MetadataError(features.fault, { retriable: false, applied: "no" });
    }
    const after = decide(before.leadership);
    if (after === "unchanged") return before;
    const writes = leadershipWrites(features, before, after);
    const outcome = await transact(access, writes, () => false);
    if (outcome.ok) return { leadership: after, version: before.version + 1 };
    learnFeatures(features, outcome.refused);
    const refused = outcome.refused.find(({ key }) => key === keys.leadership);
    if (refused !== undefined) before = leadershipFrom(refused.found, slots);
  }
}

/**
 * What writes `after` in the place of `before`, in the form of the finalised level, on condition
 * that it is still that one: the item and the version item.
 */
export function leadershipWrites(
  features: FinalisedFeatures,
  before: Pick<ReadLeadership, "version">,
  after: Leadership,
): readonly Write[] {
  const condition =
    before.version === 0
      ? ({ is: "absent" } as const)
      : ({ is: "version", version: before.version } as const);
  const value = leadershipItem(after, features.level);
  return [
    { kind: "put", key: keys.leadership, value, condition },
    versionMoved([keys.leadership]),
    features.unmoved,
  ];
}

/** A refused transaction may tell that the level is another by now. */
export function learnFeatures(features: FinalisedFeatures, refused: Refused): void {
  features.learn(refused.find(({ key }) => key === keys.features)?.found);
}
