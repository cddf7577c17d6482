/**
 * Makes the one file that `start.mjs` runs, out of the sources, and says which files it was made
 * from: node tools/bundle.ts DIRECTORY [ENTRY]. The entry is the broker's main.ts unless another one
 * is named, by its path from the root.
 *
 * Leaves in DIRECTORY: {hash}.cjs, its source map, and current.json, which names them and stamps
 * every input. Each appears at once and whole (rename), and a file's name is the hash of what is in
 * it, so starts that race write the same bytes. What earlier sources left goes after a day: a start
 * that has read the former current.json still finds its bundle.
 *
 * CommonJS, because to import one of Node's own modules into an ES module evaluates all that it
 * exports, the lazy parts too: some 30 ms for fs and http. See docs/adr/0011.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { build, type BuildResult, type OutputFile, type Plugin } from "esbuild";
import { type ApartFrom, apartInside, importOf, sharedWith, withoutApart } from "./bundle-apart.ts";

const root = join(import.meta.dirname, "..");
const keptMs = 24 * 60 * 60 * 1000;
/** A file system's clock may be this much behind, so that a change looks older than it is. */
const clockStepMs = 20;

/**
 * Left in comments only: esbuild escapes them in code. V8 keeps a source that has a single one in
 * two bytes a character, 1.8 MB more.
 */
const nonAscii = /[^\0-\x7f]/g;

/** What decides how the sources are read, besides the sources. */
const alsoInputs: readonly string[] = [
  "tools/bundle.ts",
  "tools/bundle-apart.ts",
  "tsconfig.json",
  "package.json",
  "core/package.json",
  "wire/package.json",
  "adapters/aws/package.json",
  "adapters/node/package.json",
  "broker-fargate/package.json",
  "control-api/package.json",
  "sdk/package.json",
  // npm writes it whenever it changes anything that is installed.
  "node_modules/.package-lock.json",
];

const onDemand = /^(?:@aws-sdk\/|@hono\/zod-openapi$|@platformatic\/kafka$|zod$)/;

/**
 * Packages with native code look for their binary beside their own files, where a bundle is not.
 * lmdb's search is made here, once; @node-rs/crc32 stays a package, named by its path.
 */
const nativePackages: Plugin = {
  name: "native packages",
  setup(building) {
    building.onResolve({ filter: /^@node-rs\/crc32$/ }, ({ path, importer }) => ({
      path: createRequire(importer).resolve(path),
      external: true,
    }));
    // Large, and loaded only by a broker whose objects go to S3, or whose control plane is asked.
    building.onResolve({ filter: onDemand }, ({ path, importer }) => ({
      path: createRequire(importer).resolve(path),
      external: true,
    }));
    building.onResolve({ filter: /^node-gyp-build-optional-packages$/ }, ({ path, importer }) => {
      const search: BinarySearch = createRequire(importer)(path);
      return { path: search.path(dirname(importer)), namespace: "native-binary" };
    });
    building.onLoad({ filter: /.*/, namespace: "native-binary" }, ({ path }) => ({
      contents: `module.exports = () => require(${JSON.stringify(path)});`,
    }));
    building.onResolve({ filter: /\.node$/ }, ({ path }) => ({ path, external: true }));
  },
};

/** The part of node-gyp-build-optional-packages that is used: where a package's binary is. */
interface BinarySearch {
  path(packageFolder: string): string;
}

/** What a start does not need, though something that it loads imports it. */
const modulesWhenUsed: Plugin = {
  name: "modules that are loaded when used",
  setup(building) {
    const namespace = "when-used";
    building.onResolve(
      { filter: /^node:(fs\/promises|http|zlib)$/ },
      ({ path, namespace: importing }) =>
        importing === namespace ? { path, external: true } : { path, namespace },
    );
    building.onResolve({ filter: /^@node-rs\/crc32$/ }, ({ importer, path }) => ({
      path: createRequire(importer).resolve(path),
      namespace,
    }));
    building.onLoad({ filter: /.*/, namespace }, ({ path }) => {
      const names = Object.keys(createRequire(import.meta.url)(path));
      const getters = names.map((name) => `get ${name}() { return (loaded ??= load()).${name}; }`);
      const load = `let loaded; const load = () => require(${JSON.stringify(path)});`;
      return { contents: `${load}\nmodule.exports = {\n${getters.join(",\n")}\n};` };
    });
  },
};

/**
 * Imported with `import()`, and a bundle of its own: what a dynamic import reaches within one bundle
 * is all wrapped in functions, core too, which takes a start 10 % more.
 */
const apartEntry = "broker-fargate/src/http/control/own-control.ts";

type Bundle = BuildResult<{ metafile: true; write: false }>;

const common = {
  absWorkingDir: root,
  outfile: "main.cjs",
  bundle: true,
  write: false,
  metafile: true,
  platform: "node",
  format: "cjs",
  target: "node22.18",
  // Not minified: a stack trace names functions, and with --enable-source-maps files and lines.
  sourcesContent: false,
  logLevel: "warning",
  define: {
    "import.meta.url": "bundleUrl",
    // lmdb's optional decoder of values; ours are bytes, and its native part is one more to load.
    "process.env.MSGPACKR_NATIVE_ACCELERATION_DISABLED": '"true"',
  },
} as const;

