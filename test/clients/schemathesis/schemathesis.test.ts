/**
 * schemathesis, which nobody here wrote, asks a live broker's control plane what its document allows and
 * what it does not: no 5xx, no answer that the document does not describe, nothing valid refused and
 * nothing invalid taken.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { requestsPerSecond } from "../../../control-api/src/limits.ts";
import { type ClusterControl, controlPlane } from "../../../sdk/src/index.ts";
import { installed } from "../../compat/install.ts";
import { runOrThrow, runToEnd } from "../../compat/processes.ts";
import { type BrokerProcess, startBrokerWithHttp } from "../../formats/broker-process.ts";
import { collected } from "../../../sdk/test/collected.ts";

const cache = join(import.meta.dirname, "../../../.cache/compat");
const installMsMax = 240_000;
const runMsMax = 280_000;
/** Fixed, so that a failure comes again. */
const seed = "1";
const login = Buffer.from("root:first password").toString("base64");
const authorization = `Basic ${login}`;

let directory: string;
let broker: BrokerProcess & { readonly url: string };
let cluster: ClusterControl;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "millrace-schemathesis-"));
  broker = await startBrokerWithHttp(join(directory, "data"), [
    "listeners=SASL_PLAINTEXT://127.0.0.1:0",
    ...["millrace.admin.user=root", "millrace.admin.password=first password"],
  ]);
  const control = controlPlane({
    url: broker.url,
    fetch: (request) => {
      const headers = new Headers(request.headers);
      headers.set("authorization", authorization);
      return fetch(new Request(request, { headers }));
    },
  });
  const [own] = await collected(control.clusters.list());
  if (own === undefined) throw new Error("the broker shows no cluster");
  cluster = control.cluster(own.id);
  await cluster.topics.create({ name: "orders", partitions: 2 });
});

afterAll(async () => {
  await broker.end("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

async function install(): Promise<string> {
  const folder = await installed({
    ...{ cache, name: "schemathesis", source: join(import.meta.dirname, "python") },
    build: async (cwd) => {
      const venv = { file: "python3", args: ["-m", "venv", "venv"], cwd };
      await runOrThrow(venv, installMsMax);
      const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
      const args = [...pip, "--only-binary", ":all:", "-r", "requirements.txt"];
      await runOrThrow({ file: join(cwd, "venv/bin/python"), args, cwd }, installMsMax);
    },
  });
  return join(folder, "venv/bin/python");
}

/** Ids that are there, and which refusals of what the document allows are right. */
function configuration(parameters: Readonly<Record<string, string>>): string {
  const lines = Object.entries(parameters).map(([name, value]) => `${name} = "${value}"`);
  return `
[parameters]
${lines.join("\n")}

# Kafka refuses configs that no schema lists (422); one broker makes no clusters (405).
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "405", "409", "422"]

# A repeat under one Idempotency-Key is answered as before, also of what was deleted since.
[checks.ensure_resource_availability]
enabled = false

# The document says itself which operations follow another one.
[phases.stateful.inference]
algorithms = []

# No pattern says which cursors were given out.
[[operations]]
include-operation-id-regex = "^list"
checks.positive_data_acceptance.enabled = false
`;
}

/** How many cases it made; fails where one of them did. */
async function asked(options: {
  readonly phases: string;
  readonly examples: number;
  readonly parameters: Readonly<Record<string, string>>;
}): Promise<{ readonly cases: number; readonly operations: number }> {
  const python = await install();
  writeFileSync(join(directory, "schemathesis.toml"), configuration(options.parameters));
  const args = [
    ...["-m", "schemathesis.cli", "run", `${broker.url}/openapi.json`],
    ...["--header", `Authorization: ${authorization}`, "--workers", "1", "--seed", seed],
    ...["--max-examples", String(options.examples), "--phases", options.phases],
    // Faster, and the caller would be refused for that.
    ...["--rate-limit", `${requestsPerSecond - 5}/s`, "--continue-on-failure"],
  ];
  const run = await runToEnd({ file: python, args, cwd: directory }, runMsMax);
  expect(run.exitCode, run.stdout.slice(-20_000)).toBe(0);
  const [, generated, passed] = /(\d+) generated, (\d+) passed/u.exec(run.stdout) ?? [];
  expect(passed).toBe(generated);
  const [, operations] = /Tested: (\d+)/u.exec(run.stdout) ?? [];
  return { cases: Number(generated), operations: Number(operations) };
}

test("the API answers as its document says, whatever it is asked", async () => {
  const { paths } = (await (await fetch(`${broker.url}/openapi.json`)).json()) as {
    readonly paths: Readonly<Record<string, object>>;
  };
  const operations = Object.values(paths).flatMap((path) => Object.keys(path)).length;
  const parameters = { clusterId: cluster.clusterId, topic: "orders" };
  const done = await asked({ phases: "coverage,fuzzing", examples: 15, parameters });
  expect(done.operations).toBe(operations);
  expect(done.cases).toBeGreaterThan(operations * 20);
  // It came as far as the brokers: names that nobody here thought of are topics now.
  expect((await collected(cluster.topics.list())).length).toBeGreaterThan(1);
});

test("and so it does in the order in which one thing follows another", async () => {
  const parameters = { clusterId: cluster.clusterId };
  const done = await asked({ phases: "stateful", examples: 20, parameters });
  expect(done.cases).toBeGreaterThan(100);
});
