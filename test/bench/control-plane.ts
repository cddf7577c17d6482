/**
 * `npm run control-plane` in a new folder, as a process of its own: its API on a port of loopback, its
 * store in lmdb, its clusters as processes with lmdb and files. In the end all of it is gone.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { SystemClock, SystemRandom } from "@millrace/adapter-node";
import { ProcessDriver } from "@millrace/adapter-node/process-driver";
import type { DriverResource } from "@millrace/core";
import { type ControlPlane, controlPlane } from "../../sdk/src/index.ts";
import { fromSources } from "../../tools/launch.ts";
import { removeClusters } from "../fixtures/process-clusters.ts";

const program = join(import.meta.dirname, "../../tools/control-plane.ts");

export class ControlPlaneProcess {
  /** Asks with an API key that was made for it. */
  readonly control: ControlPlane;
  readonly #driver: ProcessDriver;
  readonly #end: () => Promise<void>;

  private constructor(
    control: ControlPlane,
    { driver, end }: { readonly driver: ProcessDriver; readonly end: () => Promise<void> },
  ) {
    this.control = control;
    this.#driver = driver;
    this.#end = end;
  }

  static async start(): Promise<ControlPlaneProcess> {
    const folder = mkdtempSync(join(tmpdir(), "millrace-cp-"));
    const ports = { clock: new SystemClock(), random: new SystemRandom() };
    const driver = new ProcessDriver({ folder, launch: fromSources, ...ports });
    const child = spawn(process.execPath, [program, "--data", folder, "--port", "0"], {
      stdio: ["ignore", "pipe", "inherit"],
      // Ctrl-C does not reach it: it is ended below, after the clusters that it would go on with.
      detached: true,
    });
    const ended = once(child, "exit");
    const end = async (): Promise<void> => {
      child.kill("SIGTERM");
      await ended;
      await removeClusters(driver, folder);
      rmSync(folder, { recursive: true, force: true });
    };
    try {
      const control = await loggedIn(await addressIn(createInterface({ input: child.stdout })));
      return new ControlPlaneProcess(control, { driver, end });
    } catch (error) {
      await end();
      throw error;
    }
  }

  /** What there is of clusters outside the control plane: processes, ports, secrets, folders. */
  parts(): Promise<readonly DriverResource[]> {
    return this.#driver.list();
  }

  end(): Promise<void> {
    return this.#end();
  }
}

async function addressIn(lines: AsyncIterable<string>): Promise<string> {
  for await (const line of lines) {
    const url = /(http:\/\/\S+)/u.exec(line)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error("the control plane did not start");
}

/** Who asks from this machine may make the first key; from then on the key is what is asked with. */
async function loggedIn(url: string): Promise<ControlPlane> {
  const { key } = await controlPlane({ url }).apiKeys.create({ name: "bench", role: "admin" });
  const control = controlPlane({ url, apiKey: key });
  const { kind } = await control.whoAmI();
  if (kind !== "apiKey") throw new Error(`asked as ${kind}, not with the API key`);
  return control;
}
