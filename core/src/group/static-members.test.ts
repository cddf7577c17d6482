import { describe, expect, test } from "vitest";
import { assigned, GroupTranscript, protocols } from "./group-transcript.ts";

describe("static members (KIP-345)", () => {
  const asStatic = (instanceId: string, newMemberId: string) => ({
    memberId: "",
    newMemberId,
    instanceId,
  });

  function stableStatics(): GroupTranscript {
    const script = new GroupTranscript();
    script.join("", asStatic("i", "i-1"));
    script.join("", asStatic("j", "j-1"));
    script.pass(6_000);
    script.sync("i-1", { assignments: assigned("i-1", "j-1"), instanceId: "i" });
    script.sync("j-1", { instanceId: "j" });
    script.take();
    return script;
  }

  test("take their old place under a new id, without a rebalance", () => {
    const script = stableStatics();
    script.join("", asStatic("j", "j-2"));
    expect(script.take()).toEqual(["writes Stable 1", "#5 j-2: generation 1 range, led by i-1"]);
    expect(script.heartbeat("j-1", { instanceId: "j" })).toBe("fencedInstance");
    script.sync("j-2", { instanceId: "j" });
    expect(script.take()).toEqual(["#6 assigned [2]"]);
  });

  test("that lead come back leading, told not to assign if they understand it (KIP-814)", () => {
    const script = stableStatics();
    script.join("", asStatic("i", "i-2"));
    expect(script.take().at(-1)).toBe(
      "#5 i-2: generation 1 range, leads j-1,i-2 without assigning",
    );
    const older = stableStatics();
    older.join("", { ...asStatic("i", "i-2"), skipAssignment: "unsupported" });
    expect(older.take().at(-1)).toBe("#5 i-2: generation 1 range, led by i-1");
    expect(older.group.leader).toBe("i-2");
  });

  test("start a rebalance when their protocols change the group's choice", () => {
    const script = new GroupTranscript();
    script.join("", { ...asStatic("i", "i-1"), protocols: protocols("range", "sticky") });
    script.pass(3_000);
    script.sync("i-1", { assignments: assigned("i-1"), instanceId: "i" });
    script.take();
    script.join("", { ...asStatic("i", "i-2"), protocols: protocols("sticky", "range") });
    expect(script.take()).toEqual([
      "writes CompletingRebalance 2",
      "#3 i-2: generation 2 sticky, leads i-2",
    ]);
  });

  test("fence who waits under the old id", () => {
    const script = stableStatics();
    script.join("i-1", { instanceId: "i", protocols: protocols("range", "x") });
    script.join("", asStatic("i", "i-2"));
    expect(script.take()).toEqual(["#5 i-1: fencedInstance"]);
    script.join("j-1", { instanceId: "j" });
    expect(script.take().slice(0, 1)).toEqual(["writes CompletingRebalance 2"]);
    script.sync("j-1", { instanceId: "j" });
    script.join("", asStatic("j", "j-2"));
    expect(script.take()).toContain("#8 fencedInstance");
  });

  test("keep their place in a rebalance that they miss, until their session ends", () => {
    const script = stableStatics();
    script.join("k", { newMemberId: "k" });
    script.pass(9_000);
    script.heartbeat("j-1", { instanceId: "j" });
    script.heartbeat("i-1", { instanceId: "i" });
    script.pass(9_000);
    script.heartbeat("j-1", { instanceId: "j" });
    script.heartbeat("i-1", { instanceId: "i" });
    script.pass(2_000);
    expect(script.take()).toEqual([
      "join fires",
      "writes CompletingRebalance 2",
      "#5 k: generation 2 range, leads i-1,j-1,k",
    ]);
  });

  test("are removed by an admin by instance id alone", () => {
    const script = stableStatics();
    expect(script.leave({ instanceId: "j" }, { instanceId: "x" })).toBe("left unknownMember");
    expect(script.heartbeat("i-1", { instanceId: "i" })).toBe("rebalanceInProgress");
  });

  test("that nobody follows wait for a member to come before the next generation", () => {
    const script = stableStatics();
    script.join("i-1", { instanceId: "i" });
    script.leave("i-1");
    script.pass(9_000);
    script.heartbeat("j-1", { instanceId: "j" });
    script.pass(9_000);
    script.heartbeat("j-1", { instanceId: "j" });
    script.pass(2_000);
    expect(script.group.state).toBe("PreparingRebalance");
    expect(script.group.generation).toBe(1);
    script.pass(8_000);
    expect(script.group.state).toBe("Empty");
  });
});
