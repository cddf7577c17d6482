import { MemoryDisk } from "@millrace/adapter-memory";
import { DiskError, type ItemValue, type Write } from "@millrace/core";
import { describe, expect, test } from "vitest";
import { missingHits } from "./expected-hits.ts";
import { FaultTable, Steps } from "./fault-table.ts";
import { Life } from "./life.ts";
import { NamedSteps, stepsOfRemoval, stepsOfRename, stepsOfSync } from "./named-steps.ts";
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

describe("a life that is paused", () => {
  test("gets what came meanwhile when it goes on, in its order, and before what comes then", async () => {
    const world = newWorld();
    const life = new Life("a process");
    const seen: string[] = [];
    const clock = life.clock(world.clock);
    const cancelled = clock.after(5, () => seen.push("cancelled"));
    clock.after(5, () => {
      seen.push("timer");
      cancelled.cancel();
    });
    clock.after(6, () => seen.push("second timer"));
    void life.fence(world.sleep(7)).then(() => seen.push("reply"));
    life.pause();
    await letPass(world, 100);
    expect(seen).toEqual([]);
    life.resume((run) => world.clock.after(0, run));
    life.deliver(() => seen.push("new"));
    await letPass(world, 100);
    expect(seen).toEqual(["cancelled", "timer", "second timer", "reply", "new"]);
  });

  test("keeps the rest for later when it is paused again, and gets nothing when it ends", async () => {
    const world = newWorld();
    const life = new Life("a process");
    const seen: number[] = [];
    const turn = (run: () => void): void => void world.clock.after(0, run);
    life.pause();
    life.deliver(() => {
      seen.push(1);
      life.pause();
    });
    life.deliver(() => seen.push(2));
    life.deliver(() => seen.push(3));
    life.resume(turn);
    await letPass(world, 10);
    expect(seen).toEqual([1]);
    life.resume(turn);
    life.pause();
    life.end();
    life.resume(turn);
    await letPass(world, 10);
    expect(seen).toEqual([1]);
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
    const watchers = { life, world, trace, steps: new Steps(), table, named: new NamedSteps() };
    const of = { number: 1, isHot: () => false, onCheckpoint: () => undefined };
    const watched = new WatchedDisk(disk, { ...watchers, ...of });
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

test("a crash is armed for one side of one step, and comes once", () => {
  const steps = new Steps();
  let hits = 0;
  const hit = (): "dies" => {
    hits += 1;
    return "dies";
  };
  steps.arm({ step: "segment named", side: "after", hit });
  expect(steps.reached("before", ["segment named"])).toBe(false);
  expect(steps.reached("after", ["start stored"])).toBe(false);
  expect(steps.reached("after", ["start stored", "segment named"])).toBe(true);
  expect(steps.reached("after", ["segment named"])).toBe(false);
  expect(hits).toBe(1);
});

test("a step is known by what changes in the item that is written", () => {
  const named = new NamedSteps();
  const key = "incarnation/1-00";
  const write = (value: ItemValue): readonly Write[] => [{ kind: "put", key, value }];
  const stepsOf = (value: ItemValue, life: number): readonly string[] => {
    const steps = named.ofTransaction(write(value), life);
    named.made(write(value), life);
    return steps;
  };
  const checkpoint = { number: 0, bytes: 9 };
  expect(stepsOf({ state: "open", trim: 0 }, 1)).toEqual([]);
  expect(stepsOf({ state: "open", trim: 5 }, 1)).toEqual(["journal trimmed"]);
  expect(stepsOf({ state: "open", trim: 5, checkpoint }, 1)).toEqual(["checkpoint registered"]);
  expect(stepsOf({ state: "closed", trim: 5, checkpoint }, 2)).toEqual(["former journal closed"]);
});

test("the steps of a replacement are known by the files' names", () => {
  const folder = "partitions/topic-0";
  const range = `${folder}/${"0".repeat(20)}-${"9".padStart(20, "0")}`;
  const [old, next] = ["5", "9"].map((offset) => `${folder}/${offset.padStart(20, "0")}.log`);
  const stepsOf = (path: string, names: readonly string[]): readonly string[] => {
    return stepsOfRemoval(
      path,
      () => true,
      () => names,
    );
  };
  const swaps = [`${range}.swap`.slice(folder.length + 1)];
  expect(stepsOfSync(`${range}.cleaned`)).toEqual(["cleaned segment written"]);
  expect(stepsOfRename(`${range}.cleaned`, `${range}.swap`)).toEqual(["swap named"]);
  expect(stepsOf(old ?? "", swaps)).toEqual(["old segment removed"]);
  expect(stepsOf(next ?? "", swaps)).toEqual(["hot segment removed"]);
  expect(stepsOf(old ?? "", [])).toEqual(["hot segment removed"]);
  expect(stepsOfRename(`${range}.swap`, old ?? "")).toEqual(["swap put in place"]);
});

test("a segment that takes another's place is told from one that comes", () => {
  const named = new NamedSteps();
  const put = (offset: number): Write => ({ kind: "put", key: keyOf(offset), value: {} });
  const forget = (offset: number): Write => ({ kind: "delete", key: keyOf(offset) });
  const keyOf = (offset: number): string => `slot/00001/segment/topic/0/${offset}`;
  const stepsOf = (...writes: readonly Write[]): readonly string[] => {
    const steps = named.ofTransaction(writes, 1);
    named.made(writes, 1);
    return steps;
  };
  expect(stepsOf(put(0), put(9))).toEqual(["segment named"]);
  expect(stepsOf(put(0), forget(9))).toEqual(["cold parts replaced"]);
  expect(stepsOf(put(9))).toEqual(["segment named"]);
  expect(stepsOf(put(9))).toEqual(["cold parts replaced"]);
  expect(stepsOf(forget(0))).toEqual(["segments forgotten"]);
});

test("a process that dies has no effect on its disk any more", async () => {
  const world = newWorld();
  const disk = new MemoryDisk();
  const life = new Life("a process");
  const watchers = { life, world, trace: world.trace, steps: new Steps(), table: new FaultTable() };
  const of = { named: new NamedSteps(), number: 1, isHot: () => false };
  const watched = new WatchedDisk(disk, { ...watchers, ...of, onCheckpoint: () => undefined });
  watched.makeDirectory("d");
  const file = watched.open("d/f", { create: "ifAbsent" });
  file?.write(0, [bytes(0, 3)]);
  life.freeze();
  expect(() => file?.write(3, [bytes(0, 3)])).toThrow(DiskError);
  expect(() => watched.open("d/g", { create: "ifAbsent" })).toThrow(DiskError);
  watched.remove("d/f");
  expect(disk.paths()).toEqual(["d/f"]);
  expect(disk.bytesOf("d/f")).toEqual(bytes(0, 3));
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
