import { SeededRandom } from "@millrace/adapter-memory";
import type { Slot, TopicId } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { batchOf } from "../partition/fixtures.ts";
import { formerLimits } from "./limits.ts";
import { ClusterRig, type RigBroker } from "../../../test/fixtures/cluster-rig.ts";

const partitions = 6;

/** One walk: appends, deaths, pauses, moves and refusing stores, in any order. */
class Walk {
  readonly rig: ClusterRig;
  readonly random: SeededRandom;
  /** What was acknowledged, by topic and partition, then by offset. */
  readonly acked = new Map<string, Map<number, number>>();
  readonly topics: TopicId[] = [];
  /** Offsets below which records were deleted. */
  readonly deleted = new Map<string, number>();
  /** Of the group, the newest commit that was acknowledged. */
  committed = -1;
  #value = 0;
  readonly paused = new Set<RigBroker>();
  readonly log: string[] = [];

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.rig = new ClusterRig({
      seed,
      slots: 4,
      tierLimits: {
        checkpointDueMs: 3_000 + this.random.below(8_000),
        coldSegmentBytesMin: 600,
        checkpointsMax: 3,
        firstSweepMs: 9_000,
        sweepEveryMs: 15_000,
      },
      // Every other walk keeps nearly all of former journals on the disk.
      formerLimits: { ...formerLimits, ...(seed % 2 === 0 ? { memoryBytesMax: 300 } : {}) },
    });
  }

  async run(steps: number): Promise<void> {
    const { rig } = this;
    await rig.start(1, 2, 3);
    this.topics.push(await rig.createTopic("t", partitions));
    for (let step = 0; step < steps; step += 1) {
      await this.#step(step);
      await rig.pass(this.random.below(700));
    }
    rig.objects.rates = { perThousand: {} };
    rig.store.rates = { perThousand: {} };
    for (const broker of this.paused) broker.life.resume();
    this.paused.clear();
    for (const broker of rig.brokers) if (broker.life.isDead) await rig.restart(broker);
    await rig.pass(20_000);
    await rig.settled();
  }

  async #step(step: number): Promise<void> {
    const { random, rig } = this;
    const die = random.below(100);
    const broker = rig.brokers[random.below(rig.brokers.length)];
    if (broker === undefined) return;
    if (die < 60) this.#append();
    else if (die < 65) void this.#commit();
    else if (die < 67) void this.#delete();
    else if (die < 70) void this.#createTopic(broker, step);
    else if (die < 76) await this.#kill(broker);
    else if (die < 80) this.#pause(broker);
    else if (die < 84) this.#resume();
    else if (die < 90) await this.#move();
    else if (die < 93) this.#leave(broker);
    else if (die < 96) this.#fail();
    else rig.objects.rates = rig.store.rates = { perThousand: {} };
  }

  #append(): void {
    const { random, topics } = this;
    // The newest ones are those that not everybody knows.
    const topic = topics[topics.length - 1 - random.below(Math.min(2, topics.length))];
    if (topic === undefined) return;
    const partition = random.below(partitions);
    const broker = this.#leaderOf((one) => one.cluster.slotOfPartition(topic, partition));
    if (broker === undefined) return;
    this.#value += 1;
    const value = this.#value;
    this.#send(broker, { topic, partition }, value).catch((error: unknown) => {
      this.log.push(`append ${value} failed: ${String(error)}`);
    });
  }

  /** Who leads it by what it knows itself, dead or not. */
  #leaderOf(slotOf: (broker: RigBroker) => Slot): RigBroker | undefined {
    return this.rig.brokers.find((one) => one.isOpen && one.cluster.view.leads(slotOf(one)));
  }

  async #send(
    broker: RigBroker,
    at: { readonly topic: TopicId; readonly partition: number },
    value: number,
  ): Promise<void> {
    const { life } = broker;
    const owner = await broker.partitions.open(at.topic, at.partition);
    const records = batchOf([value], { padding: 40 });
    const result = await owner.append({ waitFor: "durable", records });
    // What the dead say nobody hears.
    if (life.isDead || result.kind !== "appended") return;
    const name = `${at.topic}/${at.partition}`;
    const acked = this.acked.get(name) ?? new Map<number, number>();
    this.acked.set(name, acked.set(result.baseOffset, value));
    this.log.push(`${broker.id} acked ${value} at ${name}/${result.baseOffset}`);
  }

  async #commit(): Promise<void> {
    const [topicId] = this.topics;
    const broker = this.#leaderOf(({ cluster }) => cluster.slotOfGroup("g"));
    if (broker === undefined || topicId === undefined) return;
    this.#value += 1;
    const offset = this.#value;
    const { life } = broker;
    const commits = [{ topicId, partition: 0, offset, leaderEpoch: -1, metadata: "" }];
    const who = { groupId: "g", memberId: "", instanceId: null, generation: -1 };
    const outcome = await broker.groups.commit({ ...who, retentionMs: null, commits });
    const isDone = outcome.kind === "done" && outcome.results[0] === "committed";
    if (life.isDead || !isDone) return;
    this.committed = Math.max(this.committed, offset);
    this.log.push(`${broker.id} committed ${offset}`);
  }

  async #delete(): Promise<void> {
    const [topic] = this.topics;
    if (topic === undefined) return;
    const partition = this.random.below(partitions);
    const broker = this.#leaderOf((one) => one.cluster.slotOfPartition(topic, partition));
    const owner = broker?.partitions.find(topic, partition);
    if (owner === undefined) return;
    const name = `${topic}/${partition}`;
    const offset = owner.highWatermark;
    // Whether it happened or not, what lies below may be gone.
    this.deleted.set(name, Math.max(offset, this.deleted.get(name) ?? 0));
    this.log.push(`delete below ${offset} of ${name}`);
    await owner.deleteRecordsBefore(offset).catch(() => undefined);
  }

  async #createTopic(broker: RigBroker, step: number): Promise<void> {
    if (!broker.isOpen || broker.life.isDead) return;
    const request = { partitionCount: partitions, replicationFactor: 1, assignments: [] };
    const outcome = await broker.cluster.createTopic(
      { name: `t${step}`, ...request, configs: [] },
      "perform",
    );
    if (outcome.kind === "done") this.topics.push(outcome.topic.id);
  }

  async #kill(broker: RigBroker): Promise<void> {
    const { random, rig } = this;
    if (this.paused.has(broker)) return;
    this.log.push(`kill ${broker.id}`);
    rig.kill(broker);
    if (random.below(2) === 0) await rig.pass(random.below(4_000));
    void rig.restart(broker).catch(() => undefined);
  }

  /** In good order: its slots go to the others first. */
  #leave(broker: RigBroker): void {
    const { random, rig } = this;
    if (this.paused.has(broker) || !broker.isOpen || broker.life.isDead) return;
    this.log.push(`leave ${broker.id}`);
    const { life } = broker;
    const { broker: opened } = broker;
    const leaving = random.below(2) === 0 ? opened.leave() : Promise.resolve();
    const again = async (): Promise<void> => {
      await leaving;
      try {
        await opened.close();
      } catch (error) {
        // Nothing holds back what the dead still do with their own memory.
        if (!life.isDead && broker.life === life) throw error;
      }
      if (broker.life === life && !life.isDead) await rig.restart(broker);
    };
    void again();
  }

  #pause(broker: RigBroker): void {
    if (!broker.isOpen || broker.life.isDead || this.paused.size > 0) return;
    this.log.push(`pause ${broker.id}`);
    broker.life.pause();
    this.paused.add(broker);
  }

  #resume(): void {
    for (const broker of this.paused) broker.life.resume();
    this.paused.clear();
  }

  async #move(): Promise<void> {
    const { random, rig } = this;
    const open = rig.brokers.filter((one) => one.isOpen && !one.life.isDead);
    const [from, to] = random.below(2) === 0 ? open : open.toReversed();
    if (from === undefined || to === undefined) return;
    const slots = [0, 1, 2, 3].filter((slot) => {
      return from.cluster.view.leads(slot as Slot) && random.below(2) === 0;
    });
    if (slots.length === 0) return;
    this.log.push(`move ${slots.join()} from ${from.id} to ${to.id}`);
    await rig.wish(slots as Slot[], from, to);
  }

  #fail(): void {
    const { random, rig } = this;
    const share = random.below(120);
    this.log.push(`faults ${share}`);
    const perThousand = { slowDown: share, replyLost: share, requestLost: share };
    rig.objects.rates = { perThousand: { ...perThousand, conflict: share }, latencyMsMax: 40 };
    rig.store.rates = {
      perThousand: { throttled: share, replyLost: share, requestLost: share },
      latencyMsMax: 20,
    };
  }
}

