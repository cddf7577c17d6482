/** LocalStack's S3 without Docker: a second implementation beside moto's, where its Python is there. */
import { runToEnd } from "../compat/processes.ts";
import { startPythonServer } from "../contract/python-server.ts";
import type { StandIn } from "../contract/stand-in.ts";

const lookMsMax = 20_000;

/** Undefined: this machine has no Python 3.13, the only one for which it is made. */
export async function startLocalStackS3(): Promise<StandIn | undefined> {
  const python = await findPython();
  if (python === undefined) return undefined;
  const folder = "test/localstack/s3";
  // Some of what it needs is published as sources only, all of them Python.
  const how = { python, sources: "built" } as const;
  return startPythonServer({ name: "localstack", folder, neededBy: "The run", ...how });
}

/** By its name, which pyenv gives to nobody who does not say that it is this one. */
async function findPython(): Promise<string | undefined> {
  const args = ["-c", "import sys; print(sys.executable)"];
  const asked = { file: "python3.13", args, cwd: ".", env: { PYENV_VERSION: "3.13" } };
  try {
    const { exitCode, stdout } = await runToEnd(asked, lookMsMax);
    return exitCode === 0 ? stdout.trim() : undefined;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
