/** What `npm run cluster` is asked for: its flags, checked. */
import { isAbsolute, join, resolve } from "node:path";
import { parseArgs } from "node:util";

export const clusterUsage = `millrace cluster: several brokers on this machine, as processes

  npm run cluster -- --brokers 3 --data DIR --port 9092

  --brokers N           how many (default: 3)
  --data DIR            where everything is kept (default: ./cluster-data)
  --port PORT           of the first broker; the others' follow (default: 9092)
  --http-port PORT      health and metrics of the first one; the others' follow (default: none)
  --restart             a process that dies is started again
  --set KEY=VALUE       of every broker, Kafka's names; may be repeated

  Without these a process of its own hosts the metadata, and objects are files below DIR:
  --metadata dynamodb://TABLE     --metadata-endpoint URL   --metadata-region REGION
  --objects s3://BUCKET/PREFIX    --objects-endpoint URL    --objects-region REGION

  Of a cluster that runs, by its --data DIR, in another terminal:
  --add                 one more broker
  --drain N             broker N hands its slots to the others, and ends
  --stop                all of it ends, in order`;

/** What the user typed can't be done; told in a line. */
export class ClusterUsageError extends Error {
  override readonly name = "ClusterUsageError";
}

/** Where the brokers of a cluster keep what they share. */
export interface SharedStores {
  /** Undefined: hosted by a process of its own. */
  readonly metadata: StoreAddress | undefined;
  /** Undefined: files below the data directory. */
  readonly objects: StoreAddress | undefined;
}

export interface StoreAddress {
  readonly uri: string;
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
}

export interface ClusterOptions extends SharedStores {
  readonly directory: string;
  readonly brokers: number;
  readonly port: number;
  readonly httpPort: number | undefined;
  readonly restarts: "dead" | "none";
  /** `KEY=VALUE`, for every broker. */
  readonly settings: readonly string[];
}

/** What is asked of a cluster that runs. */
export type Asked =
  | { readonly what: "add" }
  | { readonly what: "drain"; readonly broker: number }
  | { readonly what: "stop" };

export type ClusterCommand =
  | { readonly kind: "help" }
  | { readonly kind: "run"; readonly options: ClusterOptions }
  | { readonly kind: "ask"; readonly directory: string; readonly asked: Asked };

export const brokersMax = 64;
const portMax = 65_535;

const flagTypes = {
  brokers: { type: "string" },
  data: { type: "string" },
  port: { type: "string" },
  "http-port": { type: "string" },
  restart: { type: "boolean" },
  set: { type: "string", multiple: true },
  metadata: { type: "string" },
  "metadata-endpoint": { type: "string" },
  "metadata-region": { type: "string" },
  objects: { type: "string" },
  "objects-endpoint": { type: "string" },
  "objects-region": { type: "string" },
  add: { type: "boolean" },
  drain: { type: "string" },
  stop: { type: "boolean" },
  help: { type: "boolean" },
} as const;

type Flags = ReturnType<typeof parseFlags>;

/** Throws ClusterUsageError. Paths are from the working directory. */
export function readClusterCommand(args: readonly string[]): ClusterCommand {
  const flags = parseFlags(args);
  if (flags.help === true) return { kind: "help" };
  const directory = resolve(flags.data ?? "cluster-data");
  const asked = readAsked(flags);
  if (asked !== undefined) return { kind: "ask", directory, asked };
  return { kind: "run", options: readRun(flags, directory) };
}

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: flagTypes }).values;
  } catch (error) {
    throw new ClusterUsageError(error instanceof Error ? error.message : String(error));
  }
}

function readAsked(flags: Flags): Asked | undefined {
  const asked: Asked[] = [];
  if (flags.add === true) asked.push({ what: "add" });
  if (flags.drain !== undefined) {
    asked.push({
      what: "drain",
      broker: whole("--drain", flags.drain, { min: 1, max: brokersMax }),
    });
  }
  if (flags.stop === true) asked.push({ what: "stop" });
  if (asked.length > 1) throw new ClusterUsageError("--add, --drain and --stop: one at a time");
  const others = Object.keys(flags).filter((name) => !askedFlags.has(name));
  if (asked.length > 0 && others.length > 0) {
    throw new ClusterUsageError(
      `--${others[0]} is for the start of a cluster, not for one that runs`,
    );
  }
  return asked[0];
}

