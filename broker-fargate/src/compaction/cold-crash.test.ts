/** Compacted, tiered partitions through faults, deaths, lost logs and cuts, from seeds. */
import { SeededRandom } from "@millrace/adapter-memory";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  ColdKit,
  coldLimits,
  type Step,
  unknownOutcome,
} from "../../../test/fixtures/cold-compaction.ts";

const steps: readonly Step[] = ["put", "read", "delete", "commit"];
const retentionMs = 900_000;

/** What a reader from the start has to make of the log. */
class ColdRun {
  rounds = 0;
  faults = 0;
  deaths = 0;
  readonly #random: SeededRandom;
  readonly #cold: ColdKit;
  /** By offset, as ColdKit shows records. */
  readonly #history: string[] = [];
  #start = 0;
  #isFaulty = false;

  private constructor(seed: number, cold: ColdKit) {
    this.#random = new SeededRandom(seed);
    this.#cold = cold;
    cold.onStep = async (step) => {
      if (!this.#isFaulty || !steps.includes(step) || this.#random.below(12) > 0) return;
      this.faults += 1;
      throw unknownOutcome(step);
    };
  }

  static async start(seed: number): Promise<ColdRun> {
    const configs = { "delete.retention.ms": String(retentionMs) };
    return new ColdRun(seed, await ColdKit.start(configs, seed));
  }

  async run(count: number): Promise<void> {
    const cold = this.#cold;
    for (let i = 0; i < count; i++) {
      const dice = this.#random.below(100);
      if (dice < 40) await this.#append();
      else if (dice < 55) await cold.kit.rig.pass(this.#random.below(200_000));
      else if (dice < 75) await this.#clean();
      else if (dice < 82) await this.#dropHotCopies();
      else if (dice < 86) await this.#deleteRecords();
      else if (dice < 92) this.#isFaulty = !this.#isFaulty;
      else await this.#die();
      if (dice < 92) continue;
      await this.#check();
    }
    this.#isFaulty = false;
    await this.#die();
    for (let i = 0; i < 3; i++) await this.#clean();
    await this.#check();
    await cold.kit.rig.pass(130_000);
    const named = (await cold.parts()).map(({ object }) => object);
    const segments = named.filter((object) => object.includes("/data/"));
    expect(cold.objects.toSorted()).toEqual(segments.toSorted());
  }

  async #append(): Promise<void> {
    for (let count = 1 + this.#random.below(6); count > 0; count--) {
      const key = `k${this.#random.below(4)}`;
      const offset = this.#history.length;
      const isTombstone = this.#random.below(5) === 0;
      await this.#cold.append(isTombstone ? key : `${key}=${offset}`);
      this.#history.push(`${offset}:${key}=${isTombstone ? "undefined" : offset}`);
    }
  }

  async #clean(): Promise<void> {
    const before = this.#cold.kit.counted("rounds_total");
    await this.#cold.clean();
    this.rounds += this.#cold.kit.counted("rounds_total") - before;
    // What failed for good is left alone by this cleaner.
    this.#cold.kit.attach(coldLimits);
  }

  async #dropHotCopies(): Promise<void> {
    const owner = await this.#cold.owner();
    const end = owner.tiered?.cold.endOffset;
    if (end === undefined) return;
    owner.log.config = { ...owner.log.config, segmentBytes: 600 };
    owner.log.removeLocalBefore(Math.min(end, owner.highWatermark));
  }

  async #deleteRecords(): Promise<void> {
    const owner = await this.#cold.owner();
    const offset = this.#random.below(owner.highWatermark + 1);
    const outcome = await owner.deleteRecordsBefore(Math.max(this.#start, offset));
    if (outcome.kind === "ok") this.#start = outcome.logStartOffset;
    await this.#cold.kit.rig.pass(10);
  }

  async #die(): Promise<void> {
    this.#isFaulty = false;
    this.deaths += 1;
    if (this.#random.below(2) === 0) await this.#cold.kit.rig.kill();
    else await this.#cold.kit.rig.killAndLoseLogs();
    this.#cold.kit.attach(coldLimits);
  }

  async #check(): Promise<void> {
    const wasFaulty = this.#isFaulty;
    this.#isFaulty = false;
    const owner = await this.#cold.owner();
    expect(owner.highWatermark).toBe(this.#history.length);
    expect(owner.logStartOffset).toBe(this.#start);
    const seen = await this.#cold.read();
    const offsets = seen.map((each) => Number.parseInt(each));
    expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
    for (const record of seen) expect(record).toBe(this.#history[Number.parseInt(record)]);
    expect(stateOf(seen, this.#start)).toEqual(stateOf(this.#history, this.#start));
    this.#isFaulty = wasFaulty;
  }
}

/** The live values, from records at or above the start. */
function stateOf(records: readonly string[], start: number): ReadonlyMap<string, string> {
  const state = new Map<string, string>();
  for (const record of records) {
    const [, offset = "", key = "", value = ""] = /^(\d+):(.*)=(.*)$/.exec(record) ?? [];
    if (Number(offset) < start) continue;
    if (value === "undefined") state.delete(key);
    else state.set(key, value);
  }
  return state;
}

test("whatever fails, a reader from the start comes to the last value of every key", async () => {
  const runs: ColdRun[] = [];
  await fc.assert(
    fc.asyncProperty(fc.nat(1_000_000), async (seed) => {
      const run = await ColdRun.start(seed);
      await run.run(60);
      runs.push(run);
    }),
    { endOnFailure: true, numRuns: 20, seed: 11 },
  );
  for (const what of ["rounds", "faults", "deaths"] as const) {
    expect(runs.reduce((sum, run) => sum + run[what], 0)).toBeGreaterThan(40);
  }
}, 120_000);
