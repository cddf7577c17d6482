/** The data directories of released formats, as they are checked in. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unpack } from "./archive.ts";
import type { IdempotentProducer } from "./contents.ts";
import type { Observation } from "./observe.ts";

export interface Expected {
  /** The format of the directory, and the release that wrote it. */
  readonly format: number;
  readonly release: string;
  /** How the last broker that wrote it ended. */
  readonly end: "SIGKILL" | "SIGTERM";
  readonly observation: Observation;
  readonly producers: readonly IdempotentProducer[];
  readonly deletedTopic: { readonly name: string; readonly topicId: string };
  /** Of the group with a static member. */
  readonly generation: number;
}

export interface Fixture {
  readonly name: string;
  readonly expected: Expected;
  readonly archivePath: string;
}

export const releasedDirectory: string = join(import.meta.dirname, "released");
export const archiveName = "data.tar.gz";
export const expectedName = "expected.json";

export function fixtures(): readonly Fixture[] {
  if (!existsSync(releasedDirectory)) return [];
  return readdirSync(releasedDirectory).map((name) => {
    const directory = join(releasedDirectory, name);
    const json = readFileSync(join(directory, expectedName), "utf8");
    const archivePath = join(directory, archiveName);
    return { name, expected: JSON.parse(json) as Expected, archivePath };
  });
}

/** Calls `use` with a copy of the fixture's directory that is gone afterwards. */
export async function withCopy<Result>(
  fixture: Fixture,
  use: (directory: string) => Promise<Result>,
): Promise<Result> {
  const directory = mkdtempSync(join(tmpdir(), "millrace-formats-"));
  try {
    unpack(readFileSync(fixture.archivePath), directory);
    return await use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