const askedFlags = new Set(["add", "drain", "stop", "data"]);

function readRun(flags: Flags, directory: string): ClusterOptions {
  const brokers = whole("--brokers", flags.brokers ?? "3", { min: 1, max: brokersMax });
  const ports = { min: 1, max: portMax - brokersMax };
  const port = whole("--port", flags.port ?? "9092", ports);
  const http = flags["http-port"] ?? "off";
  const httpPort = http === "off" ? undefined : whole("--http-port", http, ports);
  if (httpPort !== undefined && Math.abs(httpPort - port) < brokersMax) {
    throw new ClusterUsageError(
      `--port ${port} and --http-port ${httpPort} are nearer than ${brokersMax}: each broker takes the next of both`,
    );
  }
  for (const setting of flags.set ?? []) {
    if (!/^[^=]+=/u.test(setting)) throw new ClusterUsageError(`--set ${setting} is not KEY=VALUE`);
  }
  return {
    ...{ directory, brokers, port, httpPort },
    restarts: flags.restart === true ? "dead" : "none",
    settings: flags.set ?? [],
    metadata: readStore(flags, {
      name: "metadata",
      form: /^dynamodb:\/\/./u,
      like: "dynamodb://TABLE",
    }),
    objects: readStore(flags, {
      name: "objects",
      form: /^(s3:\/\/.|file:)/u,
      like: "s3://BUCKET/PREFIX",
    }),
  };
}

function readStore(
  flags: Flags,
  store: { readonly name: "metadata" | "objects"; readonly form: RegExp; readonly like: string },
): StoreAddress | undefined {
  const { name, form, like } = store;
  const [uri, endpoint, region] = [flags[name], flags[`${name}-endpoint`], flags[`${name}-region`]];
  if (uri === undefined) {
    const lone = endpoint === undefined ? "region" : "endpoint";
    if (endpoint === undefined && region === undefined) return undefined;
    throw new ClusterUsageError(`--${name}-${lone} needs --${name} ${like}`);
  }
  if (!form.test(uri)) throw new ClusterUsageError(`--${name} ${uri} is not like ${like}`);
  if (endpoint !== undefined && !URL.canParse(endpoint)) {
    throw new ClusterUsageError(`--${name}-endpoint ${endpoint} is not a URL`);
  }
  return { uri, endpoint, region };
}

function whole(
  flag: string,
  text: string,
  { min, max }: { readonly min: number; readonly max: number },
): number {
  const value = Number(text);
  if (/^\d+$/u.test(text) && value >= min && value <= max) return value;
  throw new ClusterUsageError(`${flag} ${text} is not a number from ${min} to ${max}`);
}

/** The paths below a cluster's data directory. */
export interface ClusterPaths {
  readonly directory: string;
  readonly hostDirectory: string;
  readonly metadataSocket: string;
  readonly controlSocket: string;
  readonly objects: string;
}

/** What the kernel takes for a socket's path, in bytes. */
const socketPathBytesMax = 107;

/** Throws ClusterUsageError where a socket's path would be longer than the kernel takes. */
export function clusterPaths(directory: string): ClusterPaths {
  if (!isAbsolute(directory)) throw new Error(`${directory} is not absolute`);
  const hostDirectory = join(directory, "metadata-host");
  const controlSocket = join(directory, "cluster.sock");
  const metadataSocket = join(directory, "metadata.sock");
  const bytes = Buffer.byteLength(metadataSocket);
  if (bytes > socketPathBytesMax) {
    throw new ClusterUsageError(
      `${metadataSocket} has ${bytes} bytes, and a socket's path may have ${socketPathBytesMax}: take a shorter --data`,
    );
  }
  return {
    ...{ directory, hostDirectory, metadataSocket, controlSocket },
    objects: join(directory, "objects"),
  };
}
