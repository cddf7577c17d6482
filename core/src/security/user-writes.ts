import { keys } from "../cluster/keys.ts";
import { versionMoved } from "../cluster/version-item.ts";
import type { Write } from "../ports/metadata-store.ts";
import { type StoredUser, type User, userItem } from "./credentials.ts";

/** The item that moves with every deletion of a user, as it was read: its version, 0 without one. */
export interface SeenUserDeletions {
  readonly version: number;
}

/**
 * The writes of one transaction that changes a user, whoever makes it: a broker, or the control plane
 * without one. They hold only if the user is still as it was `before` (undefined: not there). The
 * version item moves with them, so that every broker follows. Without credentials the user goes.
 *
 * A user that is deleted may be made anew, and begins with version 1 again. With `seen`, which was
 * read before the user was, they hold only if no user was deleted since: a change that was given up,
 * and takes effect late, neither brings one back nor meets another one of its name.
 */
export function userWrites(
  before: StoredUser | undefined,
  after: User,
  seen?: SeenUserDeletions,
): readonly Write[] {
  const key = keys.user(after.name);
  const isGone = after.credentials.size === 0;
  const condition = asRead(before?.version ?? 0);
  const write: Write = isGone
    ? { kind: "delete", key, condition }
    : { kind: "put", key, value: userItem(after), condition };
  return [write, versionMoved([key]), ...deletionsWrites(isGone, seen)];
}

function deletionsWrites(isGone: boolean, seen: SeenUserDeletions | undefined): readonly Write[] {
  const key = keys.userDeletions;
  if (seen === undefined) return isGone ? [{ kind: "put", key, value: {} }] : [];
  const condition = asRead(seen.version);
  return [isGone ? { kind: "put", key, value: {}, condition } : { kind: "check", key, condition }];
}

function asRead(version: number): NonNullable<Write["condition"]> {
  return version === 0 ? { is: "absent" } : { is: "version", version };
}
