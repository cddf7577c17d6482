import type { StandIn } from "../stand-in.ts";
import { startPythonServer } from "../python-server.ts";

/** moto, an S3-compatible server that nobody here wrote. */
export function startMoto(): Promise<StandIn> {
  const folder = "test/contract/s3/moto";
  return startPythonServer({ name: "moto", folder, neededBy: "The S3 contract" });
}
