import type { Item, ItemValue } from "../ports/metadata-store.ts";
import { UnreadableItemError } from "./unreadable-item.ts";

/** Levels of `millrace.version`, inclusive. */
export interface SupportedVersions {
  readonly min: number;
  readonly max: number;
}

/**
 * The levels of `millrace.version` that this version of Millrace can work under. What each of them
 * writes that the one below it does not read:
 *
 * 1. everything that was released first;
 * 2. leadership's assignments are lists of slots, one for each epoch (`leadership-item.ts`).
 *
 * Every supported level's formats are read at any time; the finalised level says which to write.
 */
export const supportedMillraceVersions: SupportedVersions = { min: 1, max: 2 };

/** Levels that this version can work under, inclusive (KIP-584). */
export interface SupportedFeature {
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
}

/** The level that every broker of the cluster has agreed to write; both bounds name it. */
export interface FinalizedFeature {
  readonly name: string;
  readonly minVersionLevel: number;
  readonly maxVersionLevel: number;
}

export interface Features {
  readonly supported: readonly SupportedFeature[];
  /** Rises with every change of `finalized`. */
  readonly finalizedEpoch: number;
  readonly finalized: readonly FinalizedFeature[];
}

export const millraceVersionFeature = "millrace.version";

/** A new cluster begins at the newest level that the broker which makes it supports. */
export function initialFeatures(
  supported: SupportedVersions = supportedMillraceVersions,
): ItemValue {
  return { [millraceVersionFeature]: supported.max };
}

export interface ReadFeatures {
  readonly features: Features;
  /** The finalised level of `millrace.version`; 0: there is none. */
  readonly level: number;
  /** Why a broker of this version may take no slot, in a sentence for the operator. */
  readonly fault: string | undefined;
}

/** Throws UnreadableItemError. */
export function readFeatures(
  item: Item,
  { min, max }: SupportedVersions = supportedMillraceVersions,
): ReadFeatures {
  const finalized: FinalizedFeature[] = [];
  for (const [name, level] of Object.entries(item.value)) {
    if (!Number.isSafeInteger(level)) throw new UnreadableItemError(item.key, `${name}: no level`);
    finalized.push({ name, minVersionLevel: Number(level), maxVersionLevel: Number(level) });
  }
  const own = finalized.find((feature) => feature.name === millraceVersionFeature);
  const level = own?.maxVersionLevel ?? 0;
  const supported = [{ name: millraceVersionFeature, minVersion: min, maxVersion: max }];
  const isCovered = min <= level && level <= max;
  const fault =
    `${millraceVersionFeature} is finalised at ${level}; ` +
    `this version supports ${rangeText({ min, max })}`;
  return {
    features: { supported, finalizedEpoch: item.version, finalized },
    level,
    fault: isCovered ? undefined : fault,
  };
}

/** `1`, or `1 to 2`. */
export function rangeText({ min, max }: SupportedVersions): string {
  return min === max ? `${min}` : `${min} to ${max}`;
}
