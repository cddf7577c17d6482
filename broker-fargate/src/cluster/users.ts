import {
  type CredentialRefusal,
  isSameUser,
  type Item,
  keys,
  keysUnder,
  MetadataError,
  readUser,
  type ScramMechanism,
  type SeenUserDeletions,
  type StoredUser,
  unescapedName,
  type User,
  userItem,
  usersMax,
  userWrites,
} from "@millrace/core";
import { KeyedQueue } from "./keyed-queue.ts";
import { hexOf } from "./open-cluster.ts";
import type { OwnWrites } from "./own-writes.ts";
import { read, readAll, type StoreAccess } from "./persist.ts";
import type { OtherBrokers, Unavailable } from "./topics.ts";

export type UserOutcome = { readonly kind: "done" } | CredentialRefusal | Unavailable;

/** Makes the user after a change from the one before, who may have no credentials. */
export type UserChange = (
  before: User,
  newStamp: string,
) => { readonly kind: "changed"; readonly user: User } | CredentialRefusal;

/** A credential that was deleted: what was logged in by it is to end. */
export interface GoneCredential {
  readonly user: string;
  readonly mechanism: ScramMechanism;
}

export interface UsersDependencies extends StoreAccess {
  /** Follows what other brokers changed before the call. Throws MetadataError. */
  readonly lookNow: () => Promise<void>;
  readonly own: Pick<OwnWrites, "transact" | "settled">;
  /** Absent: nobody else changes users. */
  readonly others?: OtherBrokers;
}

const pageItems = 1000;
const stampBytes = 16;

/**
 * The users and their credentials: one item each, and all of them in memory, because a login must
 * not wait for the store. A change is a conditional write, moves the version, and is in force on all
 * brokers that answer when its promise resolves; a broker that follows late is at most a look late.
 */
export class Users {
  readonly #deps: UsersDependencies;
  readonly #stored = new Map<string, StoredUser>();
  readonly #queue = new KeyedQueue();
  /** Of changes that were refused once, all under one key. */
  readonly #refused = new KeyedQueue();
  readonly #listeners = new Set<(gone: GoneCredential) => void>();

  /** `known` is how the store has them at the start. */
  constructor(deps: UsersDependencies, known: readonly StoredUser[]) {
    this.#deps = deps;
    for (const stored of known) this.#stored.set(stored.user.name, stored);
  }

  get size(): number {
    return this.#stored.size;
  }

  find(name: string): User | undefined {
    return this.#stored.get(name)?.user;
  }

  /** By name. */
  list(): readonly User[] {
    return [...this.#stored.values()]
      .map(({ user }) => user)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * A miss is looked for once more, after what others changed before the call. Throws MetadataError.
   */
  async confirm(name: string, mechanism: ScramMechanism): Promise<User | undefined> {
    if (this.find(name)?.credentials.has(mechanism) !== true) await this.#deps.lookNow();
    return this.find(name);
  }

  /** `change` is called again, on what is then there, if another writer was faster. */
  change(name: string, change: UserChange): Promise<UserOutcome> {
    return this.#queue.run(name, async () => {
      try {
        const outcome = await this.#perform(name, change);
        if (outcome.kind === "done") await this.#deps.others?.haveSeen();
        return outcome;
      } catch (error) {
        if (!(error instanceof MetadataError)) throw error;
        if (error.applied === "maybe") this.#followLater(name);
        return { kind: "unavailable", error };
      }
    });
  }

  /** Takes over what the store holds under a key of a user. Throws MetadataError. */
  follow(key: string): Promise<void> {
    const name = unescapedName(key.slice(key.indexOf("/") + 1));
    return this.#queue.run(name, () => this.#follow(name));
  }

