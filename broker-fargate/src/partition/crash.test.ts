import { SeededRandom } from "@millrace/adapter-memory";
import type { TopicId } from "@millrace/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AppendResult } from "./append.ts";
import type { PartitionOwner } from "./owner.ts";
import { Rig, batchOf, readAllRecords, turn } from "./fixtures.ts";

interface Acked {
  readonly offset: number;
  readonly value: number;
  /** Whether the promise covers a loss of power. */
  isProtected: boolean;
}

type Durability = "local" | "journal";

const partitions = 3;

/** Appends, syncs that end or not, policy changes, deaths; what was acknowledged is compared. */
class CrashRun {
  readonly #random: SeededRandom;
  readonly #rig: Rig;
  readonly #held: (() => void)[] = [];
  readonly #acked: Acked[][] = Array.from({ length: partitions }, () => []);
  readonly #sent: Set<number>[] = Array.from({ length: partitions }, () => new Set());
  #holding = false;
  #isFull = false;
  #life = 0;
  #next = 1;
  #topic: TopicId | undefined;
  #wanted: Durability;
  acks = 0;
  deaths = 0;

  constructor(seed: number, durability: Durability) {
    this.#random = new SeededRandom(seed);
    this.#wanted = durability;
    this.#rig = new Rig({
      seed,
      schedule: (run) => {
        if (this.#holding) this.#held.push(run);
        else queueMicrotask(run);
      },
    });
  }

  async run(steps: number, mix: { readonly switches: boolean; readonly power: boolean }) {
    await this.#rig.start();
    // A full index rolls a segment, so that a short run has many of them.
    const small = { "segment.index.bytes": "100", "index.interval.bytes": "1000" };
    const configs = { "millrace.durability": this.#wanted, ...small };
    this.#topic = await this.#rig.createTopic("t", { partitions, configs });
    for (let step = 0; step < steps; step++) {
      const dice = this.#random.below(100);
      if (dice < 60) await this.#append();
      else if (dice < 80) await this.#letSyncsEnd();
      else if (dice < 88) this.#holding = !this.#holding;
      else if (dice < 92) await this.#rig.pass(1 + this.#random.below(70_000));
      else if (dice < 94) this.#fillDisk();
      else if (dice < 96 && mix.switches) await this.#switch();
      else if (dice >= 96) await this.#die(mix.power);
    }
    await this.#die(mix.power);
    expect(this.#rig.failures).toEqual([]);
  }

  async #owner(partition: number): Promise<PartitionOwner> {
    if (this.#topic === undefined) throw new Error("no topic");
    const open = this.#rig.partitions.find(this.#topic, partition);
    if (open !== undefined) return open;
    this.#holding = false;
    await this.#letSyncsEnd();
    return this.#rig.partitions.open(this.#topic, partition);
  }

  async #append(): Promise<void> {
    const partition = this.#random.below(partitions);
    const owner = await this.#owner(partition);
    const values = Array.from({ length: 1 + this.#random.below(3) }, () => this.#next++);
    for (const value of values) this.#sent[partition]?.add(value);
    const records = batchOf(values, { padding: this.#random.below(2000) });
    const life = this.#life;
    void owner.append({ records, waitFor: "durable" }).then((result) => {
      if (life === this.#life) this.#note(partition, owner, values, result);
    });
    if (this.#random.below(3) === 0) await turn();
  }

  #note(p: number, owner: PartitionOwner, values: number[], result: AppendResult): void {
    if (result.kind === "refused") return;
    this.acks++;
    // What is answered can be read: the high watermark covers it.
    expect(owner.highWatermark).toBeGreaterThan(result.lastOffset);
    const isProtected = owner.durability === "journal";
    values.forEach((value, i) => {
      this.#acked[p]?.push({ offset: result.baseOffset + i, value, isProtected });
    });
    if (!isProtected) return;
    for (const acked of this.#acked[p] ?? []) acked.isProtected = true;
  }

  async #letSyncsEnd(): Promise<void> {
    for (const run of this.#held.splice(0)) run();
    await turn();
  }

  async #switch(): Promise<void> {
    this.#wanted = this.#wanted === "local" ? "journal" : "local";
    await this.#rig.setDurability("t", this.#wanted);
  }

  /** Every other time there is room again. */
  #fillDisk(): void {
    const { disk } = this.#rig;
    this.#isFull = !this.#isFull;
    disk.setCapacity(this.#isFull ? disk.usedBytes + this.#random.below(9000) : 1 << 30);
  }

  async #die(power: boolean): Promise<void> {
    await turn();
    this.#life++;
    this.deaths++;
    this.#held.length = 0;
    this.#holding = false;
    if (this.#isFull) this.#fillDisk();
    const losesPower = power && this.#random.below(2) === 0;
    await (losesPower ? this.#rig.crash() : this.#rig.kill());
    for (let p = 0; p < partitions; p++) await this.#check(p, losesPower);
  }

  async #check(partition: number, losesPower: boolean): Promise<void> {
    const owner = await this.#owner(partition);
    const seen = readAllRecords(owner);
    expect(seen.map(({ offset }) => offset)).toEqual(seen.map((_, i) => i));
    const values = seen.map(({ value }) => value);
    expect(new Set(values).size).toBe(values.length);
    for (const value of values) expect(this.#sent[partition]).toContain(value);
    const promised = (this.#acked[partition] ?? []).filter(
      ({ isProtected }) => isProtected || !losesPower,
    );
    for (const { offset, value } of promised) expect(values[offset]).toBe(value);
    // What came back is there to stay under the same promise as before; what was lost is lost.
    const kept = (this.#acked[partition] ?? []).filter(
      ({ offset, value }) => values[offset] === value,
    );
    this.#acked[partition] = kept;
  }
}

async function runMany(
  durability: Durability,
  mix: { readonly switches: boolean; readonly power: boolean },
): Promise<{ readonly acks: number; readonly deaths: number }> {
  const sums = { acks: 0, deaths: 0 };
  await fc.assert(
    fc.asyncProperty(fc.nat(1_000_000), async (seed) => {
      const run = new CrashRun(seed, durability);
      await run.run(150, mix);
      sums.acks += run.acks;
      sums.deaths += run.deaths;
    }),
    { numRuns: 30 },
  );
  return sums;
}

describe("whatever dies, and whatever the disk forgets", () => {
  it("journal keeps every acknowledged record once, in order, over losses of power", async () => {
    const { acks, deaths } = await runMany("journal", { switches: false, power: true });
    expect(acks).toBeGreaterThan(400);
    expect(deaths).toBeGreaterThan(60);
  });

  it("local keeps every acknowledged record once, in order, over deaths of the process", async () => {
    const { acks } = await runMany("local", { switches: false, power: false });
    expect(acks).toBeGreaterThan(400);
  });

  it("changes of policy lose nothing that either promise covers", async () => {
    const { acks } = await runMany("local", { switches: true, power: true });
    expect(acks).toBeGreaterThan(400);
  });
});
