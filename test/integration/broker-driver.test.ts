/** The contract of broker drivers, by processes of real brokers. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SystemClock, SystemRandom } from "@millrace/adapter-node";
import { ProcessDriver } from "@millrace/adapter-node/process-driver";
import { bundledLaunch } from "../cluster/rig.ts";
import { brokerDriverContract } from "../contract/broker-driver-contract.ts";

const folder = mkdtempSync(join(tmpdir(), "millrace-bd-"));

brokerDriverContract({
  name: "processes",
  open: async () => {
    const launch = await bundledLaunch(join(folder, "bundles"));
    const ports = { clock: new SystemClock(), random: new SystemRandom() };
    return new ProcessDriver({ folder: join(folder, "clusters"), launch, ...ports });
  },
  tasks: "run",
  cleanUp: async () => rmSync(folder, { recursive: true, force: true }),
});
