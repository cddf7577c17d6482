/**
 * The process that hosts the metadata of several brokers of one machine: opens DIR/metadata, listens
 * on a Unix socket, says so in one line, and ends by SIGTERM or SIGINT when it has answered what is
 * under way. It may be killed at any time and started again: brokers go on by themselves.
 *
 *     node broker-fargate/src/metadata-host/main.ts --dir DIR [--socket PATH]
 */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { MetadataHost } from "@millrace/adapter-node/metadata-host";
import { MetadataError } from "@millrace/core";
import { pino } from "pino";
import { logToStandardError } from "../standard-streams.ts";

const exitFailure = 1;
const exitUsage = 2;
const usage = `millrace metadata host

  --dir DIR       its items are in DIR/metadata
  --socket PATH   where brokers connect, at most 107 bytes (default: DIR/metadata.sock)
  --help`;

interface Options {
  readonly directory: string;
  readonly socketPath: string;
}

void main();

async function main(): Promise<void> {
  const options = readOptions();
  if (options === "help") process.stdout.write(`${usage}\n`);
  else await run(options);
}

function readOptions(): Options | "help" {
  try {
    const { values } = parseArgs({
      options: {
        dir: { type: "string" },
        socket: { type: "string" },
        help: { type: "boolean" },
      },
    });
    if (values.help === true) return "help";
    if (values.dir === undefined) return fail("--dir DIR is missing", exitUsage);
    const directory = resolve(values.dir);
    return { directory, socketPath: resolve(values.socket ?? join(directory, "metadata.sock")) };
  } catch (error) {
    return fail(describe(error), exitUsage);
  }
}

async function run({ directory, socketPath }: Options): Promise<void> {
  const streams = [process.stdout, process.stderr];
  const level = process.env["MILLRACE_LOG_LEVEL"] ?? "warn";
  const log = pino({ level }, logToStandardError(streams));
  const onDropped = (reason: string): void => {
    log.warn({ reason }, `closed a client's connection: ${reason}`);
  };
  try {
    const host = await MetadataHost.open({ directory, socketPath, onDropped });
    closeOnSignals(host);
    process.stdout.write(`millrace metadata host ready at ${socketPath}\n`);
  } catch (error) {
    if (error instanceof MetadataError) fail(describe(error), exitFailure);
    throw error;
  }
}

function closeOnSignals(host: MetadataHost): void {
  let closing = false;
  const onSignal = (): void => {
    if (closing) return;
    closing = true;
    host.close().then(
      () => process.exit(0),
      (error: unknown) => fail(describe(error), exitFailure),
    );
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, onSignal);
}

function fail(message: string, exitCode: number): never {
  process.stderr.write(`millrace: ${message}\n`);
  process.exit(exitCode);
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\n  because: ${describe(error.cause)}`;
  return `${error.message}${cause}`;
}
