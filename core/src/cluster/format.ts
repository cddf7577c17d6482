import type { Item, ItemValue } from "../ports/metadata-store.ts";

/** The layout of metadata and data directory that this version reads and writes. */
export const formatVersion = 1;

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
