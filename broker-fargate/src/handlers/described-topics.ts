/**
 * Topics as Metadata describes them, encoded a part at a time where they are many.
 *
 * Fewer than `encodedPartitionsMin` partitions are described at once. More are encoded here, at most
 * `encodedPartitionsPerTurnMax` in one turn of the event loop, so that a hundred thousand of them
 * hold up nobody; what is large is kept, for the next who asks in the same version. It is found by
 * the topic itself, or by the list of all, which a change replaces, and nothing is kept when leaders
 * or live brokers change: an answer is never older than its request.
 */
import {
  EncodedItems,
  encodeMetadataResponsePartition,
  encodeMetadataResponseTopic,
  ErrorCode,
  type MetadataResponsePartitionInput,
  type MetadataResponseTopicInput,
  Writer,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { Topic } from "../cluster/cluster.ts";
import {
  encodedMetadataBytesMax,
  encodedPartitionsMin,
  encodedPartitionsPerTurnMax,
} from "../limits.ts";
import { TurnBudget } from "../turn-budget.ts";
import { operationsNotAsked, topicOperations } from "./authorized-operations.ts";
import { EncodedCache } from "./encoded-cache.ts";
import { ShownLeaders } from "./shown-leaders.ts";

/** How a request wants its topics. */
export interface TopicForm {
  readonly apiVersion: number;
  readonly withOperations: boolean;
}

/** A topic that is there, or the answer for one that is not. */
export type TopicOrFailure =
  | { readonly topic: Topic }
  | { readonly topic: undefined; readonly failure: MetadataResponseTopicInput };

export type TopicsInput = readonly (MetadataResponseTopicInput | EncodedItems)[];

export class DescribedTopics {
  readonly #broker: Pick<Broker, "clock" | "cluster" | "view">;
  readonly #cache: EncodedCache;
  readonly #turns: TurnBudget;
  readonly #leaders: ShownLeaders;
  #viewVersion = -1;
  #lastList: readonly Topic[] = [];

  constructor(
    broker: Pick<Broker, "clock" | "cluster" | "view">,
    cachedBytesMax: number = encodedMetadataBytesMax,
  ) {
    this.#broker = broker;
    this.#cache = new EncodedCache(cachedBytesMax);
    this.#turns = new TurnBudget(broker.clock, encodedPartitionsPerTurnMax);
    this.#leaders = new ShownLeaders(broker);
  }

  /** Bytes that are kept encoded. */
  get cachedBytes(): number {
    return this.#cache.bytes;
  }

  /** All topics, in the order of their names. */
  all(form: TopicForm): TopicsInput | Promise<TopicsInput> {
    this.#forgetOldView();
    const topics = this.#broker.cluster.topics.list();
    if (topics !== this.#lastList) this.#cache.forget(this.#lastList);
    this.#lastList = topics;
    if (!isLarge(topics)) return topics.map((topic) => this.#describe(topic, form));
    const encode = (): Promise<readonly EncodedItems[]> =>
      this.#encode(
        topics.map((topic) => ({ topic })),
        form,
      );
    return this.#cache.find(topics, nameOf(form), encode);
  }

  /** These, in this order. */
  some(items: readonly TopicOrFailure[], form: TopicForm): TopicsInput | Promise<TopicsInput> {
    this.#forgetOldView();
    const topics = items.flatMap(({ topic }) => topic ?? []);
    if (items.length < encodedPartitionsMin && !isLarge(topics)) {
      return items.map((item) => this.#describeItem(item, form));
    }
    return this.#inRuns(items, form);
  }

  #forgetOldView(): void {
    const { viewVersion } = this.#broker.view;
    if (viewVersion !== this.#viewVersion) this.#cache.forgetAll();
    this.#viewVersion = viewVersion;
  }

  /** Large topics from what is kept, the small ones between them together. */
  async #inRuns(items: readonly TopicOrFailure[], form: TopicForm): Promise<TopicsInput> {
    const described: EncodedItems[] = [];
    let small: TopicOrFailure[] = [];
    const endRun = async (): Promise<void> => {
      described.push(...(await this.#encode(small, form)));
      small = [];
    };
    for (const item of items) {
      if (item.topic === undefined || item.topic.partitionCount < encodedPartitionsMin) {
        small.push(item);
        continue;
      }
      await endRun();
      const encode = (): Promise<readonly EncodedItems[]> => this.#encode([item], form);
      described.push(...(await this.#cache.find(item.topic, nameOf(form), encode)));
    }
    await endRun();
    return described;
  }

  /** What goes together in a turn becomes one run of bytes. */
  async #encode(
    items: readonly TopicOrFailure[],
    form: TopicForm,
  ): Promise<readonly EncodedItems[]> {
    const runs: EncodedItems[] = [];
    for (let first = 0, end = 0; first < items.length; first = end) {
      let partitions = weightOf(items[first]);
      for (end = first + 1; end < items.length; end++) {
        const more = weightOf(items[end]);
        if (partitions + more > encodedPartitionsPerTurnMax) break;
        partitions += more;
      }
      const [item] = items.slice(first, end);
      if (item?.topic !== undefined && partitions > encodedPartitionsPerTurnMax) {
        runs.push(await this.#encodeLarge(item.topic, form));
      } else {
        await this.#turns.take(partitions);
        const described = items.slice(first, end).map((some) => this.#describeItem(some, form));
        runs.push(encodeRun(described, encodeMetadataResponseTopic, form));
      }
    }
    return runs;
  }

  /** One topic over several turns. */
  async #encodeLarge(topic: Topic, form: TopicForm): Promise<EncodedItems> {
    const partitions: EncodedItems[] = [];
    for (let first = 0; first < topic.partitionCount; first += encodedPartitionsPerTurnMax) {
      const end = Math.min(topic.partitionCount, first + encodedPartitionsPerTurnMax);
      await this.#turns.take(end - first);
      const some = this.#describePartitions(topic, { first, end });
      partitions.push(encodeRun(some, encodeMetadataResponsePartition, form));
    }
    const writer = new Writer("bare");
    const whole = { ...this.#describe({ ...topic, partitionCount: 0 }, form), partitions };
    encodeMetadataResponseTopic(writer, form.apiVersion, whole);
    return new EncodedItems(1, writer.finish().pieces);
  }

  #describeItem(item: TopicOrFailure, form: TopicForm): MetadataResponseTopicInput {
    return item.topic === undefined ? item.failure : this.#describe(item.topic, form);
  }

  #describe(topic: Topic, { withOperations }: TopicForm): MetadataResponseTopicInput {
    return {
      errorCode: ErrorCode.NONE,
      name: topic.name,
      topicId: topic.id,
      isInternal: topic.isInternal,
      partitions: this.#describePartitions(topic, { first: 0, end: topic.partitionCount }),
      topicAuthorizedOperations: withOperations ? topicOperations : operationsNotAsked,
    };
  }

  #describePartitions(
    topic: Topic,
    { first, end }: { readonly first: number; readonly end: number },
  ): readonly MetadataResponsePartitionInput[] {
    return Array.from({ length: end - first }, (_, index) => ({
      ...this.#leaders.of(topic, first + index),
      partitionIndex: first + index,
      offlineReplicas: [],
    }));
  }
}

function encodeRun<Item>(
  items: readonly Item[],
  encode: (writer: Writer, version: number, item: Item) => void,
  { apiVersion }: TopicForm,
): EncodedItems {
  const writer = new Writer("bare");
  for (const item of items) encode(writer, apiVersion, item);
  // A copy of just these bytes: the writer's chunk has room for as many again.
  return new EncodedItems(items.length, [writer.finishBytes().slice()]);
}

/** What a topic takes of a turn, in partitions. */
function weightOf(item: TopicOrFailure | undefined): number {
  return 1 + (item?.topic?.partitionCount ?? 0);
}

function isLarge(topics: readonly Topic[]): boolean {
  let partitions = 0;
  for (const { partitionCount } of topics) {
    partitions += 1 + partitionCount;
    if (partitions >= encodedPartitionsMin) return true;
  }
  return false;
}

function nameOf({ apiVersion, withOperations }: TopicForm): string {
  return `v${apiVersion} ${withOperations ? "with" : "without"} operations`;
}
