import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { transform } from "esbuild";

const root = new URL("../../", import.meta.url).pathname;
const folders: readonly string[] = [
  "core/src",
  "wire/src",
  "adapters/memory/src",
  "broker-fargate/src",
  "test/simulation",
];

/**
 * Of all that a simulation runs: the broker, its ports in memory, and the simulation itself. Types,
 * comments and layout do not count: they run nothing.
 */
export async function codeHash(): Promise<string> {
  const paths = folders.flatMap((folder) => {
    const names = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
    return names.filter(isRun).map((name) => join(folder, name));
  });
  const codes = await Promise.all(paths.sort().map(runCode));
  const hash = createHash("sha256");
  for (const code of codes) hash.update(code);
  return hash.digest("hex").slice(0, 16);
}

async function runCode(path: string): Promise<string> {
  const source = readFileSync(join(root, path), "utf8");
  return `${path}\n${await codeIn(source)}\n`;
}

export async function codeIn(source: string): Promise<string> {
  const { code } = await transform(source, {
    loader: "ts",
    target: "esnext",
    minifyWhitespace: true,
    legalComments: "none",
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
  });
  return code;
}

function isRun(name: string): boolean {
  return name.endsWith(".ts") && !name.endsWith(".test.ts");
}
