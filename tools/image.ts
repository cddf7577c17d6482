/**
 * Makes the folder that the broker's image is built from: node tools/image.ts [DIRECTORY], by default
 * .cache/image. In it: the Dockerfile, the broker as one file, and a package.json with its lock of
 * what stays beside that file, the packages with native code, for both architectures. Needs no Docker
 * and no network; the same sources make the same bytes.
 */
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { build, type Plugin } from "esbuild";

const root = join(import.meta.dirname, "..");

/** Their JavaScript is in the bundle; it asks for the binary by the package's name. */
const nativePackages = [
  ...["@lmdb/lmdb-linux-arm64", "@lmdb/lmdb-linux-x64"],
  ...["@node-rs/crc32-linux-arm64-gnu", "@node-rs/crc32-linux-x64-gnu"],
];
/** Looked for when the broker starts, by its name: a whole package, with its own native ones. */
const wholePackages = ["snappy"];

interface Locked {
  readonly version: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const natives: Plugin = {
  name: "native packages",
  setup(building) {
    building.onResolve({ filter: /^(@lmdb|@node-rs\/crc32-|@napi-rs)/ }, ({ path }) => ({
      path,
      external: true,
    }));
    // lmdb's search for its binary, which would look beside the bundle.
    building.onResolve({ filter: /^node-gyp-build-optional-packages$/ }, ({ path }) => ({
      path,
      namespace: "lmdb-binary",
    }));
    building.onLoad({ filter: /.*/, namespace: "lmdb-binary" }, () => ({
      contents: `module.exports = () =>
        require("@lmdb/lmdb-linux-" + process.arch + "/node.napi.glibc.node");`,
    }));
  },
};

const common = {
  absWorkingDir: root,
  bundle: true,
  write: false,
  platform: "node",
  format: "cjs",
  target: "node24",
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "none",
  logLevel: "warning",
  // The other form reads a file that lies beside it.
  alias: { "@platformatic/wasm-utils": "@platformatic/wasm-utils/bundled" },
  define: {
    "import.meta.url": "bundleUrl",
    "process.env.MSGPACKR_NATIVE_ACCELERATION_DISABLED": '"true"',
  },
} as const;

async function threadText(): Promise<string> {
  const made = await build({
    ...common,
    entryPoints: ["broker-fargate/src/side-work/main.ts"],
    banner: { js: 'const bundleUrl = require("node:worker_threads").workerData.url;' },
    plugins: [natives],
  });
  return textOf(made.outputFiles);
}

/** With the thread's text inside, as `tools/bundle.ts` has it, and with the AWS SDK. */
async function brokerText(): Promise<string> {
  const thread = JSON.stringify(await threadText());
  const threadInside: Plugin = {
    name: "thread of side work",
    setup(building) {
      building.onLoad({ filter: /side-work.entry\.ts$/ }, () => ({
        contents: `export function sideWorkEntry() {
          return { kind: "text", text: ${thread}, url: import.meta.url };
        }`,
      }));
    },
  };
  const made = await build({
    ...common,
    entryPoints: ["broker-fargate/src/main.ts"],
    banner: { js: 'const bundleUrl = require("node:url").pathToFileURL(__filename).href;' },
    plugins: [natives, threadInside],
  });
  return textOf(made.outputFiles);
}

function textOf(files: readonly { readonly text: string }[]): string {
  const [file] = files;
  if (file === undefined) throw new Error("esbuild made nothing");
  return file.text;
}

/** What the project's own lock says of these packages, so that the image has the same ones. */
function packageFiles(): { readonly manifest: object; readonly lock: object } {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, Locked>>;
  };
  const locked = (name: string): Locked => {
    const found = packages[`node_modules/${name}`];
    if (found === undefined) throw new Error(`package-lock.json has no ${name}`);
    return found;
  };
  const versions = (names: readonly string[]): Record<string, string> =>
    Object.fromEntries(names.map((name) => [name, locked(name).version]));
  const inside = wholePackages.flatMap((name) =>
    Object.keys(locked(name).optionalDependencies ?? {}),
  );
  const manifest = {
    ...{ name: "millrace-broker", version: "0.0.0", private: true },
    dependencies: versions(wholePackages),
    optionalDependencies: versions(nativePackages),
  };
  const entries = [...nativePackages, ...wholePackages, ...inside].map(
    (name) => [`node_modules/${name}`, locked(name)] as const,
  );
  const { name, version } = manifest;
  const lock = {
    ...{ name, version, lockfileVersion: 3, requires: true },
    packages: { "": manifest, ...Object.fromEntries(entries) },
  };
  return { manifest, lock };
}

async function main(directory: string): Promise<void> {
  const text = await brokerText();
  const { lock, manifest } = packageFiles();
  mkdirSync(directory, { recursive: true });
  const write = (name: string, content: string): void => {
    const temporary = join(directory, `.${name}.${process.pid}`);
    writeFileSync(temporary, content);
    renameSync(temporary, join(directory, name));
  };
  write("main.cjs", text);
  write("package.json", `${JSON.stringify(manifest, null, 2)}\n`);
  write("package-lock.json", `${JSON.stringify(lock, null, 2)}\n`);
  const temporary = join(directory, `.Dockerfile.${process.pid}`);
  copyFileSync(join(root, "broker-fargate/Dockerfile"), temporary);
  renameSync(temporary, join(directory, "Dockerfile"));
  rmSync(join(directory, "node_modules"), { recursive: true, force: true });
}

await main(resolve(process.argv[2] ?? join(root, ".cache/image")));
