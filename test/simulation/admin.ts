import { ApiKey, ErrorCode, kafkaError, zeroUuid } from "@millrace/wire";
import { ClientProcess, type Scene } from "./client.ts";

export type Durability = "local" | "journal";

const topicType = 2;
const set = 0;
const scratchTopicsMax = 2;

/** Makes, changes and deletes topics. */
export class Admin extends ClientProcess {
  #scratchTopics = 0;

  constructor(scene: Scene) {
    super(scene, "admin");
  }

  /** Tries until the topic is there. */
  async createTopic(
    name: string,
    how: { readonly partitions: number; readonly durability: Durability },
  ): Promise<void> {
    const { world, cluster } = this.scene;
    const configs = {
      "millrace.durability": how.durability,
      "segment.ms": String(world.between(300, 6_000)),
      "segment.index.bytes": String(8 * world.between(2, 30)),
      "index.interval.bytes": String(world.pick([0, 100, 400, 2_000])),
      "flush.messages": String(world.pick([1, 10, 1_000_000])),
      "flush.ms": String(world.pick([50, 1_000, 1_000_000])),
    };
    await this.#until(
      async (connection) => {
        const answer = await connection.request(ApiKey.CreateTopics, 7, {
          timeoutMs: 5_000,
          topics: [
            {
              ...{ name, numPartitions: how.partitions, replicationFactor: 1, assignments: [] },
              configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
            },
          ],
        });
        return answer.topics[0]?.errorCode;
      },
      [ErrorCode.TOPIC_ALREADY_EXISTS],
    );
    for (;;) {
      const found = (await this.metadata([name])).topics[0];
      if (found?.errorCode === ErrorCode.NONE && found.topicId !== zeroUuid) {
        cluster.put(name, found.topicId, found.partitions.length);
        return;
      }
      await this.sleep(50);
    }
  }

  async deleteTopic(name: string): Promise<void> {
    const { cluster, history } = this.scene;
    for (const { topicId } of cluster.partitionsOf(name)) history.deletedTopics.add(topicId);
    cluster.remove(name);
    await this.#until(
      async (connection) => {
        const body = { topicNames: [name], timeoutMs: 5_000 };
        return (await connection.request(ApiKey.DeleteTopics, 5, body)).responses[0]?.errorCode;
      },
      [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    );
  }

  async addPartition(name: string): Promise<void> {
    const { cluster } = this.scene;
    const refs = cluster.partitionsOf(name);
    const [first] = refs;
    if (first === undefined) return;
    const count = refs.length + 1;
    await this.#until(
      async (connection) => {
        const topics = [{ name, count, assignments: null }];
        const body = { topics, timeoutMs: 5_000, validateOnly: false };
        return (await connection.request(ApiKey.CreatePartitions, 3, body)).results[0]?.errorCode;
      },
      [ErrorCode.INVALID_PARTITIONS],
    );
    cluster.put(name, first.topicId, count);
  }

  /** Sets one config; resolves when the broker said that it is so. */
  async setConfig(topic: string, name: string, value: string): Promise<void> {
    await this.#until(async (connection) => {
      const configs = [{ name, configOperation: set, value }];
      const resources = [{ resourceType: topicType, resourceName: topic, configs }];
      const body = { resources, validateOnly: false };
      const answer = await connection.request(ApiKey.IncrementalAlterConfigs, 1, body);
      return answer.responses[0]?.errorCode;
    }, []);
    this.scene.world.trace.add(`admin set ${topic} ${name}=${value}`);
  }

  /** Changes this and that for as long as the run goes; `durability` decides what it may switch. */
  async run(how: {
    readonly topics: readonly string[];
    readonly switches: "durability" | "nothing";
    readonly durability: Durability;
  }): Promise<void> {
    const { scene } = this;
    const { world } = scene;
    const scratch: string[] = [];
    while (!scene.isEnding) {
      await this.sleep(world.between(200, 1_500));
      if (scene.isEnding) return;
      const topic = world.pick(how.topics);
      const act = world.below(6);
      if (act === 0 && scratch.length < scratchTopicsMax) {
        this.#scratchTopics += 1;
        const name = `scratch-${this.#scratchTopics}`;
        await this.createTopic(name, { partitions: 2, durability: how.durability });
        scratch.push(name);
      } else if (act === 1 && scratch.length > 0) {
        await this.deleteTopic(scratch.shift() ?? "");
      } else if (act === 2 && scene.cluster.partitionsOf(topic).length < 5) {
        await this.addPartition(topic);
      } else if (act === 3) {
        await this.setConfig(topic, "flush.ms", String(world.pick([20, 500, 1_000_000])));
      } else if (act >= 4 && how.switches === "durability") {
        await this.setConfig(topic, "millrace.durability", world.pick(["local", "journal"]));
      }
    }
  }

  /** Asks until it is done, or was done before. */
  async #until(
    act: (connection: Awaited<ReturnType<ClientProcess["connect"]>>) => Promise<number | undefined>,
    doneBefore: readonly number[],
  ): Promise<void> {
    for (;;) {
      const code = await this.ask(act);
      if (code === ErrorCode.NONE) return;
      if (code !== undefined && doneBefore.includes(code)) return;
      const name = code === undefined ? "nothing" : kafkaError(code).name;
      this.scene.world.trace.add(`admin was told ${name}`);
      if (code === undefined || finalCodes.has(code)) {
        this.host.note(`admin was told ${name}`);
        return;
      }
      await this.sleep(this.scene.world.between(20, 200));
    }
  }
}

/** Codes that this admin's requests never deserve. */
const finalCodes: ReadonlySet<number> = new Set([
  ErrorCode.INVALID_CONFIG,
  ErrorCode.INVALID_REQUEST,
  ErrorCode.INVALID_TOPIC_EXCEPTION,
  ErrorCode.INVALID_REPLICATION_FACTOR,
  ErrorCode.UNSUPPORTED_VERSION,
  ErrorCode.UNKNOWN_SERVER_ERROR,
]);
