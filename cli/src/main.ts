#!/usr/bin/env node
/**
 * `millrace`: the command line. Finds the command, loads only what that one needs, and turns its
 * outcome into the exit code: 0 all is well, 1 it is not, 2 the command line makes no sense. The
 * only file that knows an adapter.
 */
import { UsageError } from "./usage-error.ts";

const usage = `millrace COMMAND

  log dump FILE…    print any file or object that Millrace writes, and check it

Each command says more with --help.`;

const exitFailure = 1;
const exitUsage = 2;

void main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<void> {
  // Whoever reads may have seen enough: `millrace … | head`.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit();
    throw error;
  });
  try {
    process.exitCode = await run(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = exitUsage;
  }
}

async function run(args: readonly string[]): Promise<number> {
  const [first, second, ...rest] = args;
  if (first === undefined || first === "--help" || first === "help") {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  if (first === "log" && second === "dump") return dump(rest);
  throw new UsageError(`there is no command "${args.slice(0, 2).join(" ")}"\n\n${usage}`);
}

async function dump(args: readonly string[]): Promise<number> {
  const [{ readDumpOptions, dumpUsage }, { dumpFiles }, { crc32c, loadCodecs, readStoredEntries }] =
    await Promise.all([
      import("./log/dump-options.ts"),
      import("./log/dump-files.ts"),
      import("@millrace/adapter-node"),
    ]);
  const options = readDumpOptions(args);
  if (options === "help") {
    process.stdout.write(`${dumpUsage}\n`);
    return 0;
  }
  const outcome = dumpFiles(options, {
    crc32c,
    codecs: loadCodecs().codecs,
    storedEntries: readStoredEntries,
    write: (line) => process.stdout.write(`${line}\n`),
  });
  return outcome === "sound" ? 0 : exitFailure;
}
