import { describe, expect, test } from "vitest";
import { GroupTranscript, protocols, stable } from "./group-transcript.ts";
import { pendingJoinsMax } from "./join.ts";

describe("the first join phase", () => {
  test("waits for the initial delay, and again while members keep joining", () => {
    const script = new GroupTranscript();
    script.join("a");
    script.pass(2_000);
    script.join("b");
    script.pass(1_500);
    expect(script.take()).toEqual(["join fires"]);
    script.pass(2_500);
    expect(script.take()).toEqual([
      "join fires",
      "writes CompletingRebalance 1",
      "#1 a: generation 1 range, leads a,b",
      "#2 b: generation 1 range, led by a",
    ]);
  });

  test("waits no longer than the longest rebalance timeout, however many join", () => {
    const script = new GroupTranscript();
    script.join("m0", { rebalanceTimeoutMs: 7_000 });
    for (let index = 1; index < 7; index += 1) {
      script.pass(1_000);
      script.join(`m${index}`, { rebalanceTimeoutMs: 7_000 });
    }
    script.pass(999);
    expect(script.group.state).toBe("PreparingRebalance");
    script.pass(1);
    expect(script.group.state).toBe("CompletingRebalance");
  });

  test("ends at once without a delay", () => {
    const script = new GroupTranscript({ initialRebalanceDelayMs: 0 });
    script.join("a");
    script.pass(0);
    expect(script.take()).toContain("#1 a: generation 1 range, leads a");
  });

  test("leaves an empty group behind when everybody left meanwhile", () => {
    const script = new GroupTranscript();
    script.join("a");
    script.leave("a");
    script.pass(3_000);
    expect(script.take()).toEqual(["#1 : unknownMember", "join fires", "writes Empty 1"]);
  });
});

describe("joining without an id (KIP-394)", () => {
  test("gives an id first, and joins with it then", () => {
    const script = new GroupTranscript();
    script.join("a", { firstJoin: "givesId" });
    expect(script.take()).toEqual(["#1 a: memberIdRequired"]);
    expect(script.group.state).toBe("Empty");
    script.join("a", { memberId: "a" });
    script.pass(3_000);
    expect(script.take()).toContain("#2 a: generation 1 range, leads a");
  });

  test("forgets the id when the session timeout passes without a join", () => {
    const script = new GroupTranscript();
    script.join("a", { firstJoin: "givesId" });
    script.pass(10_000);
    script.join("a", { memberId: "a" });
    expect(script.take().at(-1)).toBe("#2 a: unknownMember");
  });

  test("holds a join phase open until the pending member joined or expired", () => {
    const script = stable("a");
    script.join("b", { firstJoin: "givesId" });
    script.join("a");
    expect(script.take()).toEqual(["#3 b: memberIdRequired"]);
    script.pass(10_000);
    expect(script.take()).toEqual([
      "member:a fires",
      "member:b fires",
      "writes CompletingRebalance 2",
      "#4 a: generation 2 range, leads a",
    ]);
  });

  test("gives only so many ids that nobody has joined with", () => {
    const script = new GroupTranscript();
    for (let index = 0; index < pendingJoinsMax; index += 1) {
      script.join(`m${index}`, { firstJoin: "givesId" });
    }
    script.take();
    script.join("more", { firstJoin: "givesId" });
    expect(script.take()).toEqual([`#${pendingJoinsMax + 1} : groupMaxSizeReached`]);
    script.pass(10_000);
    expect(script.timers.size).toBe(0);
  });

  test("lets a pending member leave", () => {
    const script = stable("a");
    script.join("b", { firstJoin: "givesId" });
    script.join("a");
    expect(script.leave("b")).toBe("left");
    expect(script.take().at(-1)).toBe("#4 a: generation 2 range, leads a");
  });
});

