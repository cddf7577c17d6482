import { ApiKey, ErrorCode, kafkaError, zeroUuid } from "@millrace/wire";
import { leaderErrors } from "./client-routes.ts";
import { ClientProcess, nameOf, type PartitionRef, type Scene } from "./client.ts";
import { listOffset } from "./list-offset.ts";
import { scratchTopic, type SimulatedTopic } from "./topics.ts";

export type Durability = "local" | "journal";

const topicType = 2;
const set = 0;
const scratchTopicsMax = 2;

/** Makes, changes and deletes topics. */
export class Admin extends ClientProcess {
  #scratchTopics = 0;

  constructor(scene: Scene, name = "admin") {
    super(scene, name);
  }

  /** Raises `millrace.version`; resolves when the cluster says that it is so. */
  async finalise(maxVersionLevel: number): Promise<void> {
    const featureUpdates = [{ feature: "millrace.version", maxVersionLevel, upgradeType: 1 }];
    const body = { timeoutMs: 5_000, featureUpdates, validateOnly: false };
    for (;;) {
      const code = await this.ask(async (connection) => {
        return (await connection.request(ApiKey.UpdateFeatures, 2, body)).errorCode;
      });
      this.scene.world.trace.add(`${this.name} was told ${kafkaError(code).name}`);
      if (code === ErrorCode.NONE) return;
      // A former broker is still listed; another one is asked, too.
      this.disconnect();
      await this.sleep(this.scene.world.between(200, 1_000));
    }
  }

  /** Tries until the topic is there. */
  async createTopic(topic: SimulatedTopic): Promise<void> {
    const { cluster } = this.scene;
    const { configs, name } = topic;
    await this.#until(
      async (connection) => {
        const answer = await connection.request(ApiKey.CreateTopics, 7, {
          timeoutMs: 5_000,
          topics: [
            {
              ...{ name, numPartitions: topic.partitions, replicationFactor: 1, assignments: [] },
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
        cluster.put(topic, found.topicId, found.partitions.length);
        const isTiered = topic.isTiered || this.host.are === "several";
        const tiers = isTiered ? "both" : "hot";
        if (topic.isCompacted) this.scene.history.compactedTopics.set(found.topicId, tiers);
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
    const topic = cluster.find(name);
    const [first] = refs;
    if (first === undefined || topic === undefined) return;
    const count = refs.length + 1;
    await this.#until(
      async (connection) => {
        const topics = [{ name, count, assignments: null }];
        const body = { topics, timeoutMs: 5_000, validateOnly: false };
        return (await connection.request(ApiKey.CreatePartitions, 3, body)).results[0]?.errorCode;
      },
      [ErrorCode.INVALID_PARTITIONS],
    );
    cluster.put(topic, first.topicId, count);
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
      const act = world.below(8);
      if (act === 0 && scratch.length < scratchTopicsMax) {
        this.#scratchTopics += 1;
        const name = `scratch-${this.#scratchTopics}`;
        await this.createTopic(scratchTopic(world, name, how.durability));
        scratch.push(name);
      } else if (act === 1 && scratch.length > 0) {
        await this.deleteTopic(scratch.shift() ?? "");
      } else if (act === 2 && scene.cluster.partitionsOf(topic).length < 5) {
        await this.addPartition(topic);
      } else if (act === 3) {
        await this.setConfig(topic, "flush.ms", String(world.pick([20, 500, 1_000_000])));
      } else if (act >= 6) {
        await this.#deleteSome();
      } else if (act >= 4 && how.switches === "durability") {
        await this.setConfig(topic, "millrace.durability", world.pick(["local", "journal"]));
      }
    }
  }

  /** Deletes records of a partition from which clients may. */
  async #deleteSome(): Promise<void> {
    const { cluster, world } = this.scene;
    const refs = cluster.partitions.filter(
      ({ topic }) => cluster.find(topic)?.deletion === "records",
    );
    if (refs.length === 0) return;
    const ref = world.pick(refs);
    const end = await this.askLeader(ref, (connection) => listOffset(connection, ref, -1n));
    const start = await this.askLeader(ref, (connection) => listOffset(connection, ref, -2n));
    if (end === undefined || start === undefined || end.offset <= start.offset) return;
    // Seldom all of it, so that readers have something left.
    const span = end.offset - start.offset;
    const upTo = start.offset + world.below(world.chance(100) ? span + 1 : Math.ceil(span / 2) + 1);
    await this.deleteRecords(ref, upTo);
  }

  /** Makes `offset` the first one; it may be so however the request ends. */
  async deleteRecords(ref: PartitionRef, offset: number): Promise<void> {
    const { cluster, history, world } = this.scene;
    cluster.mayDeleteBelow(ref, offset);
    const partitions = [{ partitionIndex: ref.partition, offset }];
    const body = { timeoutMs: 5_000, topics: [{ name: ref.topic, partitions }] };
    const part = await this.askLeader(ref, async (connection) => {
      const answer = await connection.request(ApiKey.DeleteRecords, 2, body);
      return answer.topics[0]?.partitions[0];
    });
    const code = part?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR;
    world.trace.add(`admin deletes ${nameOf(ref)} below ${offset}: ${kafkaError(code).name}`);
    if (leaderErrors.has(code)) this.lostLeader(ref);
    if (code === ErrorCode.NONE) history.startsAt(nameOf(ref), part?.lowWatermark ?? 0);
    if (finalCodes.has(code)) this.host.note(`admin was told ${kafkaError(code).name}`);
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
