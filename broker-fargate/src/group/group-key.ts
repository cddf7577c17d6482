import { createHash } from "node:crypto";
import { keyNameBytesMax } from "./limits.ts";

const hashedPrefix = "%sha256%";

/**
 * The name under which a group's items are stored: its id, or, where the id would make a key too
 * long, a hash of it. An id that looks like such a name is hashed too, so that no two groups meet.
 */
export function groupKeyName(groupId: string): string {
  if (!groupId.startsWith(hashedPrefix) && keyBytes(groupId) <= keyNameBytesMax) return groupId;
  return hashedPrefix + createHash("sha256").update(groupId, "utf8").digest("hex");
}

/** An upper bound: a character that keys do not take as it is becomes five bytes. */
function keyBytes(groupId: string): number {
  const plain = /^[A-Za-z0-9._-]*$/.test(groupId);
  return plain ? groupId.length : 5 * groupId.length;
}
