import { installed, type Installation } from "./install.ts";
import { runOrThrow } from "./processes.ts";

const installMsMax = 600_000;

export interface PythonInstallation extends Omit<Installation, "build"> {
  readonly python?: string;
  /** Packages that have no wheel are built of their sources. */
  readonly sources?: "built";
}

/** The folder's copy, in whose `venv` is all that its requirements.txt asks of the registry. */
export function installPython(installation: PythonInstallation): Promise<string> {
  const { python = "python3", sources, ...rest } = installation;
  const wheels = sources === "built" ? [] : ["--only-binary", ":all:"];
  return installed({
    ...rest,
    build: async (cwd) => {
      await runOrThrow({ file: python, args: ["-m", "venv", "venv"], cwd }, installMsMax);
      const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
      const args = [...pip, ...wheels, "-r", "requirements.txt"];
      await runOrThrow({ file: `${cwd}/venv/bin/python`, args, cwd }, installMsMax);
    },
  });
}
