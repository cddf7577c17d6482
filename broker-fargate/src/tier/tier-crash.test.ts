/** Tiered partitions through deaths, lost logs and an object store that comes and goes, from seeds. */
import { SeededRandom } from "@millrace/adapter-memory";
import { ObjectError } from "@millrace/core";
import type { TopicId } from "@millrace/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AppendResult } from "../partition/append.ts";
import { batchOf, fetchAllRecords, Rig, turn } from "../partition/fixtures.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import { checked, tierLimits } from "./limits.ts";

const limits = checked({
  ...tierLimits,
  coldSegmentBytesMin: 800,
  coldSegmentBytesMax: 1_600,
  segmentsPerCommitMax: 2,
  checkpointBytesMax: 1_000,
  chunkBytes: 128,
  cachedBytesMax: 8_192,
  readsInFlightMax: 8,
  checkpointsMax: 3,
});

const partitions = 9;
type Durability = "local" | "journal";

interface Acked {
  readonly offset: number;
  readonly value: number;
  /** In the journal, or in the object store: the logs may be lost. */
  isProtected: boolean;
}

class TierRun {
  acks = 0;
  deaths = 0;
  readonly #rig: Rig;
  readonly #random: SeededRandom;
  readonly #acked: Acked[][] = Array.from({ length: partitions }, () => []);
  readonly #starts: number[] = Array.from({ length: partitions }, () => 0);
  #topic: TopicId | undefined;
  #wanted: Durability;
  #isTiered = true;
  #nextValue = 1;
  #life = 0;
  #isAway = false;

  constructor(seed: number, durability: Durability) {
    this.#random = new SeededRandom(seed);
    this.#wanted = durability;
    this.#rig = new Rig({ seed, tierLimits: limits });
  }

