import {
  type Catalog,
  type CatalogView,
  type ChangeDecision,
  collisionKey,
  type ConfigChange,
  type CreatePartitionsRequest,
  type CreateTopicRequest,
  decideCreatePartitions,
  decideCreateTopic,
  decideTopicConfigs,
  type IncarnationId,
  type Item,
  keys,
  keysUnder,
  MetadataError,
  readTopic,
  type Refused,
  refused,
  type StoredTopic,
  type Topic,
  type TopicId,
  topicId,
  topicItem,
  topicNameFault,
  type TopicRules,
  UnreadableItemError,
  versionMoved,
  type Write,
} from "@millrace/core";
import { KeyedQueue } from "./keyed-queue.ts";
import { hexOf } from "./open-cluster.ts";
import type { OwnWrites } from "./own-writes.ts";
import { read, readAll, type StoreAccess, transact } from "./persist.ts";
import { RecentDeletions } from "./recent-deletions.ts";

/** The store did not answer: the change may have happened, and will be seen if it did. */
export interface Unavailable {
  readonly kind: "unavailable";
  readonly error: MetadataError;
}

/** `decided`: it would have been done, but only the decision was asked for. */
export type TopicOutcome =
  | { readonly kind: "done"; readonly topic: Topic }
  | { readonly kind: "decided"; readonly topic: Topic }
  | Refused
  | Unavailable;

/** Whether a change is made, or only checked (`validateOnly` of Kafka's requests). */
export type Intent = "perform" | "check";

export type TopicChange =
  | { readonly kind: "created"; readonly topic: Topic }
  | { readonly kind: "changed"; readonly topic: Topic; readonly before: Topic }
  | { readonly kind: "deleted"; readonly topic: Topic };

/** A deleted topic of which data may still be there. */
export interface Deletion {
  readonly topicId: TopicId;
  readonly name: string;
  readonly partitionCount: number;
}

export interface TopicsDependencies extends StoreAccess {
  readonly catalog: Catalog;
  readonly incarnation: IncarnationId;
  readonly own: Pick<OwnWrites, "transact" | "settled">;
  readonly rules: () => TopicRules;
  readonly onChange: (change: TopicChange) => void;
  /** Absent: nobody else changes topics. */
  readonly others?: OtherBrokers;
}

/** The brokers beside this one, which change topics too. */
export interface OtherBrokers {
  /**
   * Resolves when every live broker has seen the changes that were made before the call, or after
   * a bounded wait; with whether no broker can change any more what it had not seen. Throws
   * MetadataError.
   */
  haveSeen(): Promise<boolean>;
}

type Done = "done" | "lost";
const absent = { is: "absent" } as const;
const unknownName = (name: string): Refused =>
  refused("unknownTopic", `The topic '${name}' does not exist.`);

/**
 * Changes of topics, decided on the catalog and performed on the store: the item's condition
 * decides, the catalog follows. Changes of one name run one after another, those of other names at
 * the same time. When a condition fails,
 * another broker was faster: the catalog takes what was found, and the decision is made again.
 *
 * Where there are other brokers, every change begins with a strong read of the topic, so that it is
 * not refused for what they have changed since, and a name that was deleted a moment ago is made
 * again only when they all know of the deletion (ownership rule 17).
 */
export class Topics {
  readonly #deps: TopicsDependencies;
  readonly #queue = new KeyedQueue();
  readonly #deleted: RecentDeletions;
  #writes = 0;
  /** What creations under way will add: bounds count it, or many at once would pass them. */
  #underWay = { topics: 0, partitions: 0 };

  constructor(deps: TopicsDependencies) {
    this.#deps = deps;
    this.#deleted = new RecentDeletions(deps.clock);
  }

  create(request: CreateTopicRequest, intent: Intent): Promise<TopicOutcome> {
    return this.#inOrder(request.name, async () => {
      await this.#learnOthers(request.name);
      if (intent === "perform") await this.#forgotten(request.name);
      for (;;) {
        const decision = decideCreateTopic(this.#view(), request, this.#deps.rules());
        if (decision.kind === "refused") return decision;
        const topic: Topic = { ...decision.topic, id: this.#newId() };
        if (intent === "check") return { kind: "decided", topic };
        const added = { topics: 1, partitions: topic.partitionCount };
        const done = await this.#counted(added, () => this.#put(topic, absent));
        if (done === "done") {
          this.#deps.onChange({ kind: "created", topic });
          return { kind: "done", topic };
        }
      }
    });
  }

