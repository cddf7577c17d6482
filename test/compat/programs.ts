/**
 * The client programs: how each is built from its folder, how it is started, and which scenarios it
 * has to show. A program gets the bootstrap address and a topic prefix, and prints its transcript
 * (see scenarios.md).
 */
import { join } from "node:path";
import { installed } from "./install.ts";
import { kafkaDistribution, SMALL_JVM } from "./peer.ts";
import { type Command, runOrThrow, runToEnd } from "./processes.ts";

export interface Program {
  readonly name: string;
  readonly client: string;
  /** What its transcript has to have lines of, no more and no less. */
  readonly scenarios: readonly string[];
  /** Builds the program or finds it in the cache; throws when its client can't be installed. */
  readonly install: (cache: string) => Promise<Runnable>;
}

/** The command line that runs a program, up to its two arguments. */
export type Runnable = Omit<Command, "env">;

const INSTALL_MS_MAX = 300_000;

function folder(name: string): string {
  return join(import.meta.dirname, name);
}

function build(cwd: string, file: string, ...args: readonly string[]): Promise<string> {
  return runOrThrow({ file, args, cwd }, INSTALL_MS_MAX);
}

async function buildMaven(cwd: string): Promise<void> {
  const copy = ["dependency:copy-dependencies", "-DoutputDirectory=libs"];
  await build(cwd, "mvn", "-q", "-B", "compile", ...copy);
}

function runMaven(program: {
  readonly directory: string;
  readonly main: string;
  readonly heapMax: string;
}): Runnable {
  const { directory, main, heapMax } = program;
  const classPath = `${directory}/target/classes:${directory}/libs/*`;
  const args = [`-Xmx${heapMax}`, ...SMALL_JVM, "-cp", classPath, main];
  return { file: "java", args, cwd: directory };
}

async function installJava(cache: string): Promise<Runnable> {
  const directory = await installed({
    cache,
    name: "java",
    source: folder("java"),
    build: buildMaven,
  });
  return runMaven({ directory, main: "compat.Main", heapMax: "256m" });
}

/** The transcript and the clients of the Java program are these applications' too. */
const JAVA_SHARED = ["Transcript.java", "Context.java", "Scenario.java"].map(
  (file) => `src/main/java/compat/${file}`,
);

async function installApplications(cache: string): Promise<Runnable> {
  const directory = await installed({
    cache,
    name: "applications",
    source: folder("applications"),
    shared: { folder: folder("java"), paths: JAVA_SHARED },
    build: buildMaven,
  });
  return runMaven({ directory, main: "compat.Applications", heapMax: "512m" });
}

async function installPython(cache: string): Promise<Runnable> {
  const directory = await installed({
    cache,
    name: "python",
    source: folder("python"),
    build: async (cwd) => {
      await build(cwd, "python3", "-m", "venv", "venv");
      const pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--only-binary",
        ":all:",
      ];
      await build(cwd, `${cwd}/venv/bin/python`, ...pip, "-r", "requirements.txt");
    },
  });
  return { file: `${directory}/venv/bin/python`, args: ["-B", "main.py"], cwd: directory };
}

async function installGo(cache: string): Promise<Runnable> {
  const directory = await installed({
    cache,
    name: "go",
    source: folder("go"),
    build: async (cwd) => {
      await build(cwd, "go", "build", "-mod=readonly", "-o", "program", ".");
    },
  });
  return { file: `${directory}/program`, args: [], cwd: directory };
}

/** A Node client: its folder is copied, so its packages stay out of the repository's own tree. */
function installNode(name: string): (cache: string) => Promise<Runnable> {
  return async (cache) => {
    const directory = await installed({
      cache,
      name,
      source: folder(name),
      build: async (cwd) => {
        await build(
          cwd,
          "npm",
          "ci",
          "--ignore-scripts",
          "--no-audit",
          "--no-fund",
          "--loglevel=error",
        );
      },
    });
    return { file: process.execPath, args: ["main.mjs"], cwd: directory };
  };
}

/**
 * kcat is a Debian package: the version is the distribution's, and any but the expected one is
 * refused.
 */
const KCAT_VERSION = "Version 1.7.1 ";

