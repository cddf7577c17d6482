import { ObjectError, type ObjectRange } from "@millrace/core";
import { beforeEach, describe, expect, it } from "vitest";
import { CheckpointEnds } from "./checkpoint-ends.ts";

const limits = { checkpointEndBytes: 100, checkpointEndsMax: 2 };

describe("the end of a checkpoint", () => {
  let objects: Map<string, Uint8Array>;
  let reads: string[];
  let ends: CheckpointEnds;

  beforeEach(() => {
    objects = new Map(
      ["a", "b", "c"].map((name) => [name, Uint8Array.from({ length: 150 }, byte)]),
    );
    reads = [];
    ends = new CheckpointEnds({ objects: { readRange }, limits });
  });

  async function readRange(key: string, range: ObjectRange): Promise<Uint8Array | undefined> {
    reads.push(`${key} ${range.from}+${range.bytes}`);
    return objects.get(key)?.slice(range.from, range.from + range.bytes);
  }

  const whole = { atLeast: 0, objectBytes: 150 };

  it("is read at once, and what lies in it takes no further read", async () => {
    expect(await ends.read("a", whole)).toEqual(objects.get("a")?.slice(50));
    expect(await ends.readRange("a", { from: 60, bytes: 10 })).toEqual(Uint8Array.of(...bytes(60)));
    expect(await ends.readRange("a", { from: 140, bytes: 10 })).toEqual(
      Uint8Array.of(...bytes(140)),
    );
    expect(reads).toEqual(["a 50+100"]);
    // Before it, over its beginning, and in another object.
    await ends.readRange("a", { from: 0, bytes: 10 });
    await ends.readRange("a", { from: 45, bytes: 10 });
    await ends.readRange("b", { from: 60, bytes: 10 });
    expect(reads.slice(1)).toEqual(["a 0+10", "a 45+10", "b 60+10"]);
  });

  it("gives what was read once: who asks again could not use it", async () => {
    await ends.read("a", whole);
    await ends.read("a", whole);
    expect(reads).toEqual(["a 50+100", "a 50+100"]);
    await ends.readRange("a", { from: 60, bytes: 10 });
    // Another range that begins there is not the same.
    await ends.readRange("a", { from: 60, bytes: 11 });
    expect(reads.slice(2)).toEqual([]);
    await ends.readRange("a", { from: 60, bytes: 10 });
    await ends.readRange("a", { from: 70, bytes: 10 });
    expect(reads.slice(2)).toEqual(["a 60+10", "a 70+10"]);
  });

  it("is larger for who needs more, and then kept by nobody", async () => {
    expect(await ends.read("a", { atLeast: 120, objectBytes: 150 })).toHaveLength(120);
    await ends.readRange("a", { from: 60, bytes: 10 });
    expect(reads).toEqual(["a 30+120", "a 60+10"]);
  });

  it("is kept of a bounded number of objects: the oldest is forgotten", async () => {
    for (const name of ["a", "b", "c"]) await ends.read(name, whole);
    for (const name of ["a", "b", "c"]) await ends.readRange(name, { from: 60, bytes: 10 });
    expect(reads.slice(3)).toEqual(["a 60+10"]);
  });

  it("is read ahead of who asks, who waits for that and reads no more", async () => {
    ends.readAhead("a", 150);
    ends.readAhead("a", 150);
    expect(await ends.read("a", whole)).toEqual(objects.get("a")?.slice(50));
    expect(reads).toEqual(["a 50+100"]);
    expect(await ends.read("a", whole)).toEqual(objects.get("a")?.slice(50));
    expect(reads).toHaveLength(2);
  });

  it("that could not be read ahead is read by who asks", async () => {
    const broken = new ObjectError("away", { retriable: true, applied: "no" });
    let isAway = true;
    const failing = async (key: string, range: ObjectRange): Promise<Uint8Array | undefined> => {
      if (isAway) throw broken;
      return readRange(key, range);
    };
    ends = new CheckpointEnds({ objects: { readRange: failing }, limits });
    ends.readAhead("a", 150);
    await expect(ends.read("a", whole)).rejects.toBe(broken);
    isAway = false;
    expect(await ends.read("a", whole)).toHaveLength(100);
    objects.delete("b");
    ends.readAhead("b", 150);
    expect(await ends.read("b", whole)).toBeUndefined();
  });
});

function byte(_: unknown, at: number): number {
  return at;
}

function bytes(from: number): readonly number[] {
  return Array.from({ length: 10 }, (_, at) => from + at);
}
