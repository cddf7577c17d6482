// `npm start`: runs the broker with a Node that can, and says clearly what is missing where none is.
// Plain JavaScript, so that an old Node gets as far as the message. With `metadata-host` as its first
// argument it runs the process that hosts the metadata of several brokers.
//
// What runs is one file, made from the sources by tools/bundle.ts when there is none that fits them:
// ready in half the time, in half the memory of the sources (docs/adr/0011).
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(
    `Millrace needs Node 22.18 or later, and this is ${process.version}. The project brings one: run\n` +
      "`npm install` (with install scripts allowed for the package `node`), then `npm start`.",
  );
  process.exit(2);
}

// Not imported: an import evaluates all that Node's module exports, which takes fs 10 ms.
const fs = process.getBuiltinModule("node:fs");
const module = process.getBuiltinModule("node:module");
const { dirname, join } = process.getBuiltinModule("node:path");

const root = dirname(import.meta.dirname);
const isHost = process.argv[2] === "metadata-host";
if (isHost) process.argv.splice(2, 1);
const entry = isHost ? "broker-fargate/src/metadata-host/main.ts" : "broker-fargate/src/main.ts";
const directory = join(root, isHost ? ".cache/start-host" : ".cache/start");
if (!fs.existsSync(join(root, "node_modules/pino"))) {
  console.error("Millrace's dependencies are not installed. Run: npm install");
  process.exit(2);
}

/** The path of the bundle of exactly these sources, for exactly this Node; undefined without one. */
function currentBundle() {
  let current;
  try {
    current = JSON.parse(fs.readFileSync(join(directory, "current.json"), "utf8"));
  } catch (error) {
    if (error.code === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
  const { version, platform, arch } = process;
  if (current.node !== [version, platform, arch].join(" ")) return undefined;
  for (const [path, stamp] of current.inputs) {
    // Joined without `join`: for 400 paths its normalizing takes as long as the kernel does.
    const found = fs.statSync(`${root}/${path}`, { throwIfNoEntry: false });
    const now = found && `${found.mtimeMs} ${found.ctimeMs} ${found.size}`;
    if (stamp !== (now ?? "absent")) return undefined;
  }
  const path = join(directory, current.bundle);
  return fs.existsSync(path) ? path : undefined;
}

/** In a process of its own, because the bundler's memory would stay with the broker. */
function makeBundle() {
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  const args = [join(root, "tools/bundle.ts"), directory, entry];
  const { status, stderr, error } = spawnSync(process.execPath, args, { encoding: "utf8" });
  const made = status === 0 ? currentBundle() : undefined;
  if (made !== undefined) return made;
  const said = error?.message ?? /^\w*Error.*$/m.exec(stderr)?.[0] ?? stderr.trim();
  const reason = status === 0 ? "a source changed meanwhile" : said;
  console.error(`millrace: no bundle (${reason}); starting from the sources, which takes longer`);
  return undefined;
}

const bundle = currentBundle() ?? makeBundle();
// The second start finds its code compiled.
module.enableCompileCache(join(directory, "compiled"));
if (bundle === undefined) await import(`../${entry}`);
else module.createRequire(import.meta.url)(bundle);
