/** What ECS says of a broker's service, in the words of the port. Pure. */
import type { Service, Task } from "@aws-sdk/client-ecs";
import type { ObservedBroker } from "@millrace/core";

export function observedService(service: Service): Pick<ObservedBroker, "revision" | "state"> {
  const revision = Number(/-r(\d+):\d+$/u.exec(service.taskDefinition ?? "")?.[1] ?? 0);
  return { revision, state: stateOf(service) };
}

function stateOf({ deployments = [], ...service }: Service): ObservedBroker["state"] {
  if (service.status === "DRAINING") return "stopping";
  const primary = deployments.find(({ status }) => status === "PRIMARY");
  if (primary?.rolloutState === "FAILED") return "failed";
  // Completed: the task runs, its health check passes, and no former deployment is left.
  const isCompleted = primary?.rolloutState === "COMPLETED" && deployments.length === 1;
  return isCompleted && service.runningCount === 1 ? "ready" : "starting";
}

/** Why it failed, the newest first. */
export function serviceDetail(service: Service, tasks: readonly Task[]): string {
  const { deployments = [], events = [] } = service;
  const ended = tasks.toSorted(
    (a, b) => (b.stoppedAt?.getTime() ?? 0) - (a.stoppedAt?.getTime() ?? 0),
  );
  const said = [
    deployments.find(({ status }) => status === "PRIMARY")?.rolloutStateReason,
    ...ended.flatMap(({ containers = [], stoppedReason }) => [
      stoppedReason,
      ...containers.map(({ exitCode, reason }) => reason ?? exitCodeText(exitCode)),
    ]),
    ...events.slice(0, 3).map(({ message }) => message),
  ];
  return [...new Set(said.filter((text) => text !== undefined && text !== ""))].join("; ");
}

function exitCodeText(code: number | undefined): string | undefined {
  return code === undefined ? undefined : `exit code ${code}`;
}
