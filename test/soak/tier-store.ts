/** The object store of a soak with tiers: a folder, or S3 as moto serves it. */
import { lstatSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { S3ObjectStore } from "@millrace/adapter-aws";
import { crc32c, SystemClock, SystemRandom } from "@millrace/adapter-node";
import { startMoto } from "../contract/s3/moto-server.ts";
import type { StoreKind } from "./tier-plan.ts";

export interface Stored {
  /** Of logs: cold segments. */
  readonly segmentBytes: number;
  /** Checkpoints, in which packed images lie. */
  readonly packBytes: number;
  readonly objects: number;
}

export interface SoakStore {
  /** What the broker is told, as KEY=VALUE. */
  readonly settings: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  stored(): Promise<Stored>;
  close(): Promise<void>;
}

const bucket = "soak";
const prefix = "millrace";
const pageObjects = 1_000;

export function openSoakStore(kind: StoreKind, folder: string): Promise<SoakStore> {
  return kind === "files" ? inFiles(join(folder, "objects")) : inMoto();
}

async function inFiles(folder: string): Promise<SoakStore> {
  mkdirSync(folder, { recursive: true });
  return {
    settings: [`millrace.object.store=file:${folder}`],
    environment: {},
    stored: async () => {
      const counting = new Counting();
      for (const { path, bytes } of filesIn(folder)) counting.add(path.slice(folder.length), bytes);
      return counting.stored;
    },
    close: async () => undefined,
  };
}

async function inMoto(): Promise<SoakStore> {
  // The server takes any; the SDK looks for some.
  const keys = { AWS_ACCESS_KEY_ID: "nobody", AWS_SECRET_ACCESS_KEY: "nothing" };
  Object.assign(process.env, keys);
  const moto = await startMoto();
  const made = await fetch(`${moto.endpoint}/${bucket}`, { method: "PUT" });
  if (!made.ok) throw new Error(`moto said ${made.status} to a new bucket`);
  const store = S3ObjectStore.open({
    ...{ bucket, prefix, crc32c, endpoint: moto.endpoint, addressing: "path" },
    ...{ clock: new SystemClock(), random: new SystemRandom() },
  });
  return {
    settings: [
      `millrace.object.store=s3://${bucket}/${prefix}`,
      `millrace.object.store.endpoint=${moto.endpoint}`,
      "millrace.object.store.path.style=true",
    ],
    environment: keys,
    stored: async () => countAll(await store),
    close: async () => {
      await (await store).close();
      await moto.stop();
    },
  };
}

async function countAll(store: S3ObjectStore): Promise<Stored> {
  const counting = new Counting();
  let after: string | undefined;
  do {
    const from = after === undefined ? {} : { after };
    const page = await store.list({ prefix: "", limit: pageObjects, ...from });
    for (const { key, bytes } of page.objects) counting.add(key, bytes);
    after = page.next;
  } while (after !== undefined);
  return counting.stored;
}

class Counting {
  #segmentBytes = 0;
  #packBytes = 0;
  #objects = 0;

  add(key: string, bytes: number): void {
    this.#objects += 1;
    if (key.includes("/checkpoint/")) this.#packBytes += bytes;
    else this.#segmentBytes += bytes;
  }

  get stored(): Stored {
    return {
      segmentBytes: this.#segmentBytes,
      packBytes: this.#packBytes,
      objects: this.#objects,
    };
  }
}

function* filesIn(folder: string): Generator<{ readonly path: string; readonly bytes: number }> {
  for (const entry of orAbsent(() => readdirSync(folder, { withFileTypes: true })) ?? []) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesIn(path);
    else yield { path, bytes: orAbsent(() => lstatSync(path).size) ?? 0 };
  }
}

function orAbsent<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
