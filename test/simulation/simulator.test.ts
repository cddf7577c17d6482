import { MemoryDisk } from "@millrace/adapter-memory";
import { describe, expect, test } from "vitest";
import { missingHits } from "./expected-hits.ts";
import { FaultTable, Steps } from "./fault-table.ts";
import { Life } from "./life.ts";
import { Network, type Pipe } from "./network.ts";
import { WatchedDisk } from "./ports.ts";
import { Trace } from "./trace.ts";
import { decodeValue, encodeValue } from "./values.ts";
import { World } from "./world.ts";

const newWorld = (seed = 1): World => new World({ seed, keepTrace: "all" });

interface Ends {
  readonly pipe: Pipe;
  readonly requests: number[];
  readonly closes: (Error | undefined)[];
}

function connect(network: Network): Ends {
  const requests: number[] = [];
  const closes: (Error | undefined)[] = [];
  const nothing = (): void => undefined;
  const pipe = network.pipe({
    received: { request: (chunk) => requests.push(...chunk), reply: nothing },
    drained: { request: nothing, reply: nothing },
    closed: (error) => closes.push(error),
  });
  return { pipe, requests, closes };
}

function bytes(from: number, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, at) => from + at);
}

async function letPass(world: World, ms: number): Promise<void> {
  await world.runUntil(() => false, { untilMs: world.nowMs + ms, afterEvent: () => undefined });
}

describe("the network", () => {
  test("delivers every byte in its order, whatever the weather", async () => {
    const world = newWorld();
    const network = new Network(world);
    network.weather.splitPerThousand = 900;
    network.weather.delayMsMax = 50;
    const { pipe, requests } = connect(network);
    pipe.request.send([bytes(0, 100)]);
    pipe.request.send([bytes(100, 100)]);
    await letPass(world, 60_000);
    expect(requests).toEqual([...bytes(0, 200)]);
  });

  test("resets an armed connection in the middle of a frame, and tells both ends once", async () => {
    const world = newWorld();
    const network = new Network(world);
    const { pipe, requests, closes } = connect(network);
    network.resetInNext("request");
    pipe.request.send([bytes(0, 100)]);
    await letPass(world, 1_000);
    pipe.reset("again");
    await letPass(world, 1_000);
    expect(requests.length).toBeGreaterThan(0);
    expect(requests.length).toBeLessThan(100);
    expect(closes).toHaveLength(1);
    expect(network.resets).toEqual({ inRequest: 1, inReply: 0, betweenFrames: 0 });
  });

  test("holds back what comes while the reader is paused", async () => {
    const world = newWorld();
    const { pipe, requests } = connect(new Network(world));
    pipe.request.pause();
    pipe.request.send([bytes(0, 3)]);
    await letPass(world, 1_000);
    expect(requests).toEqual([]);
    pipe.request.resume();
    await letPass(world, 1_000);
    expect(requests).toEqual([0, 1, 2]);
  });
});

describe("a life that is over", () => {
  test("has timers that do not fire, promises that do not settle, and calls that throw", async () => {
    const world = newWorld();
    const life = new Life("a process");
    const seen: string[] = [];
    const clock = life.clock(world.clock);
    clock.after(5, () => seen.push("early"));
    clock.after(20, () => seen.push("late"));
    void life.fence(world.sleep(20)).then(() => seen.push("settled"));
    await letPass(world, 10);
    life.end();
    await letPass(world, 100);
    expect(seen).toEqual(["early"]);
    expect(() => clock.after(1, () => undefined)).toThrow("a process is dead");
  });

  test("can't touch the disk that outlives it", async () => {
    const world = newWorld();
    const disk = new MemoryDisk();
    const life = new Life("a process");
    const { trace } = world;
    const table = new FaultTable();
    const watched = new WatchedDisk(disk, { life, trace, steps: new Steps(), table });
    disk.makeDirectory("d");
    const file = watched.open("d/f", { create: "ifAbsent" });
    life.end();
    expect(() => file?.write(0, [bytes(0, 1)])).toThrow("a process is dead");
    expect(() => watched.remove("d/f")).toThrow("a process is dead");
    expect(disk.paths()).toEqual(["d/f"]);
  });
});

test("steps tell what is running, and call who watches for the next one", () => {
  const steps = new Steps();
  let hits = 0;
  steps.watch("sync journal", () => {
    hits += 1;
  });
  expect(steps.running).toEqual(["idle"]);
  const end = steps.begin("sync journal");
  steps.begin("sync journal");
  expect([hits, ...steps.running]).toEqual([1, "sync journal"]);
  end();
  end();
  expect(steps.running).toEqual(["sync journal"]);
});

test("a case that no fault ever hit is named as missing", () => {
  const table = new FaultTable();
  expect(missingHits(table)).toContainEqual({ fault: "kill", step: "sync journal" });
  table.add("kill", "sync journal");
  expect(missingHits(table)).not.toContainEqual({ fault: "kill", step: "sync journal" });
});

test("a trace's digest tells two orders of the same lines apart", () => {
  const digest = (...lines: readonly string[]): string => {
    const trace = new Trace({ nowMs: () => 0, keep: "digest" });
    for (const line of lines) trace.add(line);
    return trace.digest;
  };
  expect(digest("a", "b")).toBe(digest("a", "b"));
  expect(digest("a", "b")).not.toBe(digest("b", "a"));
});

test("a value's bytes say whether they were changed", () => {
  const sent = encodeValue(12_345);
  expect(decodeValue(sent)).toBe(12_345);
  expect(decodeValue(sent.subarray(0, sent.length - 1))).toBeUndefined();
  sent[20] = (sent[20] ?? 0) ^ 1;
  expect(decodeValue(sent)).toBeUndefined();
});
