/**
 * How a broker's process is started: Node's flags and the environment that `npm start` gives it, taken
 * from there, so that every other way to start one (tools, tests, the bench) is the same.
 */
import { join } from "node:path";
import manifest from "../package.json" with { type: "json" };

/** Node's arguments up to the program's own. */
export interface Launch {
  readonly broker: readonly string[];
  readonly host: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const { environment = "", flags = "" } =
  /^(?<environment>(?:[A-Z_]+=\d+ )*)exec node (?<flags>.*) tools\/start\.mjs$/.exec(
    manifest.scripts.start,
  )?.groups ?? {};

/** For Node: how it keeps memory (docs/performance.md). */
export const brokerFlags: readonly string[] = flags.split(" ");
/** For malloc: how it gives memory back. */
export const brokerEnvironment: Readonly<Record<string, string>> = Object.fromEntries(
  environment
    .trim()
    .split(" ")
    .map((pair) => pair.split("=") as [string, string]),
);

export const startPath: string = join(import.meta.dirname, "start.mjs");

/** Bundled, from the sources as they are. */
export const fromSources: Launch = {
  broker: [...brokerFlags, startPath],
  host: [startPath, "metadata-host"],
  env: brokerEnvironment,
};
