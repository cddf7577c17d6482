/** `millrace log dump` as a process, and what it prints as lines. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const main = join(import.meta.dirname, "../../cli/src/main.ts");
export const all: readonly string[] = ["--limit", "1000000", "--output", "json"];

export type Line = Readonly<Record<string, unknown>>;

export interface Dumped {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function run(...args: readonly string[]): Dumped {
  const { status, stderr, stdout } = spawnSync(process.execPath, [main, ...args], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  return { status, stdout, stderr };
}

/** The lines of each file, in the order of the files. */
export function linesOf({ stdout }: Dumped): ReadonlyMap<string, readonly Line[]> {
  const byFile = new Map<string, Line[]>();
  for (const text of stdout.trimEnd().split("\n")) {
    const { file, ...line } = JSON.parse(text) as Line & { readonly file: string };
    byFile.set(file, [...(byFile.get(file) ?? []), line]);
  }
  return byFile;
}

export function picked(
  lines: readonly Line[] | undefined,
  what: string,
  fields: readonly string[],
): readonly (readonly unknown[])[] {
  return (lines ?? [])
    .filter((line) => line["what"] === what)
    .map((line) => fields.map((field) => line[field]));
}