/** More, and others, for a longer search: `WALKS=200 SEED=1000 vitest …`. */
const walks = Number(process.env["WALKS"] ?? 4);
const firstSeed = Number(process.env["SEED"] ?? 1);

async function lostBy(walk: Walk): Promise<readonly string[]> {
  const lost: string[] = [];
  for (const [name, acked] of walk.acked) {
    const [topic, partition] = name.split("/");
    const records = await walk.rig.records(topic as TopicId, Number(partition));
    const found = new Map(records.map(({ offset, value }) => [offset, value]));
    for (const [offset, value] of acked) {
      const isDeleted = offset < (walk.deleted.get(name) ?? 0);
      if (!isDeleted && found.get(offset) !== value) lost.push(`${value} at ${name}/${offset}`);
    }
    if (new Set(found.values()).size < found.size) lost.push(`a value twice in ${name}`);
  }
  return lost;
}

async function committedIn({ rig }: Walk): Promise<number> {
  const [first] = rig.brokers;
  const leader = await rig.leaderOf(first?.cluster.slotOfGroup("g") as Slot);
  const fetched = await rig.run(leader.groups.fetchOffsets("g", "all"));
  if (typeof fetched === "string") throw new Error(fetched);
  return fetched[0]?.offset ?? -1;
}

describe("a cluster whose brokers die, stand still and hand over", () => {
  it.each(Array.from({ length: walks }, (_, index) => firstSeed + index))(
    "keeps every acknowledged record, where it was acknowledged: seed %i",
    { timeout: 60_000 },
    async (seed) => {
      const walk = new Walk(seed);
      await walk.run(150);
      const { brokers } = walk.rig;
      const lost = await lostBy(walk);
      expect(lost, walk.log.join("\n")).toEqual([]);
      const committed = await committedIn(walk);
      expect(committed, walk.log.join("\n")).toBeGreaterThanOrEqual(walk.committed);
      expect(brokers.flatMap(({ errors }) => errors)).toEqual([]);
      const count = [...walk.acked.values()].reduce((sum, { size }) => sum + size, 0);
      expect(count).toBeGreaterThan(10);
    },
  );
});
