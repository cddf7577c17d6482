/** What the start of a function's bundle costs: measured here alone, for the test and for the script. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Bundled } from "./build.ts";
import { authorizerFields, provisionerFields, variableName } from "./src/environment.ts";

/**
 * Of an import, in CPU time of all threads of the process, because wall time on a busy machine says
 * nothing; and as it would be where Node starts in `startMsUsual`.
 */
export const importMsMax = 150;
/** Of Node's own start, in CPU time, on a machine for which that bound is meant. */
export const startMsUsual = 30;

export interface ImportCost {
  /** Node's own start, until the first line of a program runs. */
  readonly startMs: number;
  /** The import of the bundle's entry after that, with all that it imports at once. */
  readonly importMs: number;
  /** The import where Node starts as usual: what is slow for both is the machine. */
  readonly usualImportMs: number;
}

/** Nothing of the project is near, and nobody answers at the endpoint. */
const environment: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    [...provisionerFields, ...authorizerFields].map((field) => [variableName(field), "x"]),
  ),
  ...{ AWS_REGION: "eu-west-1", AWS_ACCESS_KEY_ID: "nobody", AWS_SECRET_ACCESS_KEY: "nothing" },
  AWS_ENDPOINT_URL: "http://127.0.0.1:9",
  [variableName("brokersIn")]: "ecs",
  [variableName("jwtIssuer")]: "",
};

/** What the script writes, run by a Node of its own in the folder that has the bundles' folders. */
export function runBeside(folder: string, script: string): string {
  const path = join(folder, "script.mjs");
  writeFileSync(path, script);
  const options = { encoding: "utf8", env: environment, cwd: folder } as const;
  const { status, stderr, stdout } = spawnSync(process.execPath, [path], options);
  if (status !== 0) throw new Error(`${stdout}${stderr}`);
  return stdout;
}

/** Of so many starts, one after another. */
export function importCosts(bundle: Bundled, starts: number): readonly ImportCost[] {
  return Array.from({ length: starts }, () => importCost(bundle));
}

function importCost({ folder, name }: Bundled): ImportCost {
  const said = runBeside(
    dirname(folder),
    `const before = process.cpuUsage();
    const { handler } = await import("./${name}/index.mjs");
    const { user, system } = process.cpuUsage(before);
    if (typeof handler !== "function") throw new Error("no handler");
    process.stdout.write([before.user + before.system, user + system].join());
    process.exit();`,
  );
  const [startMs = Number.NaN, importMs = Number.NaN] = said.split(",").map((us) => +us / 1000);
  // A machine that is faster than usual is not made slower.
  const slowness = Math.max(1, startMs / startMsUsual);
  return { startMs, importMs, usualImportMs: importMs / slowness };
}
