import type { Consistency } from "./metadata-store.ts";

/**
 * What DynamoDB bills for a metadata store on demand, in its request units. By AWS's description of
 * read and write request units: a read is one unit for each 4 KB of what it finds, half of that
 * eventually; a write one for each KB of the larger of what it finds and leaves; in a transaction
 * twice as much, a check included; what is refused is billed as well.
 */
export interface ConsumedUnits {
  readonly operation: MetadataOperation;
  readonly kind: "read" | "write";
  readonly units: number;
}

/** `put`: one value over a known state, by itself. */
export type MetadataOperation = "get" | "range" | "put" | "transact";

export type OnConsumed = (consumed: ConsumedUnits) => void;

/** About an item's bytes as they are billed. */
export function billedBytes(item: { readonly key: string; readonly jsonBytes: number }): number {
  return 2 * item.key.length + attributeBytes + item.jsonBytes;
}

/** The names of an item's attributes, its version, epoch and write id. */
const attributeBytes = 70;

export function readUnits(bytes: number, consistency: Consistency = "strong"): number {
  const units = Math.max(1, Math.ceil(bytes / 4096));
  return consistency === "strong" ? units : units / 2;
}

/** Of one item, outside of a transaction. */
export function writeUnits(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / 1024));
}