  createPartitions(
    name: string,
    request: CreatePartitionsRequest,
    intent: Intent,
  ): Promise<TopicOutcome> {
    const decide = (topic: Topic): ChangeDecision => {
      const change = { request, rules: this.#deps.rules() };
      return decideCreatePartitions(this.#view(), topic, change);
    };
    return this.#change(name, decide, intent);
  }

  /** `change` makes the new configs from those that the topic has when the change's turn comes. */
  setConfigs(
    name: string,
    change: (before: ReadonlyMap<string, string>) => ConfigChange,
    intent: Intent,
  ): Promise<TopicOutcome> {
    const decide = (topic: Topic): ChangeDecision => {
      const changed = change(topic.configs);
      if (!changed.ok) return refused("invalidConfig", changed.message);
      return decideTopicConfigs(topic, changed.configs, this.#deps.rules());
    };
    return this.#change(name, decide, intent);
  }

  /**
   * With an `id`, only that topic, and not another that got its name since. Also writes down that
   * the topic's data is to be removed, until `forget` says that it was.
   */
  remove(name: string, id: TopicId | undefined): Promise<TopicOutcome> {
    return this.#inOrder(name, async () => {
      await this.#learnOthers(name);
      for (;;) {
        const stored = this.#deps.catalog.stored(name);
        const isMeant = id === undefined || stored?.topic.id === id;
        if (stored === undefined || !isMeant) return unknownName(name);
        if ((await this.#delete(stored)) === "done") {
          this.#deps.onChange({ kind: "deleted", topic: stored.topic });
          return { kind: "done", topic: stored.topic };
        }
      }
    });
  }

  /** Takes over what the store holds of a name, in the order of its changes. Throws MetadataError. */
  follow(name: string): Promise<void> {
    return this.#queue.run(collisionKey(name), async () => {
      this.#take(name, await read(this.#deps, keys.topic(name)));
    });
  }

  /** Topics whose data is still to be removed. */
  async deletions(): Promise<readonly Deletion[]> {
    const deletions: Deletion[] = [];
    for await (const item of readAll(this.#deps, keysUnder("deletion", 1000))) {
      deletions.push(readDeletion(item));
    }
    return deletions;
  }

  /** Throws MetadataError also where another broker may yet change what it takes for that topic. */
  async forget(id: TopicId): Promise<void> {
    if ((await this.#deps.others?.haveSeen()) === false) {
      const message = `a broker does not know yet that topic ${id} is deleted`;
      throw new MetadataError(message, { retriable: true, applied: "no" });
    }
    await transact(this.#deps, [{ kind: "delete", key: keys.deletion(id) }], () => true);
  }

  #change(
    name: string,
    decide: (topic: Topic) => ChangeDecision,
    intent: Intent,
  ): Promise<TopicOutcome> {
    return this.#inOrder(name, async () => {
      await this.#learnOthers(name);
      for (;;) {
        const stored = this.#deps.catalog.stored(name);
        if (stored === undefined) return unknownName(name);
        const decision = decide(stored.topic);
        if (decision.kind === "refused") return decision;
        const { topic } = decision;
        if (intent === "check") return { kind: "decided", topic };
        const condition = { is: "version", version: stored.version } as const;
        const partitions = topic.partitionCount - stored.topic.partitionCount;
        const added = { topics: 0, partitions };
        const done = await this.#counted(added, () => this.#put(topic, condition));
        if (done === "done") {
          this.#deps.onChange({ kind: "changed", topic, before: stored.topic });
          return { kind: "done", topic };
        }
      }
    });
  }

