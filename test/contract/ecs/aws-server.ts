import type { StandIn } from "../stand-in.ts";
import { startPythonServer } from "../python-server.ts";

/** moto's ECS, Cloud Map, SSM and DynamoDB behind a check of every request against AWS's own models. */
export function startAws(): Promise<StandIn> {
  const folder = "test/contract/ecs/moto";
  return startPythonServer({ name: "moto-aws", folder, neededBy: "The contract of ECS" });
}