  /** Takes over every user that the store holds. Throws MetadataError. */
  async followAll(): Promise<void> {
    const found = new Set<string>();
    for await (const item of readAll(this.#deps, keysUnder("user", pageItems))) {
      const stored = readUser(item);
      const { name } = stored.user;
      found.add(name);
      const known = this.#stored.get(name);
      if (known !== undefined && isSameUser(known, stored)) continue;
      // Read again in the order of its own changes: what the range said may be older than those.
      await this.follow(keys.user(name));
    }
    const gone = [...this.#stored.keys()].filter((name) => !found.has(name));
    for (const name of gone) await this.follow(keys.user(name));
  }

  /** Called after each deletion of a credential; returns how to stop that. */
  onGone(listener: (gone: GoneCredential) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Each deletion refuses all changes beside it: those come one after another then, or of many
   * deletions all would be tried again for every one that is made.
   */
  async #perform(name: string, change: UserChange): Promise<UserOutcome> {
    const first = await this.#try(name, change);
    if (first !== "refused") return first;
    return this.#refused.run("", async () => {
      for (;;) {
        const next = await this.#try(name, change);
        if (next !== "refused") return next;
      }
    });
  }

  /** `refused`: by the store, since another writer was faster. */
  async #try(name: string, change: UserChange): Promise<UserOutcome | "refused"> {
    const key = keys.user(name);
    const seen = await this.#learnOthers(name);
    const before = this.#stored.get(name);
    const user = before?.user ?? { name, credentials: new Map() };
    const changed = change(user, hexOf(this.#deps.random.bytes(stampBytes)));
    if (changed.kind === "refused") return changed;
    if (before === undefined && this.size >= usersMax) return tooManyUsers;
    const written = changed.user;
    const isGone = written.credentials.size === 0;
    const writes = userWrites(before, written, seen);
    const outcome = await this.#deps.own.transact(writes, (refused) => {
      const own = refused.find((entry) => entry.key === key);
      // Only that others were deleted meanwhile.
      if (own === undefined) return false;
      if (own.found === undefined || isGone) return isGone && own.found === undefined;
      return JSON.stringify(own.found.value) === JSON.stringify(userItem(written));
    });
    if (outcome.ok) {
      const version = (before?.version ?? 0) + 1;
      this.#replace(name, isGone ? undefined : { user: written, version });
      return { kind: "done" };
    }
    await this.#follow(name);
    return "refused";
  }

  /** Another broker may have changed it a moment ago: first what keeps its late changes out. */
  async #learnOthers(name: string): Promise<SeenUserDeletions | undefined> {
    if (this.#deps.others === undefined) return undefined;
    const deletions = await read(this.#deps, keys.userDeletions);
    await this.#follow(name);
    return { version: deletions?.version ?? 0 };
  }

  async #follow(name: string): Promise<void> {
    this.#take(name, await read(this.#deps, keys.user(name)));
  }

  #take(name: string, item: Item | undefined): void {
    this.#replace(name, item === undefined ? undefined : readUser(item));
  }

  #replace(name: string, after: StoredUser | undefined): void {
    const before = this.#stored.get(name);
    if (after === undefined) this.#stored.delete(name);
    else this.#stored.set(name, after);
    for (const [mechanism, { stamp }] of before?.user.credentials ?? []) {
      if (after?.user.credentials.get(mechanism)?.stamp === stamp) continue;
      for (const listener of this.#listeners) listener({ user: name, mechanism });
    }
  }

  /**
   * After a change of unknown outcome: reads, when it can't be made any more, until the store
   * answers, so that memory is right.
   */
  #followLater(name: string): void {
    this.#deps.clock.after(followAgainMs, () => {
      const settled = this.#deps.own.settled().then(() => this.follow(keys.user(name)));
      void settled.catch((error: unknown) => {
        if (!(error instanceof MetadataError)) throw error;
        this.#followLater(name);
      });
    });
  }
}

const followAgainMs = 1000;

const tooManyUsers: CredentialRefusal = {
  kind: "refused",
  reason: "tooManyUsers",
  message: `There may be ${usersMax} users at most.`,
};
