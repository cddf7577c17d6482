import type { ConsumedUnits, Write } from "@millrace/core";
import { expect, it } from "vitest";
import { MeteredMetadataStore } from "./metadata-store-meter.ts";
import { MemoryMetadataStore } from "./metadata-store.ts";

const put = (key: string, bytes = 1): Write => ({
  kind: "put",
  key,
  value: { text: "x".repeat(bytes) },
});

it("bills reads, writes and transactions as DynamoDB would", async () => {
  const consumed: ConsumedUnits[] = [];
  const inner = new MemoryMetadataStore();
  const store = new MeteredMetadataStore(inner, (each) => consumed.push(each));
  const billed = async (run: () => Promise<unknown>): Promise<unknown> => {
    consumed.length = 0;
    await run();
    return consumed.map(({ kind, operation, units }) => [operation, kind, units]);
  };
  const check: Write = { kind: "check", key: "p/a", condition: { is: "version", version: 9 } };
  expect(await billed(() => store.transact([]))).toEqual([]);
  expect(await billed(() => store.get("p/a"))).toEqual([["get", "read", 1]]);
  expect(await billed(() => store.get("p/a", "eventual"))).toEqual([["get", "read", 0.5]]);
  expect(await billed(() => store.transact([put("p/a")]))).toEqual([["transact", "write", 2]]);
  expect(await billed(() => store.transact([put("p/a")]))).toEqual([["put", "write", 1]]);
  expect(await billed(() => store.transact([put("p/a", 2_000)]))).toEqual([["put", "write", 3]]);
  // By the larger of what it finds and leaves.
  expect(await billed(() => store.transact([put("p/a")]))).toEqual([["put", "write", 3]]);
  expect(await billed(() => store.transact([check]))).toEqual([["get", "read", 1]]);
  const both = [put("p/b", 5_000), check];
  expect(await billed(() => store.transact(both))).toEqual([["transact", "write", 12]]);
  expect((await store.get("p/b"))?.version).toBeUndefined();
  await inner.transact([put("p/b", 5_000)]);
  const range = { from: "p/", to: "p0", limit: 9 };
  expect(await billed(() => store.range(range))).toEqual([["range", "read", 2]]);
  const eventual = { ...range, consistency: "eventual" } as const;
  expect(await billed(() => store.range(eventual))).toEqual([["range", "read", 1]]);
  const gone: Write = { kind: "delete", key: "p/b" };
  expect(await billed(() => store.transact([gone]))).toEqual([["transact", "write", 10]]);
  expect(await billed(() => store.transact([gone]))).toEqual([["transact", "write", 2]]);
});
