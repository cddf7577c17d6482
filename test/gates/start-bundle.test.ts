/** What `npm start` runs has nothing in it that makes each start slower. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterEach, beforeEach, expect, test } from "vitest";
import { apartInside, sharedWith, withoutApart } from "../../tools/bundle-apart.ts";

const root = join(import.meta.dirname, "../..");
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-bundle-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** As `tools/start.mjs` has it made; without an entry, the broker's. */
function bundleOf(...entry: readonly string[]): string {
  const directory = join(folder, "made");
  const args = [join(root, "tools/bundle.ts"), directory, ...entry];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const current = readFileSync(join(directory, "current.json"), "utf8");
  const { bundle }: { readonly bundle: string } = JSON.parse(current);
  return readFileSync(join(directory, bundle), "utf8");
}

/**
 * The project's modules that a dynamic import reaches within the bundle. Each became a function that
 * is called by whoever imports it first: with core among them a start takes 10 % more instructions.
 */
function wrappedModules(text: string): readonly string[] {
  const wrapped = text.matchAll(/= __esm\(\{\n {2}"([^"\n]+)"/g);
  return [...wrapped].map(([, path = ""]) => path).filter((path) => !path.includes("node_modules"));
}

test("a dynamic import in the broker reaches nothing that a start needs", () => {
  const text = bundleOf();
  expect(text).toContain("// core/src/index.ts\n");
  // The HTTP app, which stands on a framework and on nothing of the broker.
  expect(wrappedModules(text)).toEqual([
    "broker-fargate/src/http/problem.ts",
    "broker-fargate/src/http/app.ts",
  ]);
});

test("what was reached by one is named", () => {
  const late = JSON.stringify(join(root, "core/src/lanes.ts"));
  writeFileSync(join(folder, "late.ts"), `export { Lanes } from ${late};`);
  const early = `import { inLanes } from ${late};\nvoid inLanes;\nvoid import("./late.ts");\n`;
  writeFileSync(join(folder, "early.ts"), early);
  const text = bundleOf(join(folder, "early.ts"));
  expect(wrappedModules(text)).toContain("core/src/lanes.ts");
});

test("a part that lies apart in a bundle has the same classes as the rest, and more", async () => {
  const part = 'import { Lanes } from "./lanes.ts";\nexport const made = new Lanes();\n';
  const main = `import { Lanes } from "./lanes.ts";
    import("./part.ts").then(({ made }) => console.log(made instanceof Lanes));`;
  writeFileSync(join(folder, "lanes.ts"), "export class Lanes {}\n");
  writeFileSync(join(folder, "part.ts"), part);
  writeFileSync(join(folder, "main.ts"), main);
  const isolated = {
    absWorkingDir: folder,
    bundle: true,
    platform: "node",
    format: "cjs",
  } as const;
  const unwritten = { write: false, metafile: true, logLevel: "silent" } as const;
  const rest = await build({
    ...{ ...isolated, ...unwritten, entryPoints: ["main.ts"] },
    plugins: [withoutApart("part.ts")],
  });
  const shared = sharedWith(folder, new Set(Object.keys(rest.metafile.inputs)));
  const apart = await build({
    ...{ ...isolated, ...unwritten, entryPoints: ["part.ts"], plugins: [shared.plugin] },
    banner: { js: "const bundleShared = module.shared;" },
  });
  const text = apart.outputFiles[0]?.text ?? "";
  expect(text).not.toContain("class");
  const outfile = join(folder, "whole.cjs");
  await build({
    ...{ ...isolated, outfile, entryPoints: ["main.ts"] },
    banner: { js: "const bundleUrl = 'file:///whole'; let bundleShared;" },
    plugins: [apartInside("main.ts", { entry: "part.ts", text, shared: shared.used })],
  });
  const { stderr, stdout } = spawnSync(process.execPath, [outfile], { encoding: "utf8" });
  expect({ stderr, stdout }).toEqual({ stderr: "", stdout: "true\n" });
});
