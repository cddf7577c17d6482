import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { requestsPerSecond } from "../../../control-api/src/limits.ts";
import { installPython } from "../../compat/install-python.ts";
import { runToEnd } from "../../compat/processes.ts";

const cache = join(import.meta.dirname, "../../../.cache/compat");
const runMsMax = 280_000;
/** Fixed, so that a failure comes again. */
const seed = "1";

async function install(): Promise<string> {
  const source = join(import.meta.dirname, "python");
  return join(await installPython({ cache, name: "schemathesis", source }), "venv/bin/python");
}

/** Ids that are there, and which refusals of what the document allows are right. */
function configuration(
  parameters: Readonly<Record<string, string>>,
  isRefusedToo: readonly string[],
): string {
  const lines = Object.entries(parameters).map(([name, value]) => `${name} = "${value}"`);
  const ids = ["list", ...isRefusedToo].join("|^");
  return `
[parameters]
${lines.join("\n")}

# Kafka refuses configs that no schema lists (422); one broker makes no clusters (405).
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "405", "409", "412", "422"]

# A repeat under one Idempotency-Key is answered as before, also of what was deleted since.
[checks.ensure_resource_availability]
enabled = false

# The document says itself which operations follow another one.
[phases.stateful.inference]
algorithms = []

# No pattern says which cursors were given out.
[[operations]]
include-operation-id-regex = "^${ids}"
checks.positive_data_acceptance.enabled = false
`;
}

interface Questions {
  readonly url: string;
  /** For what is written. */
  readonly directory: string;
  /** `Authorization`, by which schemathesis knows it. */
  readonly headers: Readonly<Record<string, string>>;
  readonly phases: string;
  readonly examples: number;
  readonly parameters: Readonly<Record<string, string>>;
  /** Operations that may refuse (400) what their schema allows: what holds between values it can't say. */
  readonly isRefusedToo?: readonly string[];
}

/** How many cases it made; fails where one of them did. */
export async function askEverything(
  questions: Questions,
): Promise<{ readonly cases: number; readonly operations: number }> {
  const { directory, examples, headers, isRefusedToo = [], parameters, phases, url } = questions;
  const python = await install();
  const toml = configuration(parameters, isRefusedToo);
  writeFileSync(join(directory, "schemathesis.toml"), toml);
  const args = [
    ...["-m", "schemathesis.cli", "run", `${url}/openapi.json`],
    ...Object.entries(headers).flatMap(([name, value]) => ["--header", `${name}: ${value}`]),
    ...["--workers", "1", "--seed", seed, "--max-examples", String(examples), "--phases", phases],
    // Faster, and the caller would be refused for that.
    ...["--rate-limit", `${requestsPerSecond - 5}/s`, "--continue-on-failure"],
  ];
  const run = await runToEnd({ file: python, args, cwd: directory }, runMsMax);
  expect(run.exitCode, run.stdout.slice(-20_000)).toBe(0);
  const [, generated, passed] = /(\d+) generated, (\d+) passed/u.exec(run.stdout) ?? [];
  expect(Number(generated), run.stdout.slice(-2_000)).toBeGreaterThan(0);
  expect(passed).toBe(generated);
  const [, operations] = /Tested: (\d+)/u.exec(run.stdout) ?? [];
  return { cases: Number(generated), operations: Number(operations) };
}

export async function operationsOf(url: string): Promise<number> {
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as {
    readonly paths: Readonly<Record<string, object>>;
  };
  return Object.values(paths).flatMap((path) => Object.keys(path)).length;
}
