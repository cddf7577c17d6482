/** What `cdk deploy` runs first: the command of cdk.json, as it stands there. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { expect, test } from "vitest";
import { runToEnd } from "../compat/processes.ts";

const root = join(import.meta.dirname, "../..");
const runMsMax = 110_000;

interface Template {
  readonly Resources: Readonly<Record<string, { readonly Type: string }>>;
}

interface Synthesis {
  readonly command: string;
  /** What stands under `millrace` in cdk.json, or is said on the command line. */
  readonly told: object;
  readonly into: string;
}

function synthesise({ command, into, told }: Synthesis) {
  const env = {
    // As npm has it, and nothing else: no account is looked at.
    PATH: [join(root, "node_modules/.bin"), process.env["PATH"]].join(delimiter),
    CDK_OUTDIR: into,
    CDK_CONTEXT_JSON: JSON.stringify({ millrace: told }),
  };
  return runToEnd({ file: "sh", args: ["-ec", command], cwd: root, env }, runMsMax);
}

test("the app of cdk.json synthesises the functions' own bundles, or says what is wrong", async () => {
  const { app } = JSON.parse(readFileSync(join(root, "cdk.json"), "utf8")) as { app: string };
  const folder = mkdtempSync(join(tmpdir(), "millrace-cdk-"));
  try {
    const right = await synthesise({ command: app, told: {}, into: folder });
    expect(right.exitCode, `${right.stdout}\n${right.stderr}`).toBe(0);
    const names = readdirSync(folder);
    const file = names.find((name) => name.endsWith(".template.json")) ?? "no template";
    const { Resources } = JSON.parse(readFileSync(join(folder, file), "utf8")) as Template;
    const types = Object.values(Resources).map(({ Type }) => Type);
    expect(types).toContain("AWS::ECS::Cluster");
    expect(types).toContain("AWS::DynamoDB::Table");
    const handlers = names.map((name) => join(folder, name, "index.mjs")).filter(existsSync);
    expect(handlers).toHaveLength(3);
    for (const path of handlers) expect(statSync(path).size).toBeGreaterThan(1_000);

    const [last = ""] = app.split("&&").slice(-1);
    const into = join(folder, "wrong");
    const wrong = await synthesise({ command: last, told: { network: 3 }, into });
    expect(wrong.exitCode).toBe(1);
    const says = "Millrace can't be deployed so:\nnetwork is 3: allowed is an object\n";
    expect(wrong.stderr).toBe(says);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
