import { MemoryMetadataStore, SeededRandom } from "@millrace/adapter-memory";
import { MetadataError, type MetadataStore } from "@millrace/core";
import { expect, it } from "vitest";
import { ControlStore } from "./control-store.ts";
import { EagerClock } from "./fixtures.ts";
import { storeTriesMax } from "./limits.ts";

/** A store whose transactions fail as the list says, before or after their effect. */
function faulty(fates: ("refused" | "lost" | "goes")[]) {
  const memory = new MemoryMetadataStore();
  let tries = 0;
  const store: MetadataStore = {
    get: (key) => memory.get(key),
    range: (range) => memory.range(range),
    close: () => memory.close(),
    transact: async (writes) => {
      tries += 1;
      const fate = fates.shift() ?? "goes";
      if (fate === "refused") throw new MetadataError("no", { retriable: true, applied: "no" });
      const outcome = await memory.transact(writes);
      if (fate === "lost") throw new MetadataError("lost", { retriable: true, applied: "maybe" });
      return outcome;
    },
  };
  const clock = new EagerClock();
  const access = new ControlStore({ store, clock, random: new SeededRandom(1) });
  return { access, memory, tries: () => tries };
}

const write = { key: "a", value: { n: 1 }, over: "nothing" } as const;

it("a write whose answer was lost is known again by what it wrote", async () => {
  const { access } = faulty(["lost"]);
  expect(await access.write([write])).toBe("written");
});

it("another's write of the same item is not taken for one's own", async () => {
  const { access, memory } = faulty([]);
  await memory.transact([{ kind: "put", key: "a", value: { n: 1 } }]);
  expect(await access.write([write])).toBe("refused");
  const lossy = faulty(["refused"]);
  await lossy.memory.transact([{ kind: "put", key: "a", value: { n: 2 } }]);
  expect(await lossy.access.write([write])).toBe("refused");
});

it("a deletion whose answer was lost is known again", async () => {
  const { access, memory } = faulty(["goes", "lost"]);
  await access.write([write]);
  expect(await access.write([{ key: "a", value: undefined, over: 1 }])).toBe("written");
  expect(await memory.get("a")).toBeUndefined();
});

it("what an earlier try may have done, a later one that had no effect does not take back", async () => {
  const { access } = faulty(["lost", ...Array.from({ length: 99 }, () => "refused" as const)]);
  await expect(access.write([write])).rejects.toMatchObject({ applied: "maybe" });
});

it("a store that does not answer is asked a bounded number of times", async () => {
  const { access, tries } = faulty(Array.from({ length: 99 }, () => "refused"));
  await expect(access.write([write])).rejects.toThrow(MetadataError);
  expect(tries()).toBe(storeTriesMax);
});
