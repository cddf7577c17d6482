/**
 * Servers that are written in Python, each in an environment of its own: installed from its registry
 * into the cache at the first use, as the folder's requirements.txt has it. What fails on the way is an
 * error: a lane that can't start its server has not passed.
 */
import { join } from "node:path";
import { installPython, type PythonInstallation } from "../compat/install-python.ts";
import { type StandIn, startStandIn } from "./stand-in.ts";

const root = join(import.meta.dirname, "../..");
const cache = join(root, ".cache/contract");

interface PythonServer extends Pick<PythonInstallation, "name" | "python" | "sources"> {
  /** From the root of the repository; has requirements.txt, and `main.py` of what says its port. */
  readonly folder: string;
  /** For the message that says what is lacking. */
  readonly neededBy: string;
}

/** On loopback, on a free port, ended by its pid. */
export async function startPythonServer(server: PythonServer): Promise<StandIn> {
  const cwd = await installPythonServer(server);
  const file = `${cwd}/venv/bin/python`;
  return startStandIn({ name: server.name, file, args: ["-B", "main.py"], cwd });
}

async function installPythonServer(server: PythonServer): Promise<string> {
  const { folder, neededBy, ...rest } = server;
  try {
    return await installPython({ ...rest, cache, source: join(root, folder) });
  } catch (cause) {
    const { name, python = "python3" } = rest;
    const message =
      `${neededBy} needs the server ${name}, and it could not be installed: ${python} with venv ` +
      `and a package registry that has ${folder}/requirements.txt are needed.`;
    throw new Error(message, { cause });
  }
}