describe("a rebalance", () => {
  test("is told by heartbeats, and ends when everybody joined again", () => {
    const script = stable("a", "b");
    script.join("c");
    expect(script.heartbeat("a")).toBe("rebalanceInProgress");
    expect(script.take()).toEqual([]);
    script.join("a");
    script.join("b");
    expect(script.take()).toEqual([
      "writes CompletingRebalance 2",
      "#6 a: generation 2 range, leads a,b,c",
      "#7 b: generation 2 range, led by a",
      "#5 c: generation 2 range, led by a",
    ]);
  });

  test("goes on without dynamic members that did not come, and elects among those that did", () => {
    const script = stable("a", "b");
    script.join("b", { protocols: protocols("range", "sticky") });
    script.pass(5_000);
    script.heartbeat("a");
    script.pass(9_000);
    script.heartbeat("a");
    script.pass(6_000);
    expect(script.take()).toEqual([
      "member:b fires",
      "join fires",
      "writes CompletingRebalance 2",
      "#5 b: generation 2 range, leads b",
    ]);
    expect(script.heartbeat("a")).toBe("unknownMember");
  });

  test("does not start over for a member that joins again unchanged", () => {
    const script = stable("a", "b");
    script.join("b");
    expect(script.take()).toEqual(["#5 b: generation 1 range, led by a"]);
    expect(script.group.state).toBe("Stable");
  });

  test("starts when the leader joins again, or a member with other protocols", () => {
    const byLeader = stable("a", "b");
    byLeader.join("a");
    expect(byLeader.group.state).toBe("PreparingRebalance");
    const byChange = stable("a", "b");
    byChange.join("b", { protocols: protocols("range", "sticky") });
    expect(byChange.group.state).toBe("PreparingRebalance");
  });

  test("is answered with the same generation while the leader assigns", () => {
    const script = stable("a", "b");
    script.join("a");
    script.join("b");
    script.take();
    script.join("a");
    script.join("b");
    expect(script.take()).toEqual([
      "#7 a: generation 2 range, leads a,b",
      "#8 b: generation 2 range, led by a",
    ]);
  });

  test("starts over, and refuses who waits for an assignment, when protocols change meanwhile", () => {
    const script = stable("a", "b");
    script.join("a");
    script.join("b");
    script.sync("b");
    script.take();
    script.join("a", { protocols: protocols("range", "sticky") });
    expect(script.take()).toEqual(["#7 rebalanceInProgress"]);
    expect(script.group.state).toBe("PreparingRebalance");
  });

  test("empties the group when the last member leaves", () => {
    const script = stable("a");
    expect(script.leave("a")).toBe("left");
    expect(script.take()).toEqual(["writes Empty 2"]);
    expect(script.timers.size).toBe(0);
  });

  test("answers an earlier join of the same member, so that it does not wait for ever", () => {
    const script = stable("a", "b");
    script.join("a");
    script.join("a");
    expect(script.take()).toEqual(["#5 a: rebalanceInProgress"]);
    script.join("b");
    expect(script.take()).toContain("#6 a: generation 2 range, leads a,b");
  });
});

describe("the protocol", () => {
  test("is the one that most members prefer among those that all have", () => {
    const script = new GroupTranscript();
    script.join("a", { protocols: protocols("range", "sticky", "own") });
    script.join("b", { protocols: protocols("sticky", "range") });
    script.join("c", { protocols: protocols("sticky", "range") });
    script.pass(6_000);
    expect(script.group.protocolName).toBe("sticky");
  });

  test("must be shared with the group, and be named at all", () => {
    const script = stable("a");
    script.join("b", { protocols: protocols("sticky") });
    script.join("c", { protocolType: "connect" });
    expect(script.take()).toEqual(["#3 : inconsistentProtocol", "#4 : inconsistentProtocol"]);
    const empty = new GroupTranscript();
    empty.join("a", { protocols: [] });
    empty.join("a", { protocolType: "" });
    expect(empty.take()).toEqual(["#1 : inconsistentProtocol", "#2 : inconsistentProtocol"]);
  });

  test("counts a name once that a member repeats", () => {
    const script = new GroupTranscript();
    script.join("a", { protocols: protocols("own", "own", "range") });
    script.join("b", { protocols: protocols("range") });
    script.pass(6_000);
    expect(script.group.protocolName).toBe("range");
  });
});
