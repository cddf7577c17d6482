/** The broker process that a soak watches, on free ports. */
import { join } from "node:path";
import { fromSources } from "../../tools/launch.ts";
import { type Server, startServer } from "../compat/processes.ts";
import { waitUntilReady } from "../compat/raw-client.ts";
import { freePort } from "../compat/targets.ts";
import type { Watched } from "./sample.ts";

export interface Subject extends Watched {
  readonly port: number;
  readonly broker: Server;
}

const root = join(import.meta.dirname, "../..");
const readyMsMax = 30_000;

/** `settings`: KEY=VALUE by Kafka's names. */
export async function startSubject(
  folder: string,
  settings: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Subject> {
  const [port, httpPort] = [await freePort(), await freePort()];
  const dataDirectory = join(folder, "data");
  const broker = startServer(
    {
      file: process.execPath,
      args: [
        ...fromSources.broker,
        ...["--data", dataDirectory, "--port", String(port), "--http-port", String(httpPort)],
        ...settings.flatMap((setting) => ["--set", setting]),
      ],
      cwd: root,
      env: { ...fromSources.env, ...env },
    },
    join(folder, "broker.log"),
  );
  await waitUntilReady(port, { timeoutMs: readyMsMax, ended: broker.ended });
  return { pid: broker.pid, port, httpPort, dataDirectory, broker };
}
