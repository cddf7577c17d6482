/**
 * moto's ECS, Cloud Map, SSM and DynamoDB behind a check of every request against AWS's own service
 * models: installed from its registry into the cache at the first use, on loopback, on a free port,
 * ended by its pid. What fails on the way is an error.
 */
import { join } from "node:path";
import { installed } from "../../compat/install.ts";
import { runOrThrow } from "../../compat/processes.ts";
import { type StandIn, startStandIn } from "../stand-in.ts";

const cache = join(import.meta.dirname, "../../../.cache/contract");
const installMsMax = 600_000;

export async function startAws(): Promise<StandIn> {
  const cwd = await installAws();
  const args = ["-B", "main.py"];
  return startStandIn({ name: "moto", file: `${cwd}/venv/bin/python`, args, cwd });
}

async function installAws(): Promise<string> {
  const build = async (cwd: string): Promise<void> => {
    await runOrThrow({ file: "python3", args: ["-m", "venv", "venv"], cwd }, installMsMax);
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    const args = [...pip, "--only-binary", ":all:", "-r", "requirements.txt"];
    await runOrThrow({ file: `${cwd}/venv/bin/python`, args, cwd }, installMsMax);
  };
  try {
    const source = join(import.meta.dirname, "moto");
    return await installed({ cache, name: "moto-aws", source, build });
  } catch (cause) {
    const message =
      "The contract of ECS needs the server moto, and it could not be installed: python3 with venv " +
      "and a package registry that has test/contract/ecs/moto/requirements.txt are needed.";
    throw new Error(message, { cause });
  }
}
