import { SeededRandom } from "@millrace/adapter-memory";
import type { Slot, TopicId } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { batchOf } from "../partition/fixtures.ts";
import { ClusterRig, type RigBroker } from "../../../test/fixtures/cluster-rig.ts";

const partitions = 6;

/** One walk: appends, deaths, pauses, moves and refusing stores, in any order. */
class Walk {
  readonly rig: ClusterRig;
  readonly random: SeededRandom;
  readonly acked = new Map<number, Map<number, number>>();
  readonly pending = new Set<Promise<void>>();
  topic: TopicId | undefined;
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
    });
    for (let one = 0; one < partitions; one += 1) this.acked.set(one, new Map());
  }

  async run(steps: number): Promise<void> {
    const { rig } = this;
    await rig.start(1, 2, 3);
    this.topic = await rig.createTopic("t", partitions);
    for (let step = 0; step < steps; step += 1) {
      await this.#step();
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

  async #step(): Promise<void> {
    const { random, rig } = this;
    const die = random.below(100);
    const broker = rig.brokers[random.below(rig.brokers.length)];
    if (broker === undefined) return;
    if (die < 70) this.#append();
    else if (die < 76) await this.#kill(broker);
    else if (die < 80) this.#pause(broker);
    else if (die < 84) this.#resume();
    else if (die < 93) await this.#move();
    else if (die < 96) this.#fail();
    else rig.objects.rates = rig.store.rates = { perThousand: {} };
  }

  #append(): void {
    const { random, rig, topic } = this;
    const partition = random.below(partitions);
    const [broker] = rig.brokers.filter((one) => {
      return (
        one.isOpen &&
        topic !== undefined &&
        one.cluster.view.leads(rig.slotOf(topic, partition)) &&
        random.below(3) > 0
      );
    });
    if (broker === undefined || topic === undefined) return;
    this.#value += 1;
    const value = this.#value;
    const appending = this.#send(broker, partition, value).catch((error: unknown) => {
      this.log.push(`append ${value} failed: ${String(error)}`);
    });
    this.pending.add(appending);
  }

  async #send(broker: RigBroker, partition: number, value: number): Promise<void> {
    const { topic } = this;
    if (topic === undefined) return;
    const life = broker.life;
    const owner = await broker.partitions.open(topic, partition);
    const records = batchOf([value], { padding: 40 });
    const result = await owner.append({ waitFor: "durable", records });
    // What the dead say nobody hears.
    if (life.isDead || result.kind !== "appended") return;
    this.acked.get(partition)?.set(result.baseOffset, value);
    this.log.push(`${broker.id} acked ${value} at ${partition}/${result.baseOffset}`);
  }

  async #kill(broker: RigBroker): Promise<void> {
    const { random, rig } = this;
    if (this.paused.has(broker)) return;
    this.log.push(`kill ${broker.id}`);
    rig.kill(broker);
    if (random.below(2) === 0) await rig.pass(random.below(4_000));
    void rig.restart(broker).catch(() => undefined);
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
  for (const [partition, acked] of walk.acked) {
    const values = await walk.rig.values(walk.topic as TopicId, partition);
    for (const [offset, value] of acked) {
      if (values[offset] !== value) lost.push(`${value} at ${partition}/${offset}`);
    }
    if (new Set(values).size < values.length) lost.push(`a value twice in ${partition}`);
  }
  return lost;
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
      expect(brokers.flatMap(({ errors }) => errors)).toEqual([]);
      const count = [...walk.acked.values()].reduce((sum, { size }) => sum + size, 0);
      expect(count).toBeGreaterThan(10);
    },
  );
});
