import type { Item, ItemValue } from "../ports/metadata-store.ts";
import { UnreadableItemError } from "./topic.ts";

/** The layout of metadata and data directory that this version reads and writes. */
export const formatVersion = 1;
/** The values of the feature `millrace.version` that this version can work under. */
export const supportedMillraceVersions: { readonly min: number; readonly max: number } = {
  min: 1,
  max: 1,
};

/** What a cluster is from its first start to its end. */
export interface ClusterFormat {
  readonly version: number;
  /** 22 characters of base64url, as Kafka's. */
  readonly clusterId: string;
  readonly slots: number;
}

export function formatItem(format: ClusterFormat): ItemValue {
  return { version: format.version, clusterId: format.clusterId, slots: format.slots };
}

export type ReadFormat =
  | { readonly ok: true; readonly format: ClusterFormat }
  | { readonly ok: false; readonly message: string };

/** Reads the format, or says in a sentence for the operator why this version must not start. */
export function readFormat(item: Item): ReadFormat {
  const { version, clusterId, slots } = item.value;
  if (typeof version !== "number") {
    return { ok: false, message: "the data directory's format has no version" };
  }
  if (version > formatVersion) {
    return {
      ok: false,
      message:
        `the data directory has format ${version}, which this version of Millrace ` +
        `(format ${formatVersion}) cannot read: start it with a newer version`,
    };
  }
  if (version < 1 || typeof clusterId !== "string" || typeof slots !== "number" || slots < 1) {
    return { ok: false, message: `the data directory's format ${version} is damaged` };
  }
  return { ok: true, format: { version, clusterId, slots } };
}

/** Levels that this version can work under, inclusive (KIP-584). */
export interface SupportedFeature {
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
}

/** The level that every broker of the cluster has agreed to write. */
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

export function initialFeatures(): ItemValue {
  return { [millraceVersionFeature]: supportedMillraceVersions.max };
}

export type ReadFeatures =
  | { readonly ok: true; readonly features: Features }
  | { readonly ok: false; readonly message: string };

/** Reads the features, or says why a broker of this version may take no slot. */
export function readFeatures(item: Item): ReadFeatures {
  const { min, max } = supportedMillraceVersions;
  const finalized: FinalizedFeature[] = [];
  for (const [name, level] of Object.entries(item.value)) {
    if (typeof level !== "number") throw new UnreadableItemError(item.key, `${name} has no level`);
    finalized.push({ name, minVersionLevel: min, maxVersionLevel: level });
  }
  const own = finalized.find((feature) => feature.name === millraceVersionFeature);
  const level = own?.maxVersionLevel ?? 0;
  if (level < min || level > max) {
    const range = min === max ? `${min}` : `${min} to ${max}`;
    return {
      ok: false,
      message: `${millraceVersionFeature} is finalised at ${level}; this version supports ${range}`,
    };
  }
  const supported = [{ name: millraceVersionFeature, minVersion: min, maxVersion: max }];
  return { ok: true, features: { supported, finalizedEpoch: item.version, finalized } };
}