  async run(steps: number, switches: boolean): Promise<void> {
    this.#overStore();
    const rig = await this.#rig.start();
    const configs = { "millrace.durability": this.#wanted, "segment.bytes": "1048576" };
    this.#topic = await rig.createTopic("t", { partitions, configs });
    for (let step = 0; step < steps; step++) {
      const dice = this.#random.below(100);
      if (dice < 60) await this.#append();
      else if (dice < 72) await rig.pass(this.#random.below(90_000));
      else if (dice < 77) this.#isAway = !this.#isAway;
      else if (dice < 82) await this.#dropHotCopies();
      else if (dice < 86) await this.#deleteRecords();
      else if (dice < 90 && switches) await this.#switch();
      else if (dice < 92 && switches) await this.#switchTiering();
      else if (dice >= 97) await this.#die("kill");
      else if (dice >= 95) await this.#die("loseLogs");
      else if (dice >= 94) await this.#die("power");
      else if (dice >= 93) await this.#die("close");
    }
    this.#isAway = false;
    await this.#die("kill");
    for (let i = 0; i < 40; i++) await rig.pass(10_000);
    for (let p = 0; p < partitions; p++) {
      const owner = await this.#owner(p);
      if (owner.isTiering && owner.highWatermark > owner.logStartOffset) {
        await this.#appendTo(p, 1);
      }
    }
    for (let i = 0; i < 40; i++) await rig.pass(10_000);
    for (let p = 0; p < partitions; p++) {
      const owner = await this.#owner(p);
      if (owner.highWatermark === owner.logStartOffset) continue;
      if (owner.isTiering) expect(owner.latestTieredOffset).toBe(owner.highWatermark - 1);
    }
    expect(rig.failures).toEqual([]);
    if (this.#isTiered) await this.#die("loseLogs");
  }

  /**
   * A handle for one life: nothing of a dead process goes on. While the store is away it fails
   * before or after it had its effect.
   */
  #overStore(): void {
    const before = this.#rig.objects;
    if (before === undefined) throw new Error("there is a store");
    const store = before.reopen();
    const life = this.#life;
    const put = store.putIfAbsent.bind(store);
    const remove = store.delete.bind(store);
    const read = store.readRange.bind(store);
    const alive = async (): Promise<void> => {
      await turn();
      if (life !== this.#life) await new Promise<void>(() => undefined);
    };
    const away = (): never => {
      throw new ObjectError("away", { retriable: false, applied: "maybe" });
    };
    store.putIfAbsent = async (key, parts) => {
      await alive();
      if (!this.#isAway) return put(key, parts);
      if (this.#random.below(2) === 0) await put(key, parts);
      return away();
    };
    store.delete = async (keys) => {
      await alive();
      if (!this.#isAway || this.#random.below(2) === 0) await remove(keys);
      if (this.#isAway) away();
    };
    store.readRange = async (key, range) => {
      await alive();
      return read(key, range);
    };
    this.#rig.objects = store;
  }

  #owner(partition: number): Promise<PartitionOwner> {
    if (this.#topic === undefined) throw new Error("not started");
    return this.#rig.partitions.open(this.#topic, partition);
  }

  async #append(): Promise<void> {
    // Some partitions have much, others little.
    const p = Math.min(this.#random.below(partitions), this.#random.below(partitions));
    await this.#appendTo(p, 1 + this.#random.below(6));
  }

  async #appendTo(p: number, count: number): Promise<void> {
    const owner = await this.#owner(p);
    const life = this.#life;
    const values = Array.from({ length: count }, () => this.#nextValue++);
    const records = batchOf(values, { padding: this.#random.below(20) });
    const result = owner.append({ records, waitFor: "durable" });
    const noted = result.then((done) => {
      if (life === this.#life) this.#note(p, owner, values, done);
    });
    if (this.#random.below(3) > 0) await turn();
    else await noted;
  }

  #note(p: number, owner: PartitionOwner, values: number[], result: AppendResult): void {
    if (result.kind === "refused") return;
    this.acks++;
    const isProtected = owner.durability === "journal" && owner.isTiering;
    values.forEach((value, i) => {
      this.#acked[p]?.push({ offset: result.baseOffset + i, value, isProtected });
    });
  }

  async #dropHotCopies(): Promise<void> {
    const owner = await this.#owner(this.#random.below(partitions));
    const end = owner.tiered?.cold.endOffset;
    if (end === undefined) return;
    owner.log.config = { ...owner.log.config, segmentBytes: 200 };
    owner.log.removeLocalBefore(Math.min(end, owner.highWatermark));
  }

  async #deleteRecords(): Promise<void> {
    const p = this.#random.below(partitions);
    const owner = await this.#owner(p);
    const offset = this.#random.below(owner.highWatermark + 1);
    const outcome = await owner.deleteRecordsBefore(offset);
    if (outcome.kind === "ok") this.#starts[p] = outcome.logStartOffset;
  }

  /** What the new policy promises of what lies before it is less. */
  async #set(name: string, value: string): Promise<void> {
    for (const acked of this.#acked.flat()) acked.isProtected = false;
    const outcome = await this.#rig.cluster.setTopicConfigs(
      "t",
      (before) => ({ ok: true, configs: new Map(before).set(name, value) }),
      "perform",
    );
    expect(outcome.kind).toBe("done");
  }

  async #switch(): Promise<void> {
    this.#wanted = this.#wanted === "local" ? "journal" : "local";
    await this.#set("millrace.durability", this.#wanted);
  }

  async #switchTiering(): Promise<void> {
    this.#isTiered = !this.#isTiered;
    await this.#set("remote.storage.enable", String(this.#isTiered));
  }

  async #die(how: "kill" | "loseLogs" | "power" | "close"): Promise<void> {
    await turn();
    await this.#protectTiered();
    if (how === "close") await this.#close();
    this.#life++;
    this.deaths++;
    this.#overStore();
    if (how === "loseLogs" && this.#mayLoseLogs()) await this.#rig.killAndLoseLogs();
    else if (how === "power" && this.#wanted === "journal") await this.#rig.crash();
    else await this.#rig.kill();
    for (let p = 0; p < partitions; p++) await this.#check(p);
  }

  async #close(): Promise<void> {
    const end = { isReached: false };
    const closed = this.#rig.partitions.close().finally(() => {
      end.isReached = true;
    });
    while (!end.isReached) await this.#rig.pass(100);
    await closed;
  }

  /** Only what the journal or the object store has outlives the logs. */
  #mayLoseLogs(): boolean {
    return this.#acked.every((acked) => acked.every(({ isProtected }) => isProtected));
  }

  async #protectTiered(): Promise<void> {
    for (let p = 0; p < partitions; p++) {
      const end = (await this.#owner(p)).latestTieredOffset;
      for (const acked of this.#acked[p] ?? []) if (acked.offset <= end) acked.isProtected = true;
    }
  }

  async #check(p: number): Promise<void> {
    const owner = await this.#owner(p);
    expect(owner.logStartOffset).toBe(this.#starts[p]);
    const seen = await fetchAllRecords(owner);
    const from = owner.logStartOffset;
    const read = seen.filter(({ offset }) => offset >= from);
    expect(read.map(({ offset }) => offset)).toEqual(read.map((_, i) => from + i));
    const values = new Map(read.map(({ offset, value }) => [offset, value]));
    for (const { offset, value } of this.#acked[p] ?? []) {
      if (offset >= from) expect([p, offset, values.get(offset)]).toEqual([p, offset, value]);
    }
    expect(new Set(values.values()).size).toBe(values.size);
  }
}

async function runMany(durability: Durability, switches: boolean): Promise<TierRun[]> {
  const runs: TierRun[] = [];
  await fc.assert(
    fc.asyncProperty(fc.nat(1_000_000), async (seed) => {
      const run = new TierRun(seed, durability);
      await run.run(120, switches);
      runs.push(run);
    }),
    { endOnFailure: true, numRuns: 12, seed: 7 },
  );
  return runs;
}

describe("whatever dies, and whatever of the logs is lost", () => {
  it.each([
    ["local", false],
    ["journal", false],
    ["journal", true],
  ] as const)(
    "%s keeps every acknowledged record once, in order (changes of policy: %s)",
    async (durability, switches) => {
      const runs = await runMany(durability, switches);
      expect(runs.some(({ acks, deaths }) => acks > 20 && deaths > 2)).toBe(true);
    },
    240_000,
  );
});
