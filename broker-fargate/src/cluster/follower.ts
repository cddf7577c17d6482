import {
  type Catalog,
  changedSince,
  keys,
  keysUnder,
  MetadataError,
  readTopic,
  readVersion,
  type SeenVersion,
  type StoredTopic,
  type Topic,
  type TopicId,
  topicNameFault,
} from "@millrace/core";
import type { ConfigScope, DynamicConfigs } from "./dynamic-configs.ts";
import { confirmedMissesMax, followedTopicsInFlightMax } from "./limits.ts";
import { read, readAll, type StoreAccess } from "./persist.ts";
import type { Topics } from "./topics.ts";
import type { Users } from "./users.ts";

export interface FollowerDependencies extends StoreAccess {
  readonly catalog: Catalog;
  readonly topics: Pick<Topics, "follow">;
  readonly configs: Pick<DynamicConfigs, "follow" | "key">;
  readonly users: Pick<Users, "follow" | "followAll">;
  /** Reads the finalised features again. Throws MetadataError. */
  readonly followFeatures: () => Promise<void>;
  /** The version that was read before the catalog was. */
  readonly version: number;
}

const pageItems = 1000;

/**
 * Keeps topics, users, configs and features as the other brokers change them (ownership rule 17): told of
 * a newer version, it reads what changed since the one that it has followed. Changes of this very
 * broker are known already, and are not told twice: `Topics` and `DynamicConfigs` take only what
 * differs from what they know, one after another with their own changes.
 *
 * What it has followed is at least as new as `version` says. A reading that fails is not followed:
 * the next poll finds the same version and begins again.
 */
export class Follower {
  readonly #deps: FollowerDependencies;
  #version: number;
  #following: Promise<void> | undefined;
  /** What was asked for, and was not there at this version. */
  readonly #missing = new Set<string>();
  /** A look at the version that has not begun yet: all who ask now share it. */
  #nextLook: Promise<void> | undefined;
  #look: Promise<void> = Promise.resolve();

  constructor(deps: FollowerDependencies) {
    this.#deps = deps;
    this.#version = deps.version;
  }

  /** Every change up to this version is known. */
  get version(): number {
    return this.#version;
  }

  /** Misses that are answered from memory until the version moves. */
  get confirmedMisses(): number {
    return this.#missing.size;
  }

  /**
   * Reads what changed up to the version that was seen. Calls during a reading wait for it, and read
   * again if it did not get so far. Throws MetadataError.
   */
  async follow(seen: SeenVersion): Promise<void> {
    while (seen.version > this.#version) {
      this.#following ??= this.#read(seen).finally(() => {
        this.#following = undefined;
      });
      await this.#following;
    }
  }

  /** As `follow`; a store that does not answer is asked again at the next poll. */
  followSoon(seen: SeenVersion): void {
    this.follow(seen).catch((error: unknown) => {
      if (!(error instanceof MetadataError)) throw error;
    });
  }

  /**
   * The topic that memory does not have: a strong read that begins after the call decides, shared by
   * all who ask at the same time. `undefined`: there is none, and until the version moves the next
   * one who asks is told so without a read. Throws MetadataError.
   */
  async confirmMissing(
    asked: { readonly name: string } | { readonly id: TopicId },
  ): Promise<Topic | undefined> {
    const known = this.#find(asked);
    if (known !== undefined) return known;
    const isName = "name" in asked;
    if (isName && topicNameFault(asked.name) !== undefined) return undefined;
    const key = isName ? `name/${asked.name}` : `id/${asked.id}`;
    if (this.#missing.has(key)) return undefined;
    await this.lookNow();
    const found = this.#find(asked);
    if (found !== undefined) return found;
    if (this.#missing.size >= confirmedMissesMax) this.#missing.clear();
    this.#missing.add(key);
    return undefined;
  }

  /** Follows the version that a strong read finds which begins after the call. */
  lookNow(): Promise<void> {
    this.#nextLook ??= this.#look
      .catch(() => undefined)
      .then(() => {
        this.#nextLook = undefined;
        this.#look = this.#lookOnce();
        return this.#look;
      });
    return this.#nextLook;
  }

  async #lookOnce(): Promise<void> {
    await this.follow(readVersion(await read(this.#deps, keys.version)));
  }

  #find(asked: { readonly name: string } | { readonly id: TopicId }): Topic | undefined {
    const { catalog } = this.#deps;
    return "name" in asked ? catalog.byName(asked.name) : catalog.byId(asked.id);
  }

  async #read(seen: SeenVersion): Promise<void> {
    const changed = changedSince(this.#version, seen);
    if (changed === undefined) await this.#readEverything();
    else await this.#readChanged(changed);
    this.#version = seen.version;
    this.#missing.clear();
  }

  async #readChanged(changed: readonly string[]): Promise<void> {
    const topics: string[] = [];
    for (const key of changed) {
      if (key.startsWith("topic/")) topics.push(nameOf(key));
      if (key.startsWith("user/")) await this.#deps.users.follow(key);
      if (key === keys.features) await this.#deps.followFeatures();
      for (const scope of scopes) {
        if (key === this.#deps.configs.key(scope)) await this.#deps.configs.follow(scope);
      }
    }
    await this.#followTopics(topics);
  }

  async #readEverything(): Promise<void> {
    const { catalog, configs, followFeatures, users } = this.#deps;
    await followFeatures();
    await users.followAll();
    for (const scope of scopes) await configs.follow(scope);
    const found = new Map<string, StoredTopic>();
    for await (const item of readAll(this.#deps, keysUnder("topic", pageItems))) {
      const stored = readTopic(item);
      found.set(stored.topic.name, stored);
    }
    const gone = catalog.list().filter(({ name }) => !found.has(name));
    await this.#followTopics(gone.map(({ name }) => name));
    const others = [...found.values()].filter(({ topic, stamp }) => {
      return catalog.stored(topic.name)?.stamp !== stamp;
    });
    await this.#followTopics(others.map(({ topic }) => topic.name));
  }

  /** Each is read in the order of its own changes: what the range said may be older than those. */
  async #followTopics(names: readonly string[]): Promise<void> {
    const waiting = [...names];
    const one = async (): Promise<void> => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
        await this.#deps.topics.follow(name);
      }
    };
    await Promise.all(Array.from({ length: followedTopicsInFlightMax }, one));
  }
}

const scopes: readonly ConfigScope[] = ["cluster", "broker"];

/** Topic names that may be made consist of characters that stand for themselves in keys. */
function nameOf(key: string): string {
  return key.slice(key.indexOf("/") + 1);
}
