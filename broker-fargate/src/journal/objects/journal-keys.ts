import type { IncarnationId } from "@millrace/core";

/** Keys of journals in the object store. Nothing but rule 8's deletion may touch them. */

/** The journal of an incarnation. */
export function journalPrefix(cluster: string, incarnation: IncarnationId): string {
  return `${journalRoot(cluster)}${incarnation}/`;
}

/** Of all incarnations. */
export function journalRoot(cluster: string): string {
  return `${cluster}/journal/`;
}

/** The object, or the fence, of a seq. */
export function journalKey(cluster: string, incarnation: IncarnationId, seq: number): string {
  return `${journalPrefix(cluster, incarnation)}${String(seq).padStart(20, "0")}`;
}
