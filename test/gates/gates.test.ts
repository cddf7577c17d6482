/** Each gate of `npm run check` turns red at the violation that it is there for. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const lintArgs = ["--type-aware", "--deny-warnings", "."];
const bin = (name: string): string => join(root, "node_modules/.bin", name);
let tree: string;

function newTree(): string {
  const made = mkdtempSync(join(tmpdir(), "millrace-gates-"));
  symlinkSync(join(root, "node_modules"), join(made, "node_modules"));
  return made;
}

const removeTree = (): void => rmSync(tree, { recursive: true, force: true });

beforeEach(() => {
  tree = newTree();
});

afterEach(removeTree);

function write(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), text);
  }
}

function bring(...paths: readonly string[]): void {
  for (const path of paths) cpSync(join(root, path), join(tree, path), { recursive: true });
}

interface Outcome {
  readonly status: number | null;
  readonly output: string;
}

function run(command: string, args: readonly string[]): Outcome {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: tree, encoding: "utf8" });
  return { status, output: stdout + stderr };
}

describe("the format gate", () => {
  test("a badly formatted file is red, the same file formatted is green", () => {
    bring("biome.json");
    write({ "core/src/x.ts": "export const  x = 1\n", ".gitignore": "" });
    const args = ["format", "--vcs-enabled=false", "."];
    expect(run(bin("biome"), args)).toMatchObject({ status: 1 });
    write({ "core/src/x.ts": "export const x = 1;\n" });
    expect(run(bin("biome"), args)).toMatchObject({ status: 0 });
  });
});

/** What is wrong, the folder of a file where it is, its text, and what the gate says about it. */
const violations: readonly (readonly [string, string, string, string])[] = [
  ["core imports a Node module", "core/src", 'import "node:fs";', "core imports nothing"],
  ["core imports wire", "core/src", 'import "@millrace/wire";', "core imports nothing"],
  [
    "core reaches out of its folder",
    "core/src",
    'import "../../wire/src/a.ts";',
    "core imports nothing",
  ],
  ["core reads the clock", "core/src", "export const now = Date.now();", "'Date'"],
  ["core draws randomness", "core/src", "export const r = Math.random();", "Math.random"],
  ["wire uses Buffer", "wire/src", "export const b = Buffer.alloc(1);", "'Buffer'"],
  ["wire imports an adapter", "wire/src", 'import "@millrace/adapter-node";', "wire is pure"],
  [
    "an adapter imports the broker",
    "adapters/node/src",
    'import "@millrace/broker-fargate";',
    "adapters stand behind",
  ],
  [
    "a handler touches an adapter",
    "broker-fargate/src/handlers",
    'import "@millrace/adapter-node";',
    "only main.ts",
  ],
  [
    "a command touches an adapter",
    "cli/src/log",
    'import "@millrace/adapter-node";',
    "only its main.ts",
  ],
  [
    "the broker imports an AWS SDK",
    "broker-fargate/src",
    'import "@aws-sdk/client-s3";',
    "only main.ts",
  ],
  [
    "the broker sets a timer",
    "broker-fargate/src",
    "setTimeout(() => undefined, 1);",
    "'setTimeout'",
  ],
  [
    "the SDK imports what is not published",
    "sdk/src/producer",
    'import "@millrace/wire";',
    "only what is published",
  ],
  [
    "the SDK reaches out of its folder",
    "sdk/src",
    'import "../../core/src/a.ts";',
    "only what is published",
  ],
  ["the SDK sets a timer", "sdk/src", "setTimeout(() => undefined, 1);", "'setTimeout'"],
  [
    "infra imports an adapter",
    "infra/src",
    'import "@millrace/adapter-aws";',
    "infra takes of the project",
  ],
  [
    "infra imports a function",
    "infra/src",
    'import "../../functions/src/log.ts";',
    "infra takes of the project",
  ],
  [
    "the control plane's API imports an adapter",
    "control-api/src",
    'import "@millrace/adapter-node";',
    "stands on ports",
  ],
  ["the control plane's API reads a clock", "control-api/src", "Date.now();", "Date.now"],
  [
    "what speaks to clusters imports an adapter",
    "control-api/src/kafka",
    'import "@millrace/adapter-aws";',
    "imports core and the SDK",
  ],
  [
    "the broker's own control plane imports an adapter",
    "broker-fargate/src/http/control",
    'import "@millrace/adapter-node";',
    "the control plane's API",
  ],
  ["any", "core/src", "export const x: any = 1;", "no-explicit-any"],
  [
    "a non-null assertion",
    "core/src",
    "export const f = (x?: string): string => x!;",
    "no-non-null",
  ],
  ["a default export", "core/src", "export default 1;", "no-default-export"],
  [
    "a promise left alone",
    "core/src",
    "export function f(p: Promise<void>): void {\n  p;\n}",
    "no-floating-promises",
  ],
  ["a file of more than 400 lines", "core/src", "// line\n".repeat(401), "max-lines"],
  [
    "five parameters",
    "core/src",
    "export const f = (a: 1, b: 1, c: 1, d: 1, e: 1): number[] => [a, b, c, d, e];",
    "max-params",
  ],
];

interface Diagnostic {
  readonly filename: string;
  readonly code: string;
  readonly severity: string;
  readonly message: string;
  readonly help?: string;
}

