import type { Deployment, Service, Task } from "@aws-sdk/client-ecs";
import { expect, it } from "vitest";
import { observedService, serviceDetail } from "./ecs-observed.ts";

const primary: Deployment = { status: "PRIMARY", rolloutState: "COMPLETED", runningCount: 1 };

function service(over: Service = {}): Service {
  return {
    ...{ status: "ACTIVE", desiredCount: 1, runningCount: 1, deployments: [primary] },
    taskDefinition: "arn:aws:ecs:eu-central-1:1:task-definition/millrace-cl_0-1-r7:2",
    ...over,
  };
}

it("a broker is ready when its deployment is complete, and nothing of a former one is left", () => {
  expect(observedService(service())).toEqual({ revision: 7, state: "ready" });
  const underWay = { ...primary, rolloutState: "IN_PROGRESS" } as const;
  const former: Deployment = { status: "ACTIVE" };
  for (const over of [
    { deployments: [underWay] },
    { deployments: [primary, former] },
    { runningCount: 0 },
    { deployments: [] },
  ]) {
    expect(observedService(service(over)).state).toBe("starting");
  }
});

it("a deployment that ECS gave up has failed, and a service that drains is stopping", () => {
  const failed = { ...primary, rolloutState: "FAILED" } as const;
  expect(observedService(service({ deployments: [failed] })).state).toBe("failed");
  expect(observedService(service({ status: "DRAINING" })).state).toBe("stopping");
});

it("says why: the deployment's reason, what ended the last tasks, and the newest events", () => {
  const failed = { ...primary, rolloutStateReason: "circuit breaker" };
  const events = ["third", "second", "first", "oldest"].map((message) => ({ message }));
  const tasks: readonly Task[] = [
    { stoppedAt: new Date(1), stoppedReason: "old", containers: [{ exitCode: 1 }] },
    { stoppedAt: new Date(2), stoppedReason: "new", containers: [{ reason: "OutOfMemory" }] },
  ];
  expect(serviceDetail(service({ deployments: [failed], events }), tasks)).toBe(
    "circuit breaker; new; OutOfMemory; old; exit code 1; third; second; first",
  );
});