  #inOrder(name: string, task: () => Promise<TopicOutcome>): Promise<TopicOutcome> {
    // By what metrics see of the name, so that two names that collide are not both created.
    return this.#queue.run(collisionKey(name), async () => {
      try {
        return await task();
      } catch (error) {
        if (!(error instanceof MetadataError)) throw error;
        if (error.applied === "maybe") this.#followLater(name);
        return { kind: "unavailable", error };
      }
    });
  }

  #view(): CatalogView {
    const { catalog } = this.#deps;
    return {
      size: catalog.size + this.#underWay.topics,
      partitionCount: catalog.partitionCount + this.#underWay.partitions,
      byName: (name) => catalog.byName(name),
      collidingName: (name) => catalog.collidingName(name),
    };
  }

  async #counted(
    added: { readonly topics: number; readonly partitions: number },
    write: () => Promise<Done>,
  ): Promise<Done> {
    this.#underWay.topics += added.topics;
    this.#underWay.partitions += added.partitions;
    try {
      return await write();
    } finally {
      this.#underWay.topics -= added.topics;
      this.#underWay.partitions -= added.partitions;
    }
  }

  async #put(topic: Topic, condition: Write["condition"]): Promise<Done> {
    const key = keys.topic(topic.name);
    const stamp = this.#stamp();
    const value = topicItem(topic, stamp);
    const put: Write =
      condition === undefined
        ? { kind: "put", key, value }
        : { kind: "put", key, value, condition };
    let version = condition?.is === "version" ? condition.version + 1 : 1;
    const writes: readonly Write[] = [put, versionMoved([key]), ...this.#guard(topic, condition)];
    const outcome = await this.#deps.own.transact(writes, (found) => {
      const mine = found.find((entry) => entry.key === key)?.found;
      if (mine === undefined || readTopic(mine).stamp !== stamp) return false;
      version = mine.version;
      return true;
    });
    if (outcome.ok) {
      this.#deps.catalog.put({ topic, version, stamp });
      return "done";
    }
    const refused = outcome.refused.find((entry) => entry.key === key);
    this.#take(topic.name, refused === undefined ? await read(this.#deps, key) : refused.found);
    return "lost";
  }

  /**
   * A topic that was deleted and made again begins anew with version 1, which must not pass for the
   * former one's: the note of its deletion tells, until every broker knows of it, and has no change
   * under way that began before.
   */
  #guard({ id }: Topic, condition: Write["condition"]): readonly Write[] {
    if (this.#deps.others === undefined || condition?.is !== "version") return [];
    return [{ kind: "check", key: keys.deletion(id), condition: absent }];
  }

  async #delete({ topic, version }: StoredTopic): Promise<Done> {
    const key = keys.topic(topic.name);
    const deletion = { name: topic.name, partitions: topic.partitionCount };
    const writes: readonly Write[] = [
      { kind: "delete", key, condition: { is: "version", version } },
      { kind: "put", key: keys.deletion(topic.id), value: deletion, condition: absent },
      versionMoved([key]),
    ];
    // The note of the deletion is written with it, so finding the note proves the deletion.
    const noted = async (): Promise<boolean> =>
      (await read(this.#deps, keys.deletion(topic.id))) !== undefined;
    const outcome = await this.#deps.own.transact(writes, noted);
    if (outcome.ok) {
      this.#deps.catalog.remove(topic.name);
      this.#deleted.add(topic.name);
      return "done";
    }
    this.#take(topic.name, (await read(this.#deps, key)) ?? undefined);
    return "lost";
  }

  /** Takes over what the store holds of a name, and tells who listens if it is news. */
  #take(name: string, found: Item | undefined): void {
    const { catalog, onChange } = this.#deps;
    const before = catalog.stored(name);
    const after = found === undefined ? undefined : readTopic(found);
    if (before?.stamp === after?.stamp) return;
    if (after === undefined) catalog.remove(name);
    else catalog.put(after);
    const sameTopic = before?.topic.id === after?.topic.id;
    if (before !== undefined && !sameTopic) {
      this.#deleted.add(name);
      onChange({ kind: "deleted", topic: before.topic });
    }
    if (after === undefined) return;
    if (before !== undefined && sameTopic) {
      onChange({ kind: "changed", topic: after.topic, before: before.topic });
    } else {
      onChange({ kind: "created", topic: after.topic });
    }
  }

  async #learnOthers(name: string): Promise<void> {
    if (this.#deps.others === undefined || topicNameFault(name) !== undefined) return;
    this.#take(name, await read(this.#deps, keys.topic(name)));
  }

  /** Waits until nobody shows a deleted topic under the name of the one that is to be made. */
  async #forgotten(name: string): Promise<void> {
    const { others } = this.#deps;
    if (others !== undefined && this.#deleted.has(name)) await others.haveSeen();
  }

  /**
   * After a change of unknown outcome: reads, when it can't be made any more, until the store
   * answers, so that memory is right.
   */
  #followLater(name: string): void {
    this.#deps.clock.after(followAgainMs, () => {
      const settled = this.#deps.own.settled().then(() => this.follow(name));
      void settled.catch((error: unknown) => {
        if (!(error instanceof MetadataError)) throw error;
        this.#followLater(name);
      });
    });
  }

  #newId(): TopicId {
    for (;;) {
      const bytes = this.#deps.random.bytes(16);
      const hex = hexOf(bytes);
      // Kafka's tools take a text that begins with "-" for an option; 0 and 1 are reserved there.
      const beginsWithDash = (bytes[0] ?? 0) >> 2 === 62;
      const reserved = /^0{31}[01]$/u.test(hex);
      if (beginsWithDash || reserved) continue;
      const id = topicId(hex);
      if (this.#deps.catalog.byId(id) === undefined) return id;
    }
  }

  #stamp(): string {
    this.#writes += 1;
    return `${this.#deps.incarnation}/${this.#writes}`;
  }
}

const followAgainMs = 1000;

function readDeletion(item: Item): Deletion {
  const { name, partitions } = item.value;
  if (typeof name !== "string" || typeof partitions !== "number") {
    throw new UnreadableItemError(item.key, "name or partitions is missing");
  }
  const id = topicId(item.key.slice(item.key.indexOf("/") + 1));
  return { topicId: id, name, partitionCount: partitions };
}
