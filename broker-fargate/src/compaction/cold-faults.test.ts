/** Rounds over cold parts that fail, or that others come in between of. */
import { describe, expect, test } from "vitest";
import {
  ColdKit,
  coldLimits,
  type Step,
  unknownOutcome,
} from "../../../test/fixtures/cold-compaction.ts";

async function filled(configs: Record<string, string> = {}, seed = 1): Promise<ColdKit> {
  const cold = await ColdKit.start(configs, seed);
  for (let i = 0; i < 6; i++) await cold.append(`a=${i}`, `b=${i}`);
  await cold.tier();
  return cold;
}

const full = Array.from({ length: 12 }, (_, i) => `${i}:${i % 2 ? "b" : "a"}=${i >> 1}`);
const cleaned = ["10:a=5", "11:b=5"];

/** The n-th of these steps fails, without or with its effect. */
function failAt(cold: ColdKit, step: Step, when: "before" | "after", nth: number): () => boolean {
  let steps = 0;
  cold.onStep = async (each, now) => {
    if (each === step && now === when && ++steps === nth) throw unknownOutcome(step);
  };
  return () => steps >= nth;
}

const faults = (["put", "commit", "delete", "read"] as const).flatMap((step) => {
  return (["before", "after"] as const).flatMap((when) =>
    [1, 2].map((nth) => [step, when, nth] as const),
  );
});

describe.each(faults)("a %s that fails %s its effect, the %i. time", (step, when, nth) => {
  test("leaves every live record, and the next round cleans the rest", async () => {
    const cold = await filled();
    const wasMet = failAt(cold, step, when, nth);
    await cold.clean();
    expect(wasMet()).toBe(true);
    cold.onStep = () => Promise.resolve();
    // What fails for good is left alone: by this cleaner.
    cold.kit.attach(coldLimits);
    for (const record of cleaned) expect(await cold.read()).toContain(record);
    await cold.append("a=6", "a=7", "a=8", "a=9");
    await cold.tier();
    await cold.clean();
    expect(await cold.read()).toEqual(["11:b=5", "15:a=9"]);
    const parts = await cold.parts();
    expect([parts[0]?.baseOffset, parts.at(-1)?.nextOffset]).toEqual([0, 16]);
  });

  test("and a death after it leave what the manifest names, and after a sweep nothing else", async () => {
    const cold = await filled();
    failAt(cold, step, when, nth);
    await cold.clean();
    cold.onStep = () => Promise.resolve();
    await cold.loseLogs();
    const seen = await cold.read();
    for (const record of cleaned) expect(seen).toContain(record);
    expect(full).toEqual(expect.arrayContaining([...seen]));
    await cold.clean();
    expect(await cold.read()).toEqual(cleaned);
    await cold.kit.rig.pass(130_000);
    const named = (await cold.parts()).map(({ object }) => object);
    expect(cold.objects.toSorted()).toEqual(named.toSorted());
  });
});

