/**
 * What Kafka clients log in with: a user of the cluster with a name for people. The name and its id
 * are an item beside the user's in the cluster's own store, `control/credential/{id}`; so they go
 * with the cluster. The secret is hashed as every user's password is, and stored nowhere.
 */
import { keys, keysUnder, type MetadataStore } from "@millrace/core";
import type { ClusterRecord } from "../clusters/cluster-record.ts";
import type { Attempt } from "../idempotency/attempt.ts";
import { credentialsMax } from "../limits.ts";
import { ControlStore } from "../operations/control-store.ts";
import type { ClusterAccess } from "../ports/cluster-access.ts";
import type { Credential, CreatedCredential } from "../schemas/access.ts";
import { UserChanges, type UserChangesDependencies } from "./user-changes.ts";

const prefix = "control/credential";

export interface CredentialsDependencies extends Omit<UserChangesDependencies, "store"> {
  readonly access: Pick<ClusterAccess, "metadata" | "usersChanged">;
}

export class Credentials {
  readonly #deps: CredentialsDependencies;

  constructor(deps: CredentialsDependencies) {
    this.#deps = deps;
  }

  /** Throws MetadataError. */
  async create(
    cluster: ClusterRecord,
    name: string,
    attempt: Attempt,
  ): Promise<CreatedCredential | "tooMany"> {
    const store = await this.#deps.access.metadata(cluster);
    const secret = attempt.secret();
    if (await this.#isFull(store)) return "tooMany";
    const id = attempt.newId("cr");
    const username = usernameOf(id);
    const createdAt = new Date(attempt.startedMs).toISOString();
    const credential: Credential = { id, name, username, createdAt };
    const login = { username, password: secret };
    const companion = { key: `${prefix}/${id}`, value: { ...credential } };
    // An id is never made twice but by the tries of one request, which know the same secret.
    await new UserChanges({ ...this.#deps, store }).add(login, companion);
    await this.#deps.access.usersChanged(cluster, [keys.user(username)]);
    return { ...credential, secret };
  }

  /** By age. Throws MetadataError. */
  async list(
    cluster: ClusterRecord,
    page: { readonly limit: number; readonly after: string | undefined },
  ): Promise<{ readonly items: readonly Credential[]; readonly next: string | undefined }> {
    const store = await this.#deps.access.metadata(cluster);
    const range = keysUnder(prefix, page.limit);
    // "!" is the first character of keys: the next key after this one.
    const from = page.after === undefined ? range.from : `${prefix}/${page.after}!`;
    const found = await new ControlStore({ ...this.#deps, store }).range({ ...range, from });
    const items = found.items.map(({ value }) => value as unknown as Credential);
    return { items, next: found.next === undefined ? undefined : items.at(-1)?.id };
  }

  /** Throws MetadataError. */
  async delete(cluster: ClusterRecord, id: string): Promise<"removed" | "absent"> {
    const store = await this.#deps.access.metadata(cluster);
    const username = usernameOf(id);
    const changes = new UserChanges({ ...this.#deps, store });
    const outcome = await changes.remove(username, `${prefix}/${id}`);
    if (outcome === "removed") {
      await this.#deps.access.usersChanged(cluster, [keys.user(username)]);
    }
    return outcome;
  }

  /** Counted, not kept: two at once may exceed it by one, which harms nobody. */
  async #isFull(store: MetadataStore): Promise<boolean> {
    const control = new ControlStore({ ...this.#deps, store });
    let count = 0;
    let from: string | undefined = keysUnder(prefix, credentialsMax).from;
    while (from !== undefined && count < credentialsMax) {
      const page = await control.range({ ...keysUnder(prefix, credentialsMax), from });
      count += page.items.length;
      from = page.next;
    }
    return count >= credentialsMax;
  }
}

/** Of the credential with this id. */
function usernameOf(id: string): string {
  return `mk-${id.slice("cr_".length)}`;
}
