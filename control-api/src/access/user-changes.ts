/**
 * Users of a cluster, written straight into its metadata store: no broker is asked. What goes with a
 * user (a credential's name, a login's age) is one more item in the same transaction.
 */
import {
  type Clock,
  type Credential,
  type Hashing,
  type Item,
  type ItemValue,
  keys,
  MetadataError,
  type MetadataStore,
  type Random,
  readUser,
  type ScramMechanism,
  scramIterationsMin,
  scramKeys,
  scramMechanisms,
  stretched,
  type User,
  userItem,
  userWrites,
} from "@millrace/core";
import { ControlStore } from "../operations/control-store.ts";
import { urlText } from "../text.ts";

export interface UserChangesDependencies {
  /** The cluster's. */
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly hashing: Hashing;
}

const saltBytes = 24;
const stampBytes = 16;
/** How often a user is added again because another one was removed meanwhile. */
const addRoundsMax = 20;

/** Something that is written, or goes, together with its user. */
export interface Companion {
  readonly key: string;
  readonly value: ItemValue;
}

export class UserChanges {
  readonly #deps: UserChangesDependencies;
  readonly #store: ControlStore;

  constructor(deps: UserChangesDependencies) {
    this.#deps = deps;
    this.#store = new ControlStore(deps);
  }

  /**
   * `exists`: the companion, or the user, is there already. A try without an answer that takes effect
   * after the user was removed again is refused: it has not seen that. Throws MetadataError.
   */
  async add(
    login: { readonly username: string; readonly password: string },
    companion: Companion,
  ): Promise<"added" | "exists"> {
    const user = await this.#userOf(login);
    const isThere = { kind: "put", ...companion, condition: { is: "absent" } } as const;
    // Its stamps are no other's.
    const written = JSON.stringify(userItem(user));
    const isOurs = (found: Item | undefined): boolean => JSON.stringify(found?.value) === written;
    for (let round = 0; round < addRoundsMax; round += 1) {
      const seen = await this.#store.get(keys.userDeletions);
      const outcome = await this.#store.transact(
        [...userWrites(undefined, user, { version: seen?.version ?? 0 }), isThere],
        (refused) => refused.some(({ found }) => isOurs(found)),
      );
      if (outcome === "written") return "added";
      const found = await this.#store.get(keys.user(user.name));
      // By a try before, without an answer.
      if (isOurs(found)) return "added";
      const isTaken = found ?? (await this.#store.get(companion.key));
      if (isTaken !== undefined) return "exists";
      // Only another user was removed meanwhile.
    }
    throw new MetadataError("users are removed all the time", { retriable: true, applied: "no" });
  }

  /** Removes the user, whoever changed it meanwhile, and its companion. Throws MetadataError. */
  async remove(username: string, companionKey: string): Promise<"removed" | "absent"> {
    for (;;) {
      const companion = await this.#store.get(companionKey);
      if (companion === undefined) return "absent";
      const item = await this.#store.get(keys.user(username));
      const gone: User = { name: username, credentials: new Map() };
      const writes = item === undefined ? [] : userWrites(readUser(item), gone);
      const condition = { is: "version", version: companion.version } as const;
      const outcome = await this.#store.transact(
        [...writes, { kind: "delete", key: companionKey, condition }],
        async () => (await this.#store.get(companionKey)) === undefined,
      );
      if (outcome === "written") return "removed";
    }
  }

  async #userOf(login: { readonly username: string; readonly password: string }): Promise<User> {
    const { hashing, random } = this.#deps;
    const credentials = new Map<ScramMechanism, Credential>();
    for (const mechanism of scramMechanisms) {
      const salt = random.bytes(saltBytes);
      const secret = { password: login.password, salt, iterations: scramIterationsMin };
      const saltedPassword = await stretched(hashing, mechanism, secret);
      const made = scramKeys(hashing, mechanism, { ...secret, saltedPassword });
      credentials.set(mechanism, { keys: made, stamp: urlText(random.bytes(stampBytes)) });
    }
    return { name: login.username, credentials };
  }
}
