import {
  FaultyObjectStore,
  MemoryObjectStore,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import { ObjectError, type ObjectStore } from "@millrace/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { settled } from "../../../test/fixtures/test-cluster.ts";
import { objectBackoffMsMax, objectTriesMax } from "./limits.ts";
import { ObjectAccess, type ObjectMeter } from "./object-access.ts";

/** Object access over a faulty store on virtual time, and what it counted. */
class Rig {
  readonly clock = new VirtualClock();
  readonly memory = new MemoryObjectStore();
  readonly faulty: FaultyObjectStore;
  readonly access: ObjectAccess;
  /** As `put ok 5` and `retry put`. */
  readonly seen: string[] = [];

  constructor(seed = 1, store?: ObjectStore) {
    const { clock } = this;
    const random = new SeededRandom(seed);
    this.faulty = new FaultyObjectStore(this.memory, { clock, random });
    const meter: ObjectMeter = {
      ended: ({ operation, outcome, bytes }) => this.seen.push(`${operation} ${outcome} ${bytes}`),
      retried: (operation) => this.seen.push(`retry ${operation}`),
    };
    this.access = new ObjectAccess({ store: store ?? this.faulty, clock, random, meter });
  }

  /** Lets virtual time pass until the call has settled. */
  run<Result>(call: Promise<Result>): Promise<Result> {
    return settled(this.clock, call);
  }
}

const bytes = (letters: string): Uint8Array => new TextEncoder().encode(letters);

describe("a put", () => {
  it("stores the object at the first try when nothing fails", async () => {
    const rig = new Rig();
    expect(await rig.run(rig.access.put("a", [bytes("x"), bytes("yz")]))).toBe("stored");
    expect(rig.seen).toEqual(["put ok 3"]);
  });

  it("is tried again after what had no effect, without a look", async () => {
    const rig = new Rig();
    rig.faulty.plan("put", "slowDown", "slowDown");
    expect(await rig.run(rig.access.put("a", [bytes("x")]))).toBe("stored");
    expect(rig.seen).toEqual([
      "put failed 0",
      "retry put",
      "put failed 0",
      "retry put",
      "put ok 1",
    ]);
  });

  it("finds its own object after a lost reply, and does not send it again", async () => {
    const rig = new Rig();
    rig.faulty.plan("put", "replyLost");
    expect(await rig.run(rig.access.put("a", [bytes("xyz")]))).toBe("stored");
    expect(rig.seen).toEqual(["put failed 0", "read ok 3"]);
  });

  it("sends the same bytes again after a 409 with nothing there", async () => {
    const rig = new Rig();
    rig.faulty.plan("put", "conflict", "requestLost");
    expect(await rig.run(rig.access.put("a", [bytes("x")]))).toBe("stored");
    const failed = ["put failed 0", "read ok 0", "retry put"];
    expect(rig.seen).toEqual([...failed, ...failed, "put ok 1"]);
  });

  it("takes an equal object for its own, and any other for a foreign one", async () => {
    const rig = new Rig();
    await rig.memory.putIfAbsent("a", [bytes("mine")]);
    expect(await rig.run(rig.access.put("a", [bytes("mi"), bytes("ne")]))).toBe("stored");
    for (const other of ["ours", "mine!", "min", "", "!mine"]) {
      expect(await rig.run(rig.access.put("a", [bytes(other)]))).toBe("foreign");
    }
  });

  it("tells a foreign object from its own after a 409 too", async () => {
    const rig = new Rig();
    await rig.memory.putIfAbsent("a", [bytes("theirs")]);
    rig.faulty.plan("put", "conflict");
    expect(await rig.run(rig.access.put("a", [bytes("mine")]))).toBe("foreign");
    expect(rig.seen).toEqual(["put failed 0", "read ok 5"]);
  });

  it("compares the ends of large objects, and their lengths", async () => {
    const rig = new Rig();
    const [body, nonce] = [new Uint8Array(200_000), bytes("nonce of 16 byte")];
    expect(await rig.run(rig.access.put("a", [body, nonce]))).toBe("stored");
    expect(await rig.run(rig.access.put("a", [body, nonce]))).toBe("stored");
    const other = bytes("nonce of another");
    expect(await rig.run(rig.access.put("a", [body, other]))).toBe("foreign");
    expect(await rig.run(rig.access.put("a", [body.subarray(1), nonce]))).toBe("foreign");
    expect(await rig.run(rig.access.put("a", [new Uint8Array(1), body, nonce]))).toBe("foreign");
    expect(rig.seen.filter((line) => line.startsWith("read"))).toEqual([
      "read ok 65536",
      "read ok 65536",
      "read ok 65537",
      "read ok 65535",
    ]);
  });

  it("that is proven by its first part compares only that", async () => {
    const rig = new Rig();
    const [nonce, body] = [bytes("nonce of 16 byte"), new Uint8Array(200_000)];
    const put = (...parts: readonly Uint8Array[]): Promise<string> =>
      rig.run(rig.access.put("a", parts, { proof: "firstPart" }));
    expect(await put(nonce, body)).toBe("stored");
    expect(await put(nonce, body)).toBe("stored");
    expect(await put(bytes("nonce of another"), body)).toBe("foreign");
    const reads = rig.seen.filter((line) => line.startsWith("read"));
    expect(reads).toEqual(["read ok 16", "read ok 16"]);
  });

  it("is not tried again once nobody wants it any more", async () => {
    const rig = new Rig();
    rig.faulty.plan("put", "slowDown", "slowDown");
    let asked = 0;
    const isWanted = (): boolean => asked++ === 0;
    const put = expect(rig.run(rig.access.put("a", [bytes("x")], { isWanted })));
    await put.rejects.toMatchObject({ name: "ObjectError", applied: "no" });
    expect(rig.seen).toEqual(["put failed 0", "retry put", "put failed 0"]);
    expect(rig.memory.keys).toEqual([]);
  });

  it("takes an object that was there and is gone for a foreign one", async () => {
    const rig = new Rig();
    await rig.memory.putIfAbsent("a", [bytes("mine")]);
    rig.faulty.lose("a");
    expect(await rig.run(rig.access.put("a", [bytes("mine")]))).toBe("foreign");
    expect(rig.faulty.counts.missing).toBe(1);
  });

  it("ends after a bounded number of tries, and says what they may have done", async () => {
    const rig = new Rig();
    rig.faulty.rates = { perThousand: { slowDown: 1000 } };
    const refused = expect(rig.run(rig.access.put("a", [bytes("x")])));
    await refused.rejects.toMatchObject({ name: "ObjectError", retriable: true, applied: "no" });
    expect(rig.faulty.counts.slowDown).toBe(objectTriesMax);
    rig.faulty.plan("put", "requestLost");
    const unknown = expect(rig.run(rig.access.put("b", [bytes("x")])));
    await unknown.rejects.toMatchObject({ name: "ObjectError", retriable: true, applied: "maybe" });
  });

  it("looks a last time before it gives up", async () => {
    const rig = new Rig();
    const faults = Array.from({ length: objectTriesMax - 1 }, () => "slowDown" as const);
    rig.faulty.plan("put", ...faults, "replyLost");
    expect(await rig.run(rig.access.put("a", [bytes("x")]))).toBe("stored");
  });

  it("does not try again what will not pass, nor what is a bug", async () => {
    const rig = new Rig();
    await expect(rig.run(rig.access.put("not a key", []))).rejects.toThrow("not a key");
    await rig.memory.close();
    const closed = expect(rig.run(rig.access.put("a", [])));
    await closed.rejects.toMatchObject({ retriable: false, applied: "no" });
    expect(rig.seen).toEqual(["put failed 0", "put failed 0"]);
  });

  it("waits longer from try to try, with jitter, up to a bound", async () => {
    const times: number[] = [];
    const rig = new Rig(5, {
      putIfAbsent: async () => {
        times.push(rig.clock.monotonicMs());
        throw new ObjectError("full", { retriable: true, applied: "no" });
      },
    } as unknown as ObjectStore);
    await expect(rig.run(rig.access.put("a", []))).rejects.toThrow("full");
    const waits = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(waits).toHaveLength(objectTriesMax - 1);
    waits.forEach((wait, index) => {
      const longest = Math.min(objectBackoffMsMax, 50 * 2 ** index);
      expect(wait).toBeGreaterThanOrEqual(longest / 2);
      expect(wait).toBeLessThan(longest);
    });
    expect(new Set(waits.map((wait, index) => wait / 2 ** index)).size).toBeGreaterThan(1);
  });
});

describe("whatever the store does", () => {
  it("a put that says stored is there, and one that says foreign is not", async () => {
    const hits = { stored: 0, foreign: 0, failed: 0, late: 0 };
    const race = async (seed: number): Promise<void> => {
      const rig = new Rig(seed);
      rig.faulty.rates = {
        perThousand: {
          slowDown: 100,
          requestLost: 100,
          replyLost: 100,
          lateEffect: 100,
          conflict: 100,
        },
        latencyMsMax: 30,
        slowMsMax: 400,
      };
      const bodies = ["first", "second", "third"].map(bytes);
      const outcomes = await rig.run(
        Promise.allSettled(bodies.map((body) => rig.access.put("raced", [body]))),
      );
      // What comes late has come.
      while (rig.clock.fireNext()) await new Promise((resolve) => setImmediate(resolve));
      const found = rig.memory.bytesOf("raced");
      hits.late += rig.faulty.counts.lateEffect;
      outcomes.forEach((outcome, index) => {
        if (outcome.status === "rejected") {
          expect(outcome.reason).toBeInstanceOf(ObjectError);
          hits.failed += 1;
          return;
        }
        hits[outcome.value] += 1;
        const isMine = Buffer.compare(found ?? bytes(""), bodies[index] ?? bytes("?")) === 0;
        expect(isMine).toBe(outcome.value === "stored");
      });
    };
    await fc.assert(fc.asyncProperty(fc.nat(), race), { numRuns: 150 });
    expect(hits.stored).toBeGreaterThan(100);
    expect(hits.foreign).toBeGreaterThan(200);
    expect(hits.late).toBeGreaterThan(10);
  });
});

describe("reads, lists and deletions", () => {
  it("are tried again, and counted", async () => {
    const rig = new Rig();
    await rig.memory.putIfAbsent("a", [bytes("abc")]);
    rig.faulty.plan("read", "slowDown", "requestLost", "slowRead");
    expect(await rig.run(rig.access.readRange("a", { from: 1, bytes: 9 }))).toEqual(bytes("bc"));
    rig.faulty.plan("list", "requestLost", "slowList");
    expect((await rig.run(rig.access.list({ prefix: "", limit: 1 }))).objects).toHaveLength(1);
    rig.faulty.plan("delete", "replyLost", "lateEffect");
    await rig.run(rig.access.delete(["a"]));
    expect(rig.memory.keys).toEqual([]);
    const failed = (operation: string): string[] => [`${operation} failed 0`, `retry ${operation}`];
    expect(rig.seen).toEqual([
      ...[...failed("read"), ...failed("read"), "read ok 2"],
      ...[...failed("list"), "list ok 0"],
      ...[...failed("delete"), ...failed("delete"), "delete ok 0"],
    ]);
    const { slowRead, slowList, lateEffect } = rig.faulty.counts;
    expect({ slowRead, slowList, lateEffect }).toEqual({ slowRead: 1, slowList: 1, lateEffect: 1 });
  });

  it("find an object missing at the first try", async () => {
    const rig = new Rig();
    expect(await rig.run(rig.access.readRange("a", { from: 0, bytes: 1 }))).toBeUndefined();
    expect(rig.seen).toEqual(["read ok 0"]);
  });

  it("end after a bounded number of tries", async () => {
    const rig = new Rig();
    rig.faulty.rates = { perThousand: { requestLost: 1000 } };
    const read = expect(rig.run(rig.access.readRange("a", { from: 0, bytes: 1 })));
    await read.rejects.toMatchObject({ name: "ObjectError", retriable: true });
    const deletion = expect(rig.run(rig.access.delete(["a"])));
    await deletion.rejects.toMatchObject({ name: "ObjectError", applied: "maybe" });
    expect(rig.faulty.counts.requestLost).toBe(2 * objectTriesMax);
  });

  it("go through all pages of a prefix, and delete in batches", async () => {
    const rig = new Rig();
    const keys = Array.from({ length: 2_500 }, (_, n) => `a/${String(n).padStart(4, "0")}`);
    for (const key of keys) await rig.memory.putIfAbsent(key, []);
    await rig.memory.putIfAbsent("b", []);
    const listed: string[] = [];
    rig.faulty.plan("list", "none", "slowDown");
    const listing = async (): Promise<void> => {
      for await (const { key } of rig.access.listAll("a/")) listed.push(key);
    };
    await rig.run(listing());
    expect(listed).toEqual(keys);
    rig.faulty.plan("delete", "none", "slowDown");
    await rig.run(rig.access.delete(keys));
    expect(rig.memory.keys).toEqual(["b"]);
    expect(rig.seen.filter((line) => line === "delete ok 0")).toHaveLength(3);
  });
});
