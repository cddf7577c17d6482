import { parseArgs } from "node:util";
import { linesShownDefault } from "../limits.ts";
import { UsageError } from "../usage-error.ts";

export interface DumpOptions {
  readonly paths: readonly string[];
  /** Whether batches are opened. */
  readonly records: "shown" | "hidden";
  /** Of one file; everything is checked all the same. */
  readonly linesShownMax: number;
  readonly output: "text" | "json";
}

export const dumpUsage: string = `millrace log dump FILE…

Prints what a file of a data directory or an object of a bucket holds, and checks every CRC in it:
a segment (.log), its indexes (.index, .timeindex), a snapshot, leader-epochs, a journal, a cold
segment, a checkpoint; and the items of metadata/data.mdb, without what logins rest on. What it is, its name or its magic tells. Changes nothing.

  --records          each record of each batch too
  --limit LINES      print at most so many lines of a file (default: ${linesShownDefault}); all is checked
  --output FORMAT    text, or json: one object a line
  --help

Each file ends with a line that says whether it is sound or at which byte the damage begins. Exit
code 1: something is damaged, or can't be read.`;

export function readDumpOptions(args: readonly string[]): DumpOptions | "help" {
  const { values, positionals } = parse(args);
  if (values.help === true) return "help";
  if (positionals.length === 0) throw new UsageError(`which file?\n\n${dumpUsage}`);
  const limit = values.limit ?? String(linesShownDefault);
  if (!/^\d{1,9}$/u.test(limit)) throw new UsageError(`--limit takes a number, not "${limit}"`);
  const output = values.output ?? "text";
  if (output !== "text" && output !== "json") {
    throw new UsageError(`--output takes text or json, not "${output}"`);
  }
  const records = values.records === true ? "shown" : "hidden";
  return { paths: positionals, records, linesShownMax: Number(limit), output };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        records: { type: "boolean" },
        limit: { type: "string" },
        output: { type: "string" },
        help: { type: "boolean" },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
