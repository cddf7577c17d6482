/** A topic in which nine records of ten have a successor: how long both brokers take to find them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SeededRandom } from "@millrace/adapter-memory";
import { crc32c } from "@millrace/adapter-node";
import { buildBatch } from "@millrace/wire";
import { withClient } from "../../fixtures/wire-client.ts";
import { type Broker, type Setup, withBroker } from "../brokers.ts";
import { alternate, type Bench, type Figure, type Measurements, type Row } from "../figure.ts";
import { cpuDuring, perGB } from "../load.ts";
import { readMetrics } from "../metrics.ts";
import { pause } from "../processes.ts";
import { appendRaw, rawBatchBytes } from "../raw-load.ts";
import { runAlone } from "../run-alone.ts";
import { inGB } from "../scale.ts";
import { bytesBelow } from "../tiers.ts";
import { createTopic, setTopicConfigs, waitUntilServed } from "../topics.ts";

const topic = "compacted";
const partitionCount = 2;
const recordBytes = 1_000;
const recordOverheadBytes = 22;
const writesPerKey = 10;
const segmentBytes = 64 * 1024 * 1024;
const settleMs = 3_000;
const pollMs = 100;
const cleanedMsMax = 900_000;
/** A tenth survives, and the active segments are left alone: more than this was not compacted. */
const leftShareMax = 0.5;

/** Neither waits fifteen seconds until it looks whether there is something to do. */
const eager: Setup = { settings: () => ({ "log.cleaner.backoff.ms": "100" }) };

/** Records of keys drawn at random, so that on average each key comes so many times. */
function batchMaker(recordCount: number): (round: number, partition: number) => Uint8Array {
  const random = new SeededRandom(1);
  const value = random.bytes(recordBytes);
  const keysPerPartition = Math.ceil(recordCount / writesPerKey / partitionCount);
  const encoder = new TextEncoder();
  return () => {
    const timestamp = Date.now();
    const records = Array.from({ length: recordsPerBatch }, () => {
      const key = encoder.encode(String(random.below(keysPerPartition)).padStart(8, "0"));
      return { key, value, timestamp };
    });
    return buildBatch(records, { crc32c });
  };
}

const recordsPerBatch = Math.floor(rawBatchBytes / (recordBytes + recordOverheadBytes));

function logBytes(broker: Broker): number {
  // Files that Kafka has replaced keep another name for a minute.
  return logFolders(broker).reduce(
    (sum, folder) => sum + bytesBelow(folder, (name) => name.endsWith(".log")),
    0,
  );
}

function logFolders({ directory, subject }: Broker): readonly string[] {
  if (subject !== "kafka") return [join(directory, "data/partitions")];
  return Array.from({ length: partitionCount }, (_, partition) =>
    join(directory, "data", `${topic}-${partition}`),
  );
}

/** Kafka keeps, per partition, how far it has cleaned: all but the active segment in the end. */
function isCleanInKafka(broker: Broker): boolean {
  const checkpoint = readIfThere(join(broker.directory, "data/cleaner-offset-checkpoint"));
  return logFolders(broker).every((folder, partition) => {
    const line = new RegExp(`^${topic} ${partition} (\\d+)$`, "m").exec(checkpoint);
    const bases = readdirSync(folder).filter((name) => name.endsWith(".log"));
    const activeBase = Math.max(...bases.map((name) => Number.parseInt(name, 10)));
    return line !== null && Number(line[1]) >= activeBase;
  });
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

async function isCleanInMillrace(broker: Broker): Promise<boolean> {
  const metrics = await readMetrics(broker.secondPort);
  const of = (name: string): number => {
    const value = metrics.get(`millrace_compaction_${name}`);
    if (value === undefined) throw new Error(`no metric millrace_compaction_${name}`);
    return value;
  };
  if (of("failures_total") > 0) throw new Error("a round of compaction failed");
  return of("rounds_total") >= partitionCount && of("waiting_partitions") === 0;
}

async function waitUntilClean(broker: Broker): Promise<void> {
  const deadline = performance.now() + cleanedMsMax;
  for (;;) {
    const isClean =
      broker.subject === "kafka" ? isCleanInKafka(broker) : await isCleanInMillrace(broker);
    if (isClean) return;
    if (performance.now() > deadline) throw new Error(`not compacted in ${cleanedMsMax} ms`);
    await pause(pollMs);
  }
}

async function load(bench: Bench, broker: Broker): Promise<number> {
  const recordCount = bench.scale.compactedBytes / recordBytes;
  const configs = { "cleanup.policy": "delete", "segment.bytes": String(segmentBytes) };
  const shape = { topic, partitionCount, configs };
  await withClient(broker.port, async (client) => {
    await createTopic(client, shape);
    await waitUntilServed(client, shape);
  });
  const rounds = Math.ceil(recordCount / recordsPerBatch / partitionCount);
  await appendRaw(broker.port, { topic, partitionCount, rounds, batchOf: batchMaker(recordCount) });
  await pause(settleMs);
  return logBytes(broker);
}

async function measureOne(bench: Bench, broker: Broker): Promise<Measurements> {
  const loaded = await load(bench, broker);
  const { cpuSeconds, result } = await cpuDuring(broker, async () => {
    const startedAt = performance.now();
    await withClient(broker.port, (client) =>
      setTopicConfigs(client, topic, {
        "cleanup.policy": "compact",
        "min.cleanable.dirty.ratio": "0.01",
      }),
    );
    await waitUntilClean(broker);
    return (performance.now() - startedAt) / 1000;
  });
  const left = logBytes(broker);
  if (left > loaded * leftShareMax) throw new Error(`${left} bytes are left of ${loaded}`);
  return { wall: result, "CPU s/GB": perGB(cpuSeconds, loaded), left: left / 1e6 };
}

function rowOf(label: string, unit: Row["unit"], measurement: string): Row {
  return {
    label: `compaction, a tenth survives: ${label}`,
    unit,
    ours: { subject: "local", measurement },
    kafkas: measurement,
    aim: { kind: "reported" },
  };
}

export const compaction: Figure = {
  name: "compaction",
  method: ({ compactedBytes }) =>
    `${inGB(compactedBytes)} of records of 1,000 B, raw and the same bytes for both brokers, into ` +
    `${partitionCount} partitions with segments of 64 MiB; keys are drawn at random so that each ` +
    `comes ${writesPerKey} times on average. Only then the topic's \`cleanup.policy\` becomes ` +
    "`compact`, with `min.cleanable.dirty.ratio=0.01`; `log.cleaner.backoff.ms=100`, so that neither " +
    "waits before it looks. Timed until all but the active segments is clean: by Kafka's file " +
    "`cleaner-offset-checkpoint`, by Millrace's metrics. Each has one thread for it. CPU by the GB " +
    "that lay there before.",
  rows: ({ compactedBytes }) => [
    rowOf(`${inGB(compactedBytes)}, until it is done`, "s", "wall"),
    rowOf("broker CPU per GB", "CPU s/GB", "CPU s/GB"),
    rowOf("what is left on disk, active segments included", "MB", "left"),
  ],
  measure: (bench) =>
    alternate(bench, ["local", "kafka"], (subject) =>
      withBroker(bench, subject, (broker) => measureOne(bench, broker), eager),
    ),
};

if (import.meta.main) await runAlone(compaction);
