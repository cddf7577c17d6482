import { SeededRandom } from "@millrace/adapter-memory";
import { expect, it } from "vitest";
import { drawMs, modelled } from "./latency.ts";
import { outagesOf } from "./outages.ts";

it("a store's latencies are as they are modelled", () => {
  const random = new SeededRandom(1);
  const { p50Ms, p99Ms } = modelled.objects;
  const drawn = Array.from({ length: 20_000 }, () => drawMs(modelled.objects, random));
  const shareBelow = (ms: number): number => drawn.filter((one) => one < ms).length / drawn.length;
  expect(shareBelow(p50Ms)).toBeCloseTo(0.5, 1);
  expect(shareBelow(p99Ms)).toBeCloseTo(0.99, 2);
});

it("partitions that a fault hits come back, and others hardly notice", async () => {
  const size = { times: 1, partitions: 6, idle: 10, restMsMax: 1_000 };
  const found = await outagesOf({ ...size, kinds: ["kill", "stop"], seed: 1 });
  const names = found.rows.map(({ of }) => of);
  expect(names).toEqual(expect.arrayContaining(["kill", "stop", "others"]));
  const maxOf = (kind: string): number => found.rows.find(({ of }) => of === kind)?.maxMs ?? 0;
  // Who dies is missed after 2.5 s, not before.
  expect(maxOf("kill")).toBeGreaterThan(2_000);
  expect(maxOf("stop")).toBeLessThan(1_500);
  expect(maxOf("others")).toBeLessThan(1_000);
}, 60_000);

it("a seed has the same outages each time", async () => {
  const options = { kinds: ["fence"], times: 1, partitions: 3, idle: 0, restMsMax: 500 } as const;
  expect(await outagesOf({ ...options, seed: 7 })).toEqual(
    await outagesOf({ ...options, seed: 7 }),
  );
}, 60_000);
