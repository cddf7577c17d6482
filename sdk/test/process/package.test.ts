/**
 * What is published: built and packed from a copy, checked, and installed without a network into a
 * fresh project, where a program of each module system, and one in TypeScript, talks to a broker.
 */
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { publint } from "publint";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startSubject, type Subject } from "../../../test/hardness/subject.ts";

const sdk = join(import.meta.dirname, "../..");
const root = join(sdk, "..");
const bin = (name: string): string => join(root, "node_modules/.bin", name);
let place: string;
let built: string;
let project: string;
let tarball: string;
let broker: Subject | undefined;

/** The tools run on the Node of this test, whichever one is found first otherwise. */
const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}` };

const run = (command: string, args: readonly string[], cwd: string): string =>
  execFileSync(command, args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const manifestOf = (directory: string): Manifest =>
  JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as Manifest;

/** The folders of a package's dependencies, and of theirs; optional ones left out. */
function closure(directory: string, found: Map<string, string> = new Map()): Map<string, string> {
  for (const name of Object.keys(manifestOf(directory).dependencies ?? {})) {
    const nested = join(directory, "node_modules", name);
    const folder = existsSync(nested) ? nested : join(root, "node_modules", name);
    if (found.has(name)) continue;
    found.set(name, folder);
    closure(folder, found);
  }
  return found;
}

function pack(folders: readonly string[], into: string): readonly string[] {
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", into, ...folders];
  const packed = JSON.parse(run("npm", args, into)) as
    | readonly { readonly filename: string }[]
    | Readonly<Record<string, { readonly filename: string }>>;
  return Object.values(packed).map(({ filename }) => join(into, filename));
}

beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), "millrace-package-"));
  built = join(place, "built");
  project = join(place, "project");
  mkdirSync(built);
  mkdirSync(project);
  for (const file of ["package.json", "README.md", "LICENSE"])
    cpSync(join(sdk, file), join(built, file));
  run(bin("tsdown"), ["--config-loader", "native", "--out-dir", join(built, "dist")], sdk);
  [tarball = ""] = pack([built], place);
  broker = await startSubject();
}, 120_000);

afterAll(async () => {
  await broker?.stop();
  rmSync(place, { recursive: true, force: true });
});

test("publint finds nothing to say", async () => {
  const { messages } = await publint({
    pkgDir: built,
    level: "suggestion",
    strict: true,
    pack: false,
  });
  expect(messages).toEqual([]);
});

test("the types are right for every way of resolving them", async () => {
  const checked = await checkPackage(createPackageFromTarballData(readFileSync(tarball)));
  expect(checked).toMatchObject({ packageName: "@millrace/sdk", types: { kind: "included" } });
  expect("problems" in checked ? checked.problems : []).toEqual([]);
});

test("what is packed is what is needed, and no more", () => {
  const files = run("tar", ["-tzf", tarball], place).trim().split("\n").toSorted();
  expect(files).toEqual([
    ...["package/LICENSE", "package/README.md", "package/dist/index.cjs"],
    ...["package/dist/index.d.cts", "package/dist/index.d.mts", "package/dist/index.mjs"],
    "package/package.json",
  ]);
});

/** A program that goes once through a broker. Its imports come before it. */
const body = `
async function main(port) {
  const client = connect({ brokers: ["127.0.0.1:" + port] });
  const name = "packed-" + process.argv[3];
  await client.admin.createTopic(name, { partitions: 2 });
  const counts = client.topic(name, { key: string(), value: json() });
  await counts.send({ key: "a", value: { count: 1 } });
  for await (const { key, value } of counts.consume({ from: "earliest" })) {
    console.log(key, value.count);
    break;
  }
  await client.admin.deleteTopic("nowhere").catch((error) => {
    console.log(error instanceof BrokerError, error.code);
  });
  await client.close();
}
main(Number(process.argv[2]));
`;
const typed = body
  .replace("main(port)", "main(port: number): Promise<void>")
  .replace("json()", "json<{ count: number }>()")
  .replace("(error)", "(error: unknown)")
  .replace("error.code", "error instanceof MillraceError && error.code");
const names = "BrokerError, connect, json, MillraceError, string";
const programs: Readonly<Record<string, string>> = {
  "use.mjs": `import { ${names} } from "@millrace/sdk";${body}`,
  "use.cjs": `const { ${names} } = require("@millrace/sdk");${body}`,
  "use-types.mts": `import { ${names} } from "@millrace/sdk";${typed}`,
  "use-types.cts": `import sdk = require("@millrace/sdk");\nconst { ${names} } = sdk;${typed}`,
};

test("it installs into a fresh project, and runs from both module systems and TypeScript", () => {
  const dependencies = closure(built);
  const packs = pack([...dependencies.values()], place);
  const overrides = Object.fromEntries(
    [...dependencies.keys()].map((name, index) => [name, `file:${packs[index] ?? ""}`]),
  );
  const manifest = {
    name: "fresh",
    private: true,
    dependencies: { "@millrace/sdk": `file:${tarball}` },
  };
  writeFileSync(join(project, "package.json"), JSON.stringify({ ...manifest, overrides }));
  const flags = ["--offline", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund"];
  run("npm", ["install", ...flags], project);
  for (const [file, text] of Object.entries(programs)) writeFileSync(join(project, file), text);
  mkdirSync(join(project, "node_modules/@types"), { recursive: true });
  symlinkSync(join(root, "node_modules/@types/node"), join(project, "node_modules/@types/node"));
  const compilerOptions = {
    ...{ strict: true, module: "nodenext", target: "es2024", lib: ["es2024"], types: ["node"] },
    ...{ noEmit: true, skipLibCheck: false, exactOptionalPropertyTypes: true },
  };
  const include = ["*.mts", "*.cts"];
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, include }));
  run(bin("tsc"), ["-p", "tsconfig.json"], project);
  // Type stripping takes no `import x = require()`: that one is compiled only.
  for (const file of ["use.mjs", "use.cjs", "use-types.mts"]) {
    const said = run(process.execPath, [file, String(broker?.port), file], project);
    expect(said.trim().split("\n")).toEqual(["a 1", "true UNKNOWN_TOPIC_OR_PARTITION"]);
  }
}, 180_000);
