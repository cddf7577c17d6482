/**
 * A user's credentials as they are stored: for each mechanism what SCRAM needs to check a password,
 * never the password. One item for each user, `user/{name}`; a user without credentials has none.
 */
import { UnreadableItemError } from "../cluster/unreadable-item.ts";
import type { Item, ItemValue, JsonValue } from "../ports/metadata-store.ts";
import { type ScramMechanism, scramMechanisms } from "./mechanisms.ts";
import type { ScramKeys } from "./scram.ts";
import { base64Bytes, base64Text } from "./text-bytes.ts";

export interface Credential {
  readonly keys: ScramKeys;
  /**
   * Of the moment since when the user has had a credential for the mechanism: a new password keeps
   * it. Another one says that the credential was deleted in between.
   */
  readonly stamp: string;
}

export interface User {
  readonly name: string;
  readonly credentials: ReadonlyMap<ScramMechanism, Credential>;
}

/** A user with what a conditional write of its item needs. */
export interface StoredUser {
  readonly user: User;
  readonly version: number;
}

export function userItem({ name, credentials }: User): ItemValue {
  const byMechanism: Record<string, JsonValue> = {};
  for (const mechanism of scramMechanisms) {
    const credential = credentials.get(mechanism);
    if (credential === undefined) continue;
    const { iterations, salt, serverKey, storedKey } = credential.keys;
    byMechanism[mechanism] = {
      ...{ iterations, salt: base64Text(salt), stamp: credential.stamp },
      storedKey: base64Text(storedKey),
      serverKey: base64Text(serverKey),
    };
  }
  return { name, credentials: byMechanism };
}

export function isSameUser(left: StoredUser, right: StoredUser): boolean {
  if (left.version !== right.version) return false;
  return JSON.stringify(userItem(left.user)) === JSON.stringify(userItem(right.user));
}

/** Throws UnreadableItemError. */
export function readUser(item: Item): StoredUser {
  const { name, credentials } = item.value;
  if (typeof name !== "string" || !isRecord(credentials)) {
    throw new UnreadableItemError(item.key, "name or credentials is missing");
  }
  const found = new Map<ScramMechanism, Credential>();
  for (const mechanism of scramMechanisms) {
    const stored = credentials[mechanism];
    if (stored === undefined) continue;
    const credential = isRecord(stored) ? readCredential(stored) : undefined;
    if (credential === undefined) {
      throw new UnreadableItemError(item.key, `its ${mechanism} is not a credential`);
    }
    found.set(mechanism, credential);
  }
  return { user: { name, credentials: found }, version: item.version };
}

function readCredential(stored: ItemValue): Credential | undefined {
  const { iterations, stamp } = stored;
  const bytes = (value: JsonValue | undefined): Uint8Array | undefined =>
    typeof value === "string" ? base64Bytes(value) : undefined;
  const salt = bytes(stored["salt"]);
  const storedKey = bytes(stored["storedKey"]);
  const serverKey = bytes(stored["serverKey"]);
  if (salt === undefined || storedKey === undefined || serverKey === undefined) return undefined;
  if (typeof iterations !== "number" || typeof stamp !== "string") return undefined;
  return { keys: { salt, iterations, storedKey, serverKey }, stamp };
}

function isRecord(value: JsonValue | undefined): value is ItemValue {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
