/**
 * Compaction of the object store's part of a log, end to end over S3 as moto serves it: a tiered
 * log is cleaned there, its objects take the place of others, and another life reads them.
 */
import { randomBytes } from "node:crypto";
import { S3ObjectStore } from "@millrace/adapter-aws";
import type { MemoryObjectStore } from "@millrace/adapter-memory";
import { crc32c, SystemClock, SystemRandom } from "@millrace/adapter-node";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ColdKit } from "../../fixtures/cold-compaction.ts";
import type { StandIn } from "../stand-in.ts";
import { startMoto } from "./moto-server.ts";

const bucket = "compaction";
let server: StandIn | undefined;
let store: S3ObjectStore | undefined;

beforeAll(async () => {
  process.env["AWS_ACCESS_KEY_ID"] = "nobody";
  process.env["AWS_SECRET_ACCESS_KEY"] = "nothing";
  server = await startMoto();
  const response = await fetch(`${server.endpoint}/${bucket}`, { method: "PUT" });
  if (!response.ok) throw new Error(`moto said ${response.status}: ${await response.text()}`);
  store = await S3ObjectStore.open({
    ...{ bucket, prefix: `run/${randomBytes(8).toString("hex")}`, endpoint: server.endpoint },
    ...{ addressing: "path", clock: new SystemClock(), random: new SystemRandom(), crc32c },
  });
}, 900_000);

afterAll(async () => {
  await store?.close();
  await server?.stop();
});

/** Requests to S3 that are under way: they take real time, and virtual time waits for them. */
let inFlight = 0;

async function counted<Result>(request: Promise<Result>): Promise<Result> {
  inFlight += 1;
  try {
    return await request;
  } finally {
    inFlight -= 1;
  }
}

/** From now on the kit's objects lie in S3. */
function useS3(cold: ColdKit, objects: MemoryObjectStore, s3: S3ObjectStore): void {
  objects.putIfAbsent = (key, parts) => counted(s3.putIfAbsent(key, parts));
  objects.readRange = (key, range) => counted(s3.readRange(key, range));
  objects.list = (range) => counted(s3.list(range));
  objects.delete = (keys) => counted(s3.delete(keys));
  holdClock(cold);
}

/** To be called in each life: its clock is another one. */
function holdClock({ kit: { rig } }: ColdKit): void {
  const { clock } = rig;
  const fireNext = clock.fireNext.bind(clock);
  const pause = new Int32Array(new SharedArrayBuffer(4));
  clock.fireNext = () => {
    if (inFlight === 0) return fireNext();
    Atomics.wait(pause, 0, 0, 1);
    return true;
  };
}

async function dataKeys(s3: S3ObjectStore): Promise<readonly string[]> {
  const { objects } = await s3.list({ prefix: "", limit: 1_000 });
  const keys = objects.map(({ key }) => key);
  return keys.filter((key) => key.includes("/data/")).toSorted();
}

it("a log in S3 has only the last value of each key after a round, in this life and the next", async () => {
  const cold = await ColdKit.start();
  const { objects } = cold.kit.rig;
  if (objects === undefined || store === undefined) throw new Error("there is a store");
  useS3(cold, objects, store);
  for (let i = 0; i < 12; i += 1) await cold.append(`a=${i}`, `b=${i}`);
  const owner = await cold.tier();
  const before = await dataKeys(store);
  expect(before.length).toBeGreaterThan(2);
  expect(owner.earliestLocalOffset).toBe(24);
  expect(await cold.read()).toHaveLength(24);
  await cold.clean();
  expect(cold.kit.warnings).toEqual([]);
  const left = ["22:a=11", "23:b=11"];
  expect(await cold.read()).toEqual(left);
  const after = await dataKeys(store);
  expect((await cold.parts()).map(({ object }) => object).toSorted()).toEqual(after);
  expect(after.filter((key) => before.includes(key))).toEqual([]);
  expect(cold.kit.counted("removed_records_total")).toBe(22);
  await cold.loseLogs();
  holdClock(cold);
  expect(await cold.read()).toEqual(left);
  await cold.append("c=1");
  await cold.tier();
  await cold.clean();
  expect(await cold.read()).toEqual([...left, "24:c=1"]);
}, 120_000);
