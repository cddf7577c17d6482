/** Every export has a docstring with an example, and every example compiles, the README's too. */
import { execFileSync } from "node:child_process";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const sdk = join(import.meta.dirname, "..");
const root = join(sdk, "..");
const read = (path: string): string => readFileSync(join(sdk, path), "utf8");
const sources = readdirSync(join(sdk, "src"), { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
  .map((path) => read(`src/${path}`));

/** Names in the braces of the index's exports. */
const exported = [...read("src/index.ts").matchAll(/\{([^}]*)\}/gu)].flatMap(([, names = ""]) =>
  names
    .split(",")
    .map((name) => name.trim().replace(/^type /u, ""))
    .filter((name) => name !== ""),
);

/** The docstring before the first declaration of a name. */
function docOf(name: string): string | undefined {
  const declared = new RegExp(
    `/\\*\\*((?:(?!\\*/)[\\s\\S])*)\\*/\\s*export (?:class|interface|type|function|const) ${name}\\b`,
    "u",
  );
  for (const source of sources) {
    const found = declared.exec(source)?.[1];
    if (found !== undefined) return found;
  }
  return undefined;
}

function examplesIn(doc: string): readonly string[] {
  const text = doc.replaceAll(/^\s*\* ?/gmu, "");
  return [...text.matchAll(/```ts\n([\s\S]*?)```/gu)].map(([, code = ""]) => code);
}

let place: string;

beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "millrace-examples-"));
  symlinkSync(join(root, "node_modules"), join(place, "node_modules"));
});

afterAll(() => {
  rmSync(place, { recursive: true, force: true });
});

test.for(exported)("%s has a docstring with an example", (name) => {
  const doc = docOf(name);
  expect(doc, `${name} has no docstring`).toBeDefined();
  expect(examplesIn(doc ?? ""), name).not.toEqual([]);
});

test("every example compiles as it stands", () => {
  expect(exported.length).toBeGreaterThan(50);
  const readme = [...read("README.md").matchAll(/```ts\n([\s\S]*?)```/gu)].map(([, code]) => code);
  expect(readme.length).toBeGreaterThan(0);
  const examples = new Map(
    // Names may differ by their case only, which files may not.
    exported.flatMap((name, at) =>
      examplesIn(docOf(name) ?? "").map((code, index) => [`${at}-${name}-${index}.ts`, code]),
    ),
  );
  for (const [index, code] of readme.entries()) examples.set(`readme-${index}.ts`, code ?? "");
  for (const [file, code] of examples) writeFileSync(join(place, file), code);
  const options = {
    extends: join(root, "tsconfig.json"),
    compilerOptions: {
      ...{ isolatedDeclarations: false, declaration: false, noUnusedLocals: false },
      paths: { "@millrace/sdk": [join(sdk, "src/index.ts")] },
    },
    include: ["*.ts"],
  };
  writeFileSync(join(place, "package.json"), '{"type":"module"}');
  writeFileSync(join(place, "tsconfig.json"), JSON.stringify(options));
  const tsc = join(root, "node_modules/.bin/tsc");
  const compile = (): string =>
    execFileSync(tsc, ["-p", place], { cwd: place, encoding: "utf8", stdio: "pipe" });
  let said = "";
  try {
    said = compile();
  } catch (error) {
    said = (error as { readonly stdout: string }).stdout;
  }
  expect(said).toBe("");
});
