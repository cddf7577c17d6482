/**
 * What a broker may ask of its stores: bounds that a change of the code must not cross unseen. The
 * whole table is `npm run cost`.
 */
import { describe, expect, test } from "vitest";
import { journalLimits } from "../../broker-fargate/src/journal/limits.ts";
import { putRequests } from "./metered-stores.ts";
import { requestBill } from "./bill.ts";
import { noCounts } from "./counts.ts";
import { readPrices } from "./prices.ts";
import { consumerGroup, fullBatches, type Measured, measure, trickle } from "./scenarios.ts";

const hourMs = 3_600_000;

function counted(
  load: Parameters<typeof measure>[0]["load"],
  options: {
    readonly brokers?: number;
    readonly warmUpMinutes?: number;
    readonly minutes?: number;
  } = {},
): Promise<Measured> {
  const { brokers = 1, minutes = 1, warmUpMinutes = 0.25 } = options;
  return measure({ name: "test", load, brokers, minutes, warmUpMinutes });
}

describe("a broker that nobody uses", () => {
  test("alone in its cluster writes and reads every 5 seconds, and asks nothing of S3", async () => {
    const { perHour } = await counted({ kind: "idle" }, { minutes: 10 });
    expect(perHour.all).toEqual({
      ...noCounts,
      writeUnits: hourMs / 5_000,
      readUnits: (2 * hourMs) / 5_000,
    });
  });

  test("among three writes and reads every 500 ms, and asks nothing of S3", async () => {
    const { perHour } = await counted({ kind: "idle" }, { brokers: 3, minutes: 5 });
    const { readUnits, writeUnits, ...objects } = perHour.all;
    expect(objects).toEqual({ puts: 0, gets: 0, lists: 0, deletes: 0, putBytes: 0, getBytes: 0 });
    expect(writeUnits).toBeLessThanOrEqual((hourMs / 500) * 1.01);
    expect(readUnits).toBeLessThanOrEqual(((2 * hourMs) / 500) * 1.01);
  });
});

describe("a broker that is written to", () => {
  test("puts a journal object for each of two records a second, and hardly anything else", async () => {
    const load = { kind: "produce", partitions: 4, batchesPerSecond: 2, valueBytes: 100 } as const;
    const { perHour } = await counted(load, { minutes: 3, warmUpMinutes: 2 });
    expect(perHour.puts.get("journal")).toBeCloseTo(7_200, -2);
    expect(perHour.all.puts).toBeLessThanOrEqual(7_200 + 2 * 60);
    expect(perHour.all.gets + perHour.all.lists).toBe(0);
  });

  test("at 10 MB/s takes no more than ten journal objects a second, and never waits for its journal", async () => {
    const times = { warmUpMinutes: 0.15, minutes: 0.12 };
    const measured = await counted(fullBatches(10, 100), times);
    const { bytesPerSecond, perHour, untrimmedBytes } = measured;
    expect(bytesPerSecond).toBeGreaterThan(9.9e6);
    expect(perHour.puts.get("journal")).toBeLessThanOrEqual(36_000);
    expect(perHour.all.puts).toBeLessThanOrEqual(36_000 * 1.25);
    expect(perHour.all.gets).toBe(0);
    // Of the 162 MB that were written by then, the first 67 are in a checkpoint, and trimmed.
    expect(untrimmedBytes).toBeLessThan(0.45 * journalLimits.journalBytesMax);
  }, 120_000);

  test("puts one checkpoint a minute for a thousand partitions that trickle", async () => {
    const { perHour } = await counted(trickle(1_000), { warmUpMinutes: 2.5, minutes: 3 });
    expect(perHour.puts.get("checkpoint")).toBeLessThanOrEqual(2 * 60);
    expect(perHour.puts.get("data") ?? 0).toBe(0);
    // No item for any of them: only that the journal was trimmed, and what checkpoints are there.
    expect(perHour.writes.get("slot") ?? 0).toBe(0);
    expect(perHour.all.writeUnits).toBeLessThanOrEqual(2_000);
  });
});

test("a commit of one member of a group of thirty writes one block, with a look at the slot's head", async () => {
  const { busiestPerHour } = await counted(consumerGroup, { minutes: 2 });
  const commitsPerHour = (30 * hourMs) / 5_000;
  const perCommit = (busiestPerHour.writes.get("slot") ?? 0) / commitsPerHour;
  expect(perCommit).toBeGreaterThanOrEqual(1);
  // In a transaction everything costs two units, a check included; some members have two blocks.
  expect(perCommit).toBeLessThan(4.5);
});

test("every object that a broker puts is one request", () => {
  const mebibyte = 1_048_576;
  expect([1, 8 * mebibyte, 33 * mebibyte].map(putRequests)).toEqual([1, 1, 1]);
  expect(putRequests(100 * mebibyte)).toBeGreaterThan(2);
});

test("requests are priced by the table of list prices", () => {
  const prices = readPrices();
  for (const { published, usd } of Object.values(prices.of)) {
    expect(usd).toBeGreaterThan(0);
    expect(published).toMatch(/^https:\/\/aws\.amazon\.com\//u);
  }
  expect(prices.noted).toMatch(/^\d{4}-\d{2}-\d{2}$/u);
  const perHour = { ...noCounts, puts: 1_000, gets: 1_000, readUnits: 1e6, writeUnits: 1e6 };
  const bill = requestBill(perHour, { ...prices, hoursPerMonth: 1 });
  const { dynamoDbReadPerMillion, dynamoDbWritePerMillion, s3GetPerThousand } = prices.of;
  expect(bill.gets).toBeCloseTo(s3GetPerThousand.usd);
  expect(bill.reads).toBeCloseTo(dynamoDbReadPerMillion.usd);
  expect(bill.writes).toBeCloseTo(dynamoDbWritePerMillion.usd);
  expect(bill.total).toBeCloseTo(bill.puts + bill.gets + bill.reads + bill.writes);
});
