import { describe, expect, test } from "vitest";
import { assigned, GroupTranscript, stable } from "./group-transcript.ts";
import { checkCommit } from "./heartbeat.ts";

describe("the sync phase", () => {
  test("ends with the leader's assignment, which later members get too", () => {
    const script = stable("a", "b", "c");
    for (const name of ["a", "b", "c"]) script.join(name);
    script.take();
    script.sync("b");
    expect(script.take()).toEqual([]);
    script.sync("a", { assignments: assigned("a", "b") });
    script.sync("c");
    expect(script.take()).toEqual([
      "writes Stable 2",
      "#11 assigned [1]",
      "#10 assigned [2]",
      "#12 assigned []",
    ]);
    expect(script.timers.has("sync")).toBe(false);
  });

  test("refuses strangers, old generations, other protocols, and anybody while members join", () => {
    const script = stable("a", "b");
    script.sync("x");
    script.sync("a", { generation: 9 });
    script.sync("a", { protocolType: "connect" });
    script.sync("a", { protocolName: "sticky" });
    script.join("a");
    script.sync("b");
    expect(script.take()).toEqual([
      "#5 unknownMember",
      "#6 illegalGeneration",
      "#7 inconsistentProtocol",
      "#8 inconsistentProtocol",
      "#10 rebalanceInProgress",
    ]);
  });

  test("answers who leaves while it waits for the leader", () => {
    const script = stable("a", "b");
    script.join("a");
    script.join("b");
    script.sync("b");
    script.take();
    expect(script.leave("b")).toBe("left");
    expect(script.take()).toEqual(["#7 unknownMember"]);
  });

  test("throws out who does not ask for its assignment in time", () => {
    const script = stable("a", "b");
    script.join("a");
    script.join("b");
    script.sync("a", { assignments: assigned("a", "b") });
    script.take();
    script.pass(9_000);
    for (const name of ["a", "b"]) script.heartbeat(name);
    script.pass(9_000);
    for (const name of ["a", "b"]) script.heartbeat(name);
    script.pass(2_000);
    expect(script.take()).toEqual(["sync fires"]);
    expect(script.heartbeat("b")).toBe("unknownMember");
    expect(script.heartbeat("a")).toBe("rebalanceInProgress");
  });
});

describe("sessions", () => {
  test("end without heartbeats, and others join again", () => {
    const script = stable("a", "b");
    script.pass(6_000);
    expect(script.heartbeat("a")).toBe("alive");
    script.pass(4_000);
    expect(script.take()).toEqual(["member:b fires"]);
    expect(script.heartbeat("a")).toBe("rebalanceInProgress");
    script.join("a");
    expect(script.take()).toContain("#5 a: generation 2 range, leads a");
  });

  test("go on while a known member's join waits, but not a new one's", () => {
    const script = stable("a");
    script.join("b", { rebalanceTimeoutMs: 900_000 });
    script.join("c", { rebalanceTimeoutMs: 900_000 });
    for (let passed = 0; passed < 300_000; passed += 5_000) {
      script.heartbeat("a");
      script.pass(5_000);
    }
    expect(script.take()).toEqual([
      "member:b fires",
      "#3 : unknownMember",
      "member:c fires",
      "#4 : unknownMember",
    ]);
  });

  test("must be within the broker's bounds", () => {
    const script = new GroupTranscript();
    script.join("a", { sessionTimeoutMs: 999 });
    script.join("a", { sessionTimeoutMs: 60_001 });
    expect(script.take()).toEqual(["#1 : invalidSessionTimeout", "#2 : invalidSessionTimeout"]);
  });

  test("of another generation, and of strangers, are refused", () => {
    const script = stable("a");
    expect(script.heartbeat("a", { generation: 9 })).toBe("illegalGeneration");
    expect(script.heartbeat("x")).toBe("unknownMember");
    expect(script.heartbeat("a", { instanceId: "i" })).toBe("unknownMember");
  });
});

describe("group.max.size", () => {
  test("refuses a member more, and lets those that are in join again", () => {
    const script = new GroupTranscript({ maxSize: 2, initialRebalanceDelayMs: 0 });
    script.join("a");
    script.join("b");
    script.join("c");
    expect(script.take()).toEqual(["#3 : groupMaxSizeReached"]);
    script.pass(0);
    script.join("d");
    script.join("a");
    expect(script.take().slice(-2)).toEqual([
      "#4 : groupMaxSizeReached",
      "#5 a: generation 1 range, leads a,b",
    ]);
  });
});

describe("a restart of the coordinator", () => {
  test("changes nothing for the members of a Stable group", () => {
    const script = stable("a", "b");
    script.restart();
    expect(script.heartbeat("a")).toBe("alive");
    script.sync("b");
    expect(script.take()).toEqual(["#5 assigned [2]"]);
  });

  test("lets the sync phase that was under way end", () => {
    const script = stable("a", "b");
    script.join("a");
    script.join("b");
    script.restart();
    script.take();
    script.sync("b");
    script.sync("a", { assignments: assigned("a", "b") });
    expect(script.take()).toEqual(["writes Stable 2", "#8 assigned [1]", "#7 assigned [2]"]);
  });

  test("keeps the generation of an empty group", () => {
    const script = stable("a");
    script.leave("a");
    script.restart();
    script.join("b");
    script.pass(3_000);
    expect(script.take().at(-1)).toBe("#3 b: generation 3 range, leads b");
  });
});

describe("commits", () => {
  const check = (
    script: GroupTranscript,
    memberId: string,
    generation: number,
    instanceId: string | null = null,
  ): string => {
    const { group, rules, nowMs } = script;
    const decision = { group, rules, nowMs, effects: [] };
    return checkCommit(decision, { memberId, generation, instanceId });
  };

  test("without a membership are for empty groups only", () => {
    expect(check(new GroupTranscript(), "", -1)).toBe("ok");
    expect(check(stable("a"), "", -1)).toBe("unknownMember");
  });

  test("of members need the present generation, and no assignment under way", () => {
    const script = stable("a", "b");
    expect(check(script, "a", 1)).toBe("ok");
    expect(check(script, "a", 0)).toBe("illegalGeneration");
    expect(check(script, "x", 1)).toBe("unknownMember");
    expect(check(script, "a", 1, "i")).toBe("unknownMember");
    script.join("a");
    expect(check(script, "b", 1)).toBe("ok");
    script.join("b");
    expect(check(script, "b", 2)).toBe("rebalanceInProgress");
  });
});
