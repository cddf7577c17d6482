/** Which changes of credentials are taken (KIP-554). */
import type { Hashing } from "../ports/hashing.ts";
import type { Credential, User } from "./credentials.ts";
import {
  saltBytesMax,
  scramIterationsMax,
  scramIterationsMin,
  userNameCharactersMax,
} from "./limits.ts";
import { type ScramMechanism, scramMechanismOf, scramTraits } from "./mechanisms.ts";
import { type SaltedPassword, scramKeys } from "./scram.ts";

/** As a client asks for it: `code` is Kafka's number of a mechanism. */
export type AskedCredentialChange =
  | { readonly kind: "delete"; readonly code: number }
  | ({ readonly kind: "set"; readonly code: number } & SaltedPassword);

export type CredentialChange =
  | { readonly kind: "delete"; readonly mechanism: ScramMechanism }
  | ({ readonly kind: "set"; readonly mechanism: ScramMechanism } & SaltedPassword);

/** Why not, in Kafka's words where it has any. */
export interface CredentialRefusal {
  readonly kind: "refused";
  readonly reason: "unacceptable" | "unknownMechanism" | "absent" | "tooManyUsers";
  readonly message: string;
}

export type CheckedChange =
  | { readonly kind: "ok"; readonly change: CredentialChange }
  | CredentialRefusal;

/** What can be said of a change without knowing the user. */
export function checkChange(name: string, asked: AskedCredentialChange): CheckedChange {
  const fault = userNameFault(name);
  if (fault !== undefined) return fault;
  const { code, ...rest } = asked;
  const mechanism = scramMechanismOf(code);
  if (mechanism === undefined) {
    return { kind: "refused", reason: "unknownMechanism", message: "Unknown SCRAM mechanism" };
  }
  if (rest.kind === "delete") return { kind: "ok", change: { ...rest, mechanism } };
  const { iterations, salt, saltedPassword } = rest;
  if (iterations < scramIterationsMin) return unacceptable("Too few iterations");
  if (iterations > scramIterationsMax) return unacceptable("Too many iterations");
  if (salt.length === 0 || salt.length > saltBytesMax) {
    return unacceptable(`A salt must have 1 to ${saltBytesMax} bytes`);
  }
  if (saltedPassword.length !== scramTraits[mechanism].hashBytes) {
    return unacceptable(`Not a salted password of ${mechanism}`);
  }
  return { kind: "ok", change: { ...rest, mechanism } };
}

/** Why there can be no user of this name, if so. */
export function userNameFault(name: string): CredentialRefusal | undefined {
  if (name === "") return unacceptable("Username must not be empty");
  if (name.length <= userNameCharactersMax) return undefined;
  return unacceptable(`Username must not have more than ${userNameCharactersMax} characters`);
}

/** The user after the change. `newStamp` is for a credential that was not there. */
export function changedUser(
  hashing: Hashing,
  before: User,
  change: CredentialChange,
  newStamp: string,
): { readonly kind: "changed"; readonly user: User } | CredentialRefusal {
  const { mechanism } = change;
  const credentials = new Map<ScramMechanism, Credential>(before.credentials);
  if (change.kind === "delete") {
    if (!credentials.delete(mechanism)) {
      const message = "Attempt to delete a user credential that does not exist";
      return { kind: "refused", reason: "absent", message };
    }
  } else {
    const stamp = credentials.get(mechanism)?.stamp ?? newStamp;
    credentials.set(mechanism, { keys: scramKeys(hashing, mechanism, change), stamp });
  }
  return { kind: "changed", user: { name: before.name, credentials } };
}

function unacceptable(message: string): CredentialRefusal {
  return { kind: "refused", reason: "unacceptable", message };
}
