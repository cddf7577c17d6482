/**
 * Bundles the functions, a folder each, into functions/dist (or the folder that is named):
 * node functions/build.ts [DIRECTORY]. Needs no Docker and no network. The same sources make the
 * same bytes, so that a deployment without changes changes nothing.
 */
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Metafile } from "esbuild";

export type FunctionName = "api" | "authorizer" | "provisioner";

const functionNames: readonly FunctionName[] = ["api", "authorizer", "provisioner"];

export interface Bundled {
  readonly name: FunctionName;
  /** What Lambda is given: its `index.mjs` has the handler. */
  readonly folder: string;
  readonly bytes: number;
}

/** Packages with native code; none of them may be left in a bundle (`leftOver`). */
const native = ["@node-rs/crc32", "lmdb", "snappy"];

/**
 * ES modules, because only they can be split: what a start does not need (the Kafka client, X.509,
 * ways to credentials) lies in files of its own, and is neither read nor compiled before it is used.
 * In one file of CommonJS, compiling all of it was two thirds of the API's start.
 */
const common = {
  absWorkingDir: join(import.meta.dirname, ".."),
  bundle: true,
  platform: "node",
  format: "esm",
  splitting: true,
  target: "node24",
  // Packages' ES modules, of which what nobody uses can be left out.
  mainFields: ["module", "main"] as string[],
  outExtension: { ".js": ".mjs" },
  minify: true,
  legalComments: "none",
  logLevel: "warning",
  logOverride: { "import-is-undefined": "error" },
  metafile: true,
  external: native,
  // The other form reads a file that lies beside it.
  alias: { "@platformatic/wasm-utils": "@platformatic/wasm-utils/bundled" },
  banner: {
    js: 'import { createRequire as requireOf } from "node:module"; const require = requireOf(import.meta.url);',
  },
} as const;

/** Each folder appears whole: who looks meanwhile sees the former one, or for a moment none. */
export async function bundleFunctions(directory: string): Promise<readonly Bundled[]> {
  mkdirSync(directory, { recursive: true });
  const building = mkdtempSync(join(directory, ".building-"));
  try {
    return await Promise.all(
      functionNames.map((name) => bundleFunction(name, { building, directory })),
    );
  } finally {
    rmSync(building, { recursive: true, force: true });
  }
}

async function bundleFunction(
  name: FunctionName,
  { building, directory }: { readonly building: string; readonly directory: string },
): Promise<Bundled> {
  const outdir = join(building, name);
  const entryPoints = { index: `functions/src/${name}.ts` };
  const { metafile } = await build({ ...common, entryPoints, outdir });
  const left = leftOver(metafile);
  if (left.length > 0) throw new Error(`the function ${name} would look for ${left.join(", ")}`);
  const folder = join(directory, name);
  rmSync(folder, { recursive: true, force: true });
  renameSync(outdir, folder);
  const sizes = readdirSync(folder).map((file) => statSync(join(folder, file)).size);
  return { name, folder, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

/** What a bundle would look for where it runs, and not find. */
function leftOver({ outputs }: Metafile): readonly string[] {
  const imports = Object.values(outputs).flatMap((output) => output.imports);
  const paths = imports.filter(({ external }) => external === true).map(({ path }) => path);
  return [...new Set(paths)].filter((path) => !isBuiltin(path));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const directory = resolve(process.argv[2] ?? join(import.meta.dirname, "dist"));
  for (const { bytes, name } of await bundleFunctions(directory)) {
    process.stderr.write(`functions/${name}: ${(bytes / 1024).toFixed(0)} KiB\n`);
  }
}
