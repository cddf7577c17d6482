import { createHash } from "node:crypto";
import { build } from "esbuild";

const root = new URL("../../", import.meta.url).pathname;

/**
 * Of all that a simulation runs: the broker, its ports in memory, and the simulation itself. Types,
 * comments and layout do not count, nor what is beside it: they run nothing.
 */
export async function codeHash(): Promise<string> {
  const code = await codeOf("test/simulation/seed-process.ts", root);
  return createHash("sha256").update(code).digest("hex").slice(0, 16);
}

/** What a module and those that it imports are without all that does nothing. */
export async function codeOf(entry: string, folder: string): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: folder,
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: "node",
    format: "esm",
    target: "esnext",
    minifyWhitespace: true,
    legalComments: "none",
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
  });
  return outputFiles.map(({ text }) => text).join("\n");
}
