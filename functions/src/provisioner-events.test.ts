import type { OperationId } from "@millrace/control-api";
import { describe, expect, it } from "vitest";
import { streamEvent } from "./fixtures.ts";
import { onEvent, type Provisioning } from "./provisioner-events.ts";

const one = "op_0123456789abcdef";
const other = "op_fedcba9876543210";

class Recorded implements Provisioning {
  readonly ran: (readonly [OperationId, number])[] = [];
  readonly swept: number[] = [];
  readonly failing = new Set<string>();

  async run(id: OperationId, untilMs: number): Promise<void> {
    this.ran.push([id, untilMs]);
    if (this.failing.has(id)) throw new Error("the store does not answer");
  }

  async sweep(untilMs: number): Promise<void> {
    this.swept.push(untilMs);
  }
}

describe("the provisioner's events", () => {
  it("run the operation that a record names, until a moment before the invocation's end", async () => {
    const provisioning = new Recorded();
    const at = { provisioning, nowMs: 1_000_000, remainingMs: 300_000 };
    const answer = await onEvent(streamEvent(`control/operation/${one}`), at);
    expect(answer).toEqual({ batchItemFailures: [] });
    expect(provisioning.ran).toEqual([[one, 1_285_000]]);
  });

  it("ask for those records again whose run was rejected, and for no other", async () => {
    const provisioning = new Recorded();
    provisioning.failing.add(other);
    const at = { provisioning, nowMs: 0, remainingMs: 60_000 };
    const keys = [`control/operation/${one}`, `control/operation/${other}`];
    expect(await onEvent(streamEvent(...keys), at)).toEqual({
      batchItemFailures: [{ itemIdentifier: "1001" }],
    });
    expect(provisioning.ran.map(([id]) => id)).toEqual([one, other]);
  });

  it("pass over what is no operation", async () => {
    const provisioning = new Recorded();
    const at = { provisioning, nowMs: 0, remainingMs: 60_000 };
    const keys = [
      "control/cluster/cl_0123456789abcdef",
      "control/operation/x",
      "control/operationX",
    ];
    expect(await onEvent(streamEvent(...keys), at)).toEqual({ batchItemFailures: [] });
    expect(provisioning.ran).toEqual([]);
  });

  it("sweep when the schedule says so, and begin nothing in the last seconds", async () => {
    const provisioning = new Recorded();
    const event = { source: "millrace.schedule", kind: "sweep" } as const;
    expect(await onEvent(event, { provisioning, nowMs: 5, remainingMs: 900_000 })).toBeUndefined();
    await onEvent(event, { provisioning, nowMs: 5, remainingMs: 3 });
    expect(provisioning.swept).toEqual([885_005, 5]);
  });
});
