import { SeededRandom } from "@millrace/adapter-memory";
import { clusterId } from "@millrace/core";
import { expect, it } from "vitest";
import { failuresMax, stepBackoffMsFirst, stepBackoffMsMax } from "./limits.ts";
import type { OperationId, OperationRecord } from "./operation-record.ts";
import { afterFailure } from "./progress.ts";

const untried: OperationRecord = {
  ...{ id: "op_0000000000000001" as OperationId, clusterId: clusterId("cl_0000000000000001") },
  ...{ kind: "createCluster", state: "running", step: "store", stepsDone: 0, stepsTotal: 3 },
  ...{ startedAtMs: 0, failures: 0, stillSinceMs: 0, notBeforeMs: 0, version: 1 },
};

it("waits longer after each failure, up to a bound, and gives up after the last one", () => {
  const random = new SeededRandom(1);
  const nowMs = 1_000_000;
  const waits: number[] = [];
  let operation: OperationRecord | undefined = untried;
  while (operation !== undefined) {
    operation = afterFailure(operation, { code: "driver-unavailable" }, { nowMs, random });
    if (operation !== undefined) waits.push(operation.notBeforeMs - nowMs);
  }
  expect(waits).toHaveLength(failuresMax);
  waits.forEach((waitMs, at) => {
    const longestMs = Math.min(stepBackoffMsMax, stepBackoffMsFirst * 2 ** at);
    expect(waitMs).toBeGreaterThanOrEqual(longestMs / 2);
    expect(waitMs).toBeLessThanOrEqual(longestMs);
  });
  // The last ones would be longer if they might.
  expect(stepBackoffMsFirst * 2 ** (failuresMax - 1)).toBeGreaterThan(stepBackoffMsMax);
});
