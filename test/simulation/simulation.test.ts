import { MetadataError, ObjectError } from "@millrace/core";
import { describe, expect, test } from "vitest";
import type { Mutation } from "./broker-host.ts";
import { FaultTable } from "./fault-table.ts";
import { regimes, simulate } from "./simulate.ts";

/** `run.ts` takes many seeds and long runs; these are what fits into every check. */
const seeds = [1, 2, 3, 4, 5, 6, 7, 8];
const events = 4_000;

describe.for(seeds)("seed %i", (seed) => {
  test("shows no anomaly, and is the same run when it is run again", async () => {
    const result = await simulate({ seed, events });
    expect(result.anomalies).toEqual([]);
    expect(result.acknowledged).toBeGreaterThan(50);
    expect((await simulate({ seed, events })).digest).toBe(result.digest);
  });
});

/** Seven refusals in a row are rare; here the last write of a graceful stop never gets through. */
const unclosable: Mutation = {
  name: "the store does not take the closing of a journal while its broker stops",
  store: (store, { number }) => ({
    get: (key) => store.get(key),
    range: (range) => store.range(range),
    transact: (writes) => {
      const closesOwn = writes.some(
        (write) =>
          write.kind === "put" &&
          write.key.startsWith(`incarnation/${number}-`) &&
          write.value["state"] === "closed",
      );
      const details = { retriable: true, applied: "no" } as const;
      const refusal = new MetadataError("injected: throttled", details);
      return closesOwn ? Promise.reject(refusal) : store.transact(writes);
    },
    close: () => store.close(),
  }),
};

test("a graceful stop ends well, and loses nothing, when the store refuses its last write", async () => {
  for (const regime of regimes) {
    const result = await simulate({ seed: 9, events, regime, mutation: unclosable });
    expect(result.anomalies).toEqual([]);
  }
});

/** From its first call on the object store refuses everything. */
const objectsAway: Mutation = {
  name: "the object store is away",
  objects: () => {
    const refused = (): Promise<never> => {
      const details = { retriable: true, applied: "no" } as const;
      return Promise.reject(new ObjectError("injected: slowDown", details));
    };
    return {
      ...{ putIfAbsent: refused, readRange: refused, list: refused, delete: refused },
      close: () => Promise.resolve(),
    };
  },
};

test("with the object store away appends go on, and what is local is read", async () => {
  for (const regime of ["local", "journal"] as const) {
    let acknowledged = 0;
    for (const seed of [12, 13]) {
      const result = await simulate({ seed, events, regime, mutation: objectsAway });
      expect(result.anomalies).toEqual([]);
      expect(result.checkpoints).toBe(0);
      acknowledged += result.acknowledged;
    }
    expect(acknowledged).toBeGreaterThan(100);
  }
});

/** Of what was a mistake once. */
test("damage that compaction meets in a segment which retention removes meanwhile is none", async () => {
  const how = { events: 6_000, faultsMsMin: 180_000, crashAt: "swap named" };
  expect((await simulate({ seed: 6013, ...how })).anomalies).toEqual([]);
});

test("every regime runs, and two seeds are two runs", async () => {
  const results = await Promise.all(
    regimes.map((regime, at) => simulate({ seed: 20 + at, events: 500, regime })),
  );
  expect(new Set(results.map(({ digest }) => digest)).size).toBe(regimes.length);
  expect(results.flatMap(({ anomalies }) => anomalies)).toEqual([]);
});

test("the faults hit what they are meant to hit", async () => {
  const table = new FaultTable();
  for (const seed of [44, 45, 46]) {
    for (const regime of regimes) table.merge((await simulate({ seed, events, regime })).table);
  }
  for (const fault of ["kill", "graceful stop", "link reset", "crash before", "crash after"]) {
    expect(table.total(fault)).toBeGreaterThan(0);
  }
}, 90_000);