describe("while a round is under way", () => {
  /** Does it at each of the round's steps in turn, one in each run. */
  async function atEachStep(
    step: Step,
    act: (cold: ColdKit) => Promise<void>,
    check: (cold: ColdKit) => Promise<void>,
  ): Promise<number> {
    for (let nth = 1; ; nth++) {
      const cold = await filled();
      let steps = 0;
      const acted: Promise<void>[] = [];
      cold.onStep = async (each, now) => {
        if (each === step && now === "before" && ++steps === nth) acted.push(act(cold));
      };
      await cold.clean();
      cold.onStep = () => Promise.resolve();
      if (acted.length === 0) return nth - 1;
      await cold.kit.drive(Promise.all(acted).then(() => undefined));
      await check(cold);
      await cold.loseLogs();
      await check(cold);
    }
  }

  test.each(["put", "commit", "delete", "read"] as const)(
    "records may be deleted at any %s",
    async (step) => {
      for (const offset of [1, 5, 9, 12]) {
        const acts = await atEachStep(
          step,
          async (cold) => {
            const outcome = await (await cold.owner()).deleteRecordsBefore(offset);
            expect(outcome).toEqual({ kind: "ok", logStartOffset: offset });
          },
          async (cold) => {
            const seen = (await cold.read()).filter((each) => Number.parseInt(each) >= offset);
            const live = cleaned.filter((each) => Number.parseInt(each) >= offset);
            for (const record of live) expect(seen).toContain(record);
            await cold.clean();
            const named = (await cold.parts()).map(({ object }) => object);
            await cold.kit.rig.pass(130_000);
            expect((await cold.parts()).map(({ object }) => object)).toEqual(named);
            expect(cold.objects.toSorted()).toEqual(named.toSorted());
          },
        );
        expect(acts).toBeGreaterThan(0);
      }
    },
  );

  test.each(["put", "commit", "delete", "read"] as const)(
    "records may come, and be tiered, at any %s",
    async (step) => {
      const acts = await atEachStep(
        step,
        async (cold) => {
          const { rig } = cold.kit;
          const owner = await cold.owner();
          if (owner.highWatermark > 12) return;
          await cold.append("a=6", "c=6", "d=6", "e=6");
          await rig.pass(70_000);
        },
        async (cold) => {
          const seen = await cold.read();
          for (const each of ["11:b=5", "12:a=6", "13:c=6", "14:d=6", "15:e=6"]) {
            expect(seen).toContain(each);
          }
          await cold.kit.rig.pass(130_000);
          await cold.clean();
          const parts = await cold.parts();
          expect([parts[0]?.baseOffset, parts.at(-1)?.nextOffset]).toEqual([0, 16]);
          expect(await cold.read()).toEqual(["11:b=5", "12:a=6", "13:c=6", "14:d=6", "15:e=6"]);
        },
      );
      expect(acts).toBeGreaterThan(0);
    },
  );

  test.each(["put", "commit", "delete", "read"] as const)(
    "the topic may be deleted at any %s, and nothing of it is left",
    async (step) => {
      for (let nth = 1; ; nth++) {
        const cold = await filled();
        const { kit } = cold;
        let steps = 0;
        let isDeleted = false;
        cold.onStep = async (each, now) => {
          if (each !== step || now !== "before" || ++steps !== nth) return;
          isDeleted = true;
          void kit.rig.cluster.deleteTopic("t");
          await kit.rig.pass(10);
        };
        await kit.clean();
        if (!isDeleted) break;
        await kit.rig.pass(10_000);
        expect(cold.objects).toEqual([]);
        const items = kit.rig.store.items();
        expect(items.filter(({ key }) => key.includes("/segment/"))).toEqual([]);
        expect(nth).toBeLessThan(100);
      }
    },
  );

  test("a reader goes on from a part that was replaced, and misses nothing that is live", async () => {
    for (let nth = 1; nth < 12; nth++) {
      const cold = await filled();
      let steps = 0;
      const readers: Promise<readonly string[]>[] = [];
      cold.onStep = async (step, when) => {
        if (step === "read" || when !== "before" || ++steps !== nth) return;
        for (let from = 0; from < 12; from++) readers.push(cold.read(from));
      };
      await cold.clean();
      cold.onStep = () => Promise.resolve();
      await cold.kit.drive(Promise.all(readers).then(() => undefined));
      for (const [from, seen] of (await Promise.all(readers)).entries()) {
        const live = cleaned.filter((record) => Number.parseInt(record) >= from);
        for (const record of live) expect(seen).toContain(record);
      }
    }
  });

  test("a search by time that meets a part which is gone looks again", async () => {
    const cold = await filled();
    const owner = await cold.owner();
    let searching: Promise<unknown> | undefined;
    let isSearching = false;
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    cold.onStep = async (step, when) => {
      if (step === "commit" && when === "before" && !isSearching) {
        isSearching = true;
        searching = owner.findByTimestamp(1);
      }
      // The search alone reads between the commit and the deletion of what was replaced.
      if (step === "read" && when === "before" && isSearching) await released;
      if (step === "delete" && when === "after") release();
    };
    await cold.clean();
    const found = Promise.resolve(searching);
    await cold.kit.drive(found.then(() => undefined));
    // Nothing is left of the first part.
    expect(await found).toMatchObject({ offset: 6 });
  });
});