describe("the lint gate", () => {
  const placeOf = (name: string): string => `${name.replaceAll(/\W+/g, "-")}.ts`;
  const found = new Map<string, string>();

  // All in one tree: each is a file of its own, and the gate is started once.
  beforeAll(() => {
    tree = newTree();
    bring(".oxlintrc.json", "tsconfig.json");
    for (const [name, folder, text] of violations) {
      write({ [join(folder, placeOf(name))]: `${text}\n` });
    }
    const { status, output } = run(bin("oxlint"), [...lintArgs, "--format", "json"]);
    removeTree();
    expect(status).not.toBe(0);
    const { diagnostics } = JSON.parse(output) as { readonly diagnostics: readonly Diagnostic[] };
    for (const { filename, severity, code, message, help } of diagnostics) {
      const said = `${found.get(filename) ?? ""}${severity}: ${code} ${message} ${help ?? ""}\n`;
      found.set(filename, said);
    }
  });

  test.each(violations)("%s is red", (name, folder, _text, reason) => {
    const said = (found.get(join(folder, placeOf(name))) ?? "").split("\n");
    expect(said).toContainEqual(expect.stringMatching(/^error: /));
    expect(said.filter((line) => line.startsWith("error: ")).join("\n")).toContain(reason);
  });

  test("main.ts may touch adapters, and tests may read the clock", () => {
    bring(".oxlintrc.json", "tsconfig.json");
    write({
      "broker-fargate/src/main.ts": 'import "@millrace/adapter-node";\n',
      "core/src/x.test.ts": "export const now = Date.now();\n",
    });
    expect(run(bin("oxlint"), lintArgs)).toMatchObject({
      status: 0,
    });
  });
});

describe("the types gate", () => {
  test("a type error is red", () => {
    bring("tsconfig.json");
    write({ "core/src/x.ts": 'export const x: number = "one";\n' });
    expect(run(bin("tsc"), ["--noEmit", "-p", "tsconfig.json"]).output).toContain("TS2322");
  });

  test("a Node type in core is red", () => {
    bring("tsconfig.json", "core/tsconfig.json");
    write({ "core/src/x.ts": "export const x: NodeJS.Timeout | undefined = undefined;\n" });
    expect(run(bin("tsc"), ["--noEmit", "-p", "core/tsconfig.json"]).output).toMatch(/NodeJS/);
  });

  test("syntax that type stripping can't run is red", () => {
    bring("tsconfig.json");
    write({ "core/src/x.ts": "export enum Colour {\n  red,\n}\n" });
    expect(run(bin("tsc"), ["--noEmit", "-p", "tsconfig.json"]).output).toContain("TS1294");
  });
});

describe("the dead code gate", () => {
  test("an export that nobody uses is red", () => {
    bring("knip.json");
    write({
      "package.json": '{ "name": "x", "type": "module", "workspaces": ["core"] }',
      "core/package.json": '{ "name": "@millrace/core", "exports": { ".": "./src/index.ts" } }',
      "core/src/index.ts": 'export { used } from "./x.ts";\n',
      "core/src/x.ts": "export const used = 1;\nexport const unused = 2;\n",
    });
    const { status, output } = run(process.execPath, [join(root, "tools/dead-code.ts"), tree]);
    expect(output).toMatch(/unused/);
    expect(status).not.toBe(0);
  });
});

describe("the unit test gate", () => {
  test("a test that fails is red, and so is a tree without a test", () => {
    const vitest = join(root, "node_modules/vitest/vitest.mjs");
    const runTests = (): Outcome => run(process.execPath, [vitest, "run", "--root", tree]);
    expect(runTests().status).not.toBe(0);
    const body = (expected: number): string =>
      `import { expect, test } from "vitest";\ntest("x", () => expect(1).toBe(${expected}));\n`;
    write({ "core/src/x.test.ts": body(2) });
    expect(runTests().output).toMatch(/1 failed/);
    expect(runTests().status).not.toBe(0);
    write({ "core/src/x.test.ts": body(1) });
    expect(runTests().status).toBe(0);
  });
});

describe("the generated files gate", () => {
  test("a codec that was edited by hand is red", () => {
    bring("wire/generator", "wire/schemas", "wire/src");
    const generate = [join(tree, "wire/generator/generate.ts"), "--check"];
    expect(run(process.execPath, generate)).toMatchObject({ status: 0 });
    write({ "wire/src/generated/12-heartbeat.ts": "export {};\n" });
    const { status, output } = run(process.execPath, generate);
    expect(output).toContain("12-heartbeat.ts");
    expect(status).not.toBe(0);
  });
});

describe("the generated API gate", () => {
  test("a document of the API, or the SDK's types of it, that was edited by hand is red", () => {
    bring("docs/openapi.json", "sdk/src/control/generated");
    const script = join(root, "control-api/tools/openapi.ts");
    const check = [script, "--check", "--root", tree];
    expect(run(process.execPath, check)).toMatchObject({ status: 0 });
    write({ "sdk/src/control/generated/schema.ts": "export {};\n" });
    const { status, output } = run(process.execPath, check);
    expect(output).toContain("schema.ts");
    expect(status).not.toBe(0);
  });
});

describe("the runner of the gates", () => {
  test("a gate that looked at nothing fails, even when its command succeeds", () => {
    const { status, output } = run(process.execPath, [
      "--input-type=module-typescript",
      "-e",
      `import { runStep, describeResult, lastNumber } from ${JSON.stringify(join(root, "tools/steps.ts"))};
       const step = { name: "x", command: process.execPath, args: ["-e", "console.log('Checked 0 files')"],
         count: lastNumber(/Checked (\\d+) files/), unit: "files" };
       console.log(describeResult(await runStep(step, ".")));`,
    ]);
    expect(status).toBe(0);
    expect(output).toContain("FAIL x");
    expect(output).toContain("it looked at nothing");
  });
});
