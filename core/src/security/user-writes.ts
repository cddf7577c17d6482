import { keys } from "../cluster/keys.ts";
import { versionMoved } from "../cluster/version-item.ts";
import type { Write } from "../ports/metadata-store.ts";
import { type StoredUser, type User, userItem } from "./credentials.ts";

/**
 * The writes of one transaction that changes a user, whoever makes it: a broker, or the control plane
 * without one. They hold only if the user is still as it was `before` (undefined: not there). The
 * version item moves with them, so that every broker follows. Without credentials the user goes.
 */
export function userWrites(before: StoredUser | undefined, after: User): readonly Write[] {
  const key = keys.user(after.name);
  const condition: Write["condition"] =
    before === undefined ? { is: "absent" } : { is: "version", version: before.version };
  const write: Write =
    after.credentials.size === 0
      ? { kind: "delete", key, condition }
      : { kind: "put", key, value: userItem(after), condition };
  return [write, versionMoved([key])];
}