async function installKcat(): Promise<Runnable> {
  const version = { file: "kcat", args: ["-V"], cwd: folder("kcat") };
  const present = await runToEnd(version, 10_000).catch(() => undefined);
  if (present === undefined) {
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    const apt = { file: "apt-get", cwd: folder("kcat"), env };
    await runOrThrow({ ...apt, args: ["update", "-qq"] }, INSTALL_MS_MAX);
    const install = ["install", "-y", "-qq", "--no-install-recommends", "kcat"];
    await runOrThrow({ ...apt, args: install }, INSTALL_MS_MAX);
  }
  const said = await runOrThrow(version, 10_000);
  if (!said.includes(KCAT_VERSION)) throw new Error(`kcat is not ${KCAT_VERSION}: ${said}`);
  return { file: process.execPath, args: ["main.ts"], cwd: folder("kcat") };
}

async function installKafkaTools(cache: string): Promise<Runnable> {
  const distribution = await kafkaDistribution(cache);
  const directory = await installed({
    cache,
    name: "cli",
    source: folder("cli"),
    build: async (cwd) => {
      const sources = ["ToolRunner.java", "Scenarios.java", "GroupScenarios.java"];
      await build(cwd, "javac", "-nowarn", "-d", "classes", ...sources);
    },
  });
  const program = ["-cp", `${directory}/classes`, "ToolRunner", `${distribution}/libs`];
  const args = ["-Xmx384m", ...SMALL_JVM, ...program];
  return { file: "java", args, cwd: directory };
}

/** The lane's own program: there is no client that sends what it sends, so nothing to install. */
async function ownProgram(name: string): Promise<Runnable> {
  return { file: process.execPath, args: ["main.ts"], cwd: folder(name) };
}

const EVERYWHERE = ["codecs", "stored-codec", "records", "seek", "errors"];
const ADMIN = ["topics", "configs", "group-admin"];
const DELETION = ["delete-records"];
const STORAGE = ["compaction", "tiered"];
const FULL = ["cluster", ...ADMIN, ...EVERYWHERE, "timestamps", "idempotent"];

function handovers(...assignors: readonly string[]): readonly string[] {
  return assignors.map((assignor) => `group-${assignor}`);
}

export const PROGRAMS: readonly Program[] = [
  {
    name: "java",
    client: "kafka-clients 4.4.0",
    scenarios: [
      ...FULL,
      "features",
      ...DELETION,
      ...STORAGE,
      ...handovers("range", "roundrobin", "sticky", "cooperative-sticky"),
      "static",
    ],
    install: installJava,
  },
  {
    name: "python",
    client: "confluent-kafka 2.16.1",
    scenarios: [
      ...FULL,
      ...DELETION,
      ...STORAGE,
      ...handovers("range", "roundrobin", "cooperative-sticky"),
      "static",
    ],
    install: installPython,
  },
  {
    name: "go",
    client: "franz-go 1.22.2",
    scenarios: [
      ...FULL,
      ...DELETION,
      ...handovers("range", "roundrobin", "sticky", "cooperative-sticky"),
      "static",
    ],
    install: installGo,
  },
  {
    name: "kafkajs",
    client: "KafkaJS 2.2.4",
    scenarios: [...FULL, ...handovers("roundrobin")],
    install: installNode("kafkajs"),
  },
  {
    name: "platformatic",
    client: "@platformatic/kafka 2.12.1",
    scenarios: [...FULL, ...handovers("roundrobin", "cooperative-sticky"), "static"],
    install: installNode("platformatic"),
  },
  {
    name: "kcat",
    client: "kcat 1.7.1 (Debian)",
    scenarios: ["topics", ...EVERYWHERE, ...handovers("roundrobin"), "expiry"],
    install: installKcat,
  },
  {
    name: "cli",
    client: "Apache Kafka's tools 4.3.1",
    scenarios: [
      ...[...ADMIN, "codecs", "stored-codec", "records", "seek", ...DELETION, "log-dirs"],
      "partition-admin",
      "acls",
    ],
    install: installKafkaTools,
  },
  {
    name: "applications",
    client: "Streams, Connect, MirrorMaker 2 4.3.1",
    scenarios: ["streams", "connect", "mirror"],
    install: installApplications,
  },
  {
    name: "malformed",
    client: "raw requests",
    scenarios: ["malformed", "sequences"],
    install: () => ownProgram("malformed"),
  },
];
