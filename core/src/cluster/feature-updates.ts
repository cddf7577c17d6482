import { millraceVersionFeature, rangeText, type SupportedVersions } from "./features.ts";
import { rangedSlotsMax } from "./limits.ts";
import { slotListsLevel } from "./leadership-item.ts";
import { isCompatible, type Member } from "./member.ts";

/** What an operator asks of one feature (KIP-584). */
export interface FeatureUpdate {
  readonly feature: string;
  readonly level: number;
  /** `any`: as version 0 of the request says it, that lowering is allowed too. */
  readonly direction: "upgrade" | "downgrade" | "any" | "unknown";
}

/** What is known by strong reads when it is decided. */
export interface FeatureSight {
  readonly level: number;
  /** Of the broker that decides. */
  readonly supported: SupportedVersions;
  readonly slots: number;
  /** Whose journals are open; undefined: the broker is alone in its cluster. */
  readonly members: readonly Member[] | undefined;
}

export type FeatureDecision =
  | { readonly kind: "changed"; readonly level: number }
  | { readonly kind: "unchanged" }
  | {
      readonly kind: "refused";
      /** `invalid`: nobody could ever do this; `failed`: not while the cluster is as it is. */
      readonly reason: "invalid" | "failed";
      readonly message: string;
    };

type Refusal = Extract<FeatureDecision, { readonly kind: "refused" }>;

/**
 * All updates of a request together, one after another, or none of them. Raising is refused while a
 * member does not support the level, lowering also while something is written that the lower level
 * has no form for. No downgrade loses anything, so there is no difference between a safe one and an
 * unsafe one.
 */
export function decideFeatureUpdates(
  sight: FeatureSight,
  updates: readonly FeatureUpdate[],
): FeatureDecision {
  let { level } = sight;
  for (const update of updates) {
    const refusal = invalid(update, { ...sight, level }) ?? failed(update.level, sight);
    if (refusal !== undefined) return refusal;
    level = update.level;
  }
  return level === sight.level ? { kind: "unchanged" } : { kind: "changed", level };
}

function invalid(
  { feature, level, direction }: FeatureUpdate,
  sight: FeatureSight,
): Refusal | undefined {
  const { supported } = sight;
  const refused = (why: string): Refusal => {
    return { kind: "refused", reason: "invalid", message: `${feature} ${level}: ${why}` };
  };
  if (feature !== millraceVersionFeature) {
    return refused(`the only feature is ${millraceVersionFeature}.`);
  }
  if (direction === "unknown") return refused("the upgrade type is not known.");
  if (level < supported.min || level > supported.max) {
    return refused(`this broker supports ${rangeText(supported)}.`);
  }
  if (level < sight.level && direction === "upgrade") {
    return refused(`it is at ${sight.level}, and lowering it has to be asked for as a downgrade.`);
  }
  if (level > sight.level && direction === "downgrade") {
    return refused(`it is at ${sight.level}, and raising it is no downgrade.`);
  }
  return undefined;
}

function failed(
  level: number,
  { level: before, supported, slots, members }: FeatureSight,
): Refusal | undefined {
  const refused = (why: string): Refusal => {
    const message = `${millraceVersionFeature} stays at ${before}: ${why}`;
    return { kind: "refused", reason: "failed", message };
  };
  if (level === before) return undefined;
  if (before < supported.min || before > supported.max) {
    return refused("this broker does not know what is written at that level; ask another one.");
  }
  const others = (members ?? []).filter((member) => !isCompatible(member, level));
  if (others.length > 0) {
    const list = others.map(({ brokerId, versions }) => {
      return `broker ${brokerId} (supports ${rangeText(versions)})`;
    });
    return refused(`${list.join(", ")} cannot work under ${level}.`);
  }
  const isRanged = level < slotListsLevel && members !== undefined;
  if (isRanged && slots > rangedSlotsMax) {
    return refused(
      `below ${slotListsLevel} the leadership of ${slots} slots may not fit into one item; ` +
        `at most ${rangedSlotsMax} do.`,
    );
  }
  return undefined;
}