/** What a thread of side work runs. */
function bundleThread(): Promise<Bundle> {
  return build({
    ...common,
    entryPoints: ["broker-fargate/src/side-work/main.ts"],
    banner: { js: 'const bundleUrl = require("node:worker_threads").workerData.url;' },
    plugins: [nativePackages],
  });
}

/** The thread's text inside the one file: a process finds it weeks after its start. */
function threadInside(thread: Bundle): Plugin {
  const text = JSON.stringify(outputOf(thread, ".cjs").text);
  const entry = `{ kind: "text", text: ${text}, url: import.meta.url }`;
  return {
    name: "thread of side work",
    setup(building) {
      building.onLoad({ filter: /side-work.entry\.ts$/ }, () => ({
        contents: `export function sideWorkEntry() { return ${entry}; }`,
      }));
    },
  };
}

function bundleSources(entry: string, plugins: readonly Plugin[]): Promise<Bundle> {
  const url = 'const bundleUrl = require("node:url").pathToFileURL(__filename).href;';
  return build({
    ...common,
    entryPoints: [entry],
    sourcemap: "linked",
    banner: { js: `${url} let bundleShared;` },
    plugins: [nativePackages, modulesWhenUsed, ...plugins],
  });
}

/** What a start does not load, with all of it that the rest does not have anyway. */
async function bundleApart(rest: Bundle): Promise<{ bundle: Bundle; from: ApartFrom }> {
  const shared = sharedWith(root, new Set(Object.keys(rest.metafile.inputs)));
  const bundle = await build({
    ...common,
    entryPoints: [apartEntry],
    banner: { js: "const bundleUrl = module.url, bundleShared = module.shared;" },
    plugins: [nativePackages, shared.plugin],
  });
  const text = outputOf(bundle, ".cjs").text.replaceAll(nonAscii, "?");
  return { bundle, from: { entry: apartEntry, text, shared: shared.used } };
}

/** The bundle that runs, and all whose inputs it is made of. */
async function bundleAll(entry: string): Promise<{ made: Bundle; bundles: readonly Bundle[] }> {
  const thread = await bundleThread();
  const inside = threadInside(thread);
  const rest = await bundleSources(entry, [inside, withoutApart(apartEntry)]);
  if (!imports(rest, apartEntry)) return { made: rest, bundles: [thread, rest] };
  const apart = await bundleApart(rest);
  const made = await bundleSources(entry, [inside, apartInside(entry, apart.from)]);
  return { made, bundles: [thread, apart.bundle, made] };
}

function imports({ metafile }: Bundle, entry: string): boolean {
  const all = Object.values(metafile.inputs).flatMap((input) => input.imports);
  return all.some(({ path }) => importOf(entry).test(path));
}

/**
 * `start.mjs` makes the same stamp: keep them alike, or every start makes a bundle. The change time
 * is in it because nobody can set it back.
 */
function stamp(path: string, startedAt: number): string {
  const found = statSync(join(root, path), { throwIfNoEntry: false });
  if (found === undefined) return "absent";
  // It may have been read before it changed: this matches no stamp.
  if (found.ctimeMs >= startedAt - clockStepMs) return "changed while it was bundled";
  return `${found.mtimeMs} ${found.ctimeMs} ${found.size}`;
}

/** Flushed, so that a power failure leaves the former file or the whole new one. */
function writeWhole(path: string, content: Uint8Array | string): void {
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString("hex")}`;
  writeFileSync(temporary, content, { flush: true });
  renameSync(temporary, path);
}

function outputOf({ outputFiles }: Bundle, suffix: string): OutputFile {
  const found = outputFiles.find(({ path }) => path.endsWith(suffix));
  if (found === undefined) throw new Error(`esbuild made no ${suffix}`);
  return found;
}

function removeOld(directory: string): void {
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (entry.isFile() && age > keptMs) rmSync(path, { force: true });
  }
}

async function main(directory: string, entry: string): Promise<void> {
  const startedAt = Date.now();
  const { bundles, made } = await bundleAll(entry);
  const text = outputOf(made, ".cjs").text.replaceAll(nonAscii, "?");
  const name = `${createHash("sha256").update(text).digest("hex").slice(0, 16)}.cjs`;
  const sources = bundles.flatMap(({ metafile }) => Object.keys(metafile.inputs));
  const inputs = [...new Set([...sources, ...alsoInputs])].filter(
    (path) => !/^(?:native-binary|when-used|shared|apart):/.test(path),
  );
  mkdirSync(directory, { recursive: true });
  writeWhole(join(directory, `${name}.map`), outputOf(made, ".map").contents);
  writeWhole(join(directory, name), text.replace(/(?<=sourceMappingURL=)main\.cjs/, name));
  const { version, platform, arch } = process;
  const current = {
    bundle: name,
    node: [version, platform, arch].join(" "),
    inputs: inputs.map((path) => [path, stamp(path, startedAt)]),
  };
  writeWhole(join(directory, "current.json"), JSON.stringify(current));
  removeOld(directory);
}

const [directory, entry = "broker-fargate/src/main.ts"] = process.argv.slice(2);
if (directory === undefined) {
  throw new Error(`usage: node ${basename(import.meta.filename)} DIR [ENTRY]`);
}
await main(resolve(directory), entry);
