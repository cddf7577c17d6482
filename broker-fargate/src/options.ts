/**
 * Where the broker's configuration comes from: a `server.properties`, the `KAFKA_*` environment of
 * the apache/kafka image, and flags; the later one wins. Only Kafka's names (and our own
 * `millrace.` ones) go further than this file.
 */
import { parseArgs } from "node:util";
import { parse as parseProperties } from "dot-properties";

export interface Options {
  /** The folder that holds everything. */
  readonly dataDirectory: string;
  readonly http: "on" | "off";
  /** Kafka's configuration names and values, all sources merged. */
  readonly entries: ReadonlyMap<string, string>;
  /** Test flag: a file that receives each file's length at every completed fdatasync. */
  readonly syncLogPath: string | undefined;
  /** Test flag: each read of an object takes so much longer, as from a store that is far away. */
  readonly objectReadDelayMs: number;
}

export interface OptionSources {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => string;
}

/** What the user typed can't be understood; `main.ts` prints the message and exits with 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export const usage = `millrace broker

  --data DIR            where everything is kept (default: ./data)
  --port PORT           Kafka clients connect here (default: 9092; 0 takes a free one)
  --http-port PORT      health, metrics and the control plane's API (default: 8080; 0 takes a free
                        one; "off" for none)
  --config FILE         a server.properties
  --set KEY=VALUE       one configuration value, Kafka's names; may be repeated
  --help

The environment may carry configuration too, as for the apache/kafka image:
KAFKA_LOG_RETENTION_MS=1000 is log.retention.ms=1000.`;

/** On loopback, unlike Kafka's own default: nobody has to log in by default (ADR 6). */
const defaultListeners = "PLAINTEXT://127.0.0.1:9092";

const notConfiguration = new Set([
  "KAFKA_HEAP_OPTS",
  "KAFKA_OPTS",
  "KAFKA_JVM_PERFORMANCE_OPTS",
  "KAFKA_GC_LOG_OPTS",
  "KAFKA_LOG4J_OPTS",
  "KAFKA_JMX_OPTS",
  "KAFKA_JMX_PORT",
  "KAFKA_DEBUG",
]);

export function readOptions(sources: OptionSources): Options | "help" {
  const flags = parseFlags(sources.args);
  if (flags.help === true) return "help";
  const entries = new Map<string, string>([
    ...(flags.config === undefined ? [] : readPropertiesFile(flags.config, sources.readFile)),
    ...environmentEntries(sources.environment),
    ...(flags.set ?? []).map(splitSetting),
  ]);
  if (!entries.has("listeners")) entries.set("listeners", defaultListeners);
  if (flags.port !== undefined) {
    entries.set("listeners", withPort(entries.get("listeners"), parsePort(flags.port, "--port")));
    entries.delete("advertised.listeners");
  }
  const httpPort = flags["http-port"];
  if (httpPort !== undefined && httpPort !== "off") {
    entries.set("millrace.http.port", String(parsePort(httpPort, "--http-port")));
  }
  const dataDirectory = flags.data ?? entries.get("log.dirs") ?? entries.get("log.dir") ?? "data";
  entries.set("log.dirs", dataDirectory);
  return {
    dataDirectory,
    http: httpPort === "off" ? "off" : "on",
    entries,
    syncLogPath: sources.environment["MILLRACE_TEST_SYNC_LOG"],
    objectReadDelayMs: readDelay(sources.environment[readDelayVariable] ?? "0"),
  };
}

/** `KAFKA_` names: `_` stands for a dot, `__` for an underscore, `___` for a dash. */
export function environmentEntries(
  environment: Readonly<Record<string, string | undefined>>,
): [string, string][] {
  const entries: [string, string][] = [];
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || !name.startsWith("KAFKA_") || notConfiguration.has(name)) continue;
    const key = name
      .slice("KAFKA_".length)
      .toLowerCase()
      .replace(/_+/g, (run) => (run.length === 1 ? "." : run.length === 2 ? "_" : "-"));
    entries.push([key, value]);
  }
  return entries;
}

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        data: { type: "string" },
        port: { type: "string" },
        "http-port": { type: "string" },
        config: { type: "string" },
        set: { type: "string", multiple: true },
        help: { type: "boolean" },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function readPropertiesFile(path: string, readFile: (path: string) => string): [string, string][] {
  let text: string;
  try {
    text = readFile(path);
  } catch (error) {
    throw new UsageError(`--config ${path} can't be read`, { cause: error });
  }
  return Object.entries(parseProperties(text)).flatMap(([key, value]): [string, string][] =>
    typeof value === "string" ? [[key, value]] : [],
  );
}

function splitSetting(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw new UsageError(`--set wants KEY=VALUE, not "${text}"`);
  return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

function parsePort(text: string, flag: string): number {
  const port = Number(text);
  if (text === "" || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new UsageError(`${flag} wants a port from 0 to 65535, not "${text}"`);
  }
  return port;
}

const readDelayVariable = "MILLRACE_TEST_OBJECT_READ_DELAY_MS";
const readDelayMsMax = 60_000;

function readDelay(text: string): number {
  const ms = Number(text);
  if (text.trim() !== "" && ms >= 0 && ms <= readDelayMsMax) return ms;
  throw new UsageError(
    `${readDelayVariable} wants 0 to ${readDelayMsMax} milliseconds, not "${text}"`,
  );
}

/** The first listener with another port. */
function withPort(listeners: string | undefined, port: number): string {
  return (listeners ?? defaultListeners).replace(/:\d+(?=\s*(,|$))/, `:${port}`);
}
