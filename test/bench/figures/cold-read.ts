/**
 * A topic of which nothing is local any more, read from an object store that takes 30 ms to answer:
 * beside plain reads of the same objects, and what readers at the tail notice of it.
 */
import { join } from "node:path";
import { tierLimits } from "../../../broker-fargate/src/tier/limits.ts";
import { runOrThrow } from "../../compat/processes.ts";
import { type Broker, type Place, shutDown, whileRunning, withPlace } from "../brokers.ts";
import { alternate, type Bench, type Figure, type Measurements, type Row } from "../figure.ts";
import { runFixedRate } from "../java-programs.ts";
import { type ConsumeLoad, consume, makeTopic, produce, topicPartitions } from "../load.ts";
import { readMetrics } from "../metrics.ts";
import { runAlone } from "../run-alone.ts";
import { inGB } from "../scale.ts";
import { localLogBytes, loseLogs, objectBytes, objectsFolder, objectsInFiles } from "../tiers.ts";

const delayMs = 30;
const recordBytes = 1024;
const topic = "cold";
const tailTopic = "tail";
const tailRecordsPerSecond = 5_000;
const readMsMax = 300_000;

function loadOf(bench: Bench): ConsumeLoad {
  return { topic, recordBytes, totalBytes: bench.scale.coldBytes };
}

/** p99 at the tail while `beside` runs, again and again, as if from another machine. */
async function tailBeside(
  bench: Bench,
  broker: Broker,
  beside: "nothing" | "a reader",
): Promise<number> {
  const ending = { now: beside === "nothing" };
  const reading = (async () => {
    const load = { ...loadOf(bench), priority: "behind the broker" } as const;
    while (!ending.now) await consume(bench, broker, load);
  })();
  // Heard of below, when the rate's run is over.
  reading.catch(() => undefined);
  try {
    const { p99 } = await runFixedRate(bench, broker, {
      topic: tailTopic,
      partitionCount: topicPartitions,
      recordBytes,
      recordsPerSecond: tailRecordsPerSecond,
      warmUpSeconds: bench.scale.latencyWarmUpSeconds,
      measuredSeconds: bench.scale.tailSeconds,
      lingerMs: 0,
    });
    return p99;
  } finally {
    ending.now = true;
    await reading;
  }
}

/** The first life: everything is written, and still local. */
async function whileHot(bench: Bench, broker: Broker): Promise<Measurements> {
  await makeTopic(broker, topic);
  await makeTopic(broker, tailTopic);
  await produce(bench, broker, loadOf(bench));
  // Not measured, as later.
  await consume(bench, broker, loadOf(bench));
  const { megabytesPerSecond } = await consume(bench, broker, loadOf(bench));
  const besideHot = await tailBeside(bench, broker, "a reader");
  await shutDown(broker);
  return { "hot MB/s": megabytesPerSecond, "tail beside hot": besideHot };
}

/** MB/s, by the reader's own clock. */
async function readBy(
  bench: Bench,
  reader: "object-reader" | "batch-reader",
  numbers: readonly (string | number)[],
): Promise<number> {
  const args = [join(bench.repository, `test/bench/${reader}.ts`), ...numbers.map(String)];
  const command = { file: process.execPath, args, cwd: bench.scratch };
  const { bytes, seconds } = JSON.parse(await runOrThrow(command, readMsMax)) as {
    readonly bytes: number;
    readonly seconds: number;
  };
  return bytes / 1e6 / seconds;
}

function readPlainly(bench: Bench, place: Place): Promise<number> {
  const { chunkBytes, readsInFlightMax } = tierLimits;
  const numbers = [delayMs, readsInFlightMax, chunkBytes];
  return readBy(bench, "object-reader", [objectsFolder(place), ...numbers]);
}

/** Throws when so many bytes did not come out of the object store, or faster than they may. */
async function checkReads(broker: Broker, bytesMin: number): Promise<void> {
  const metrics = await readMetrics(broker.secondPort);
  const of = (name: string): number =>
    metrics.get(`millrace_object_store_${name}{operation="read"}`) ?? Number.NaN;
  const meanMs = (1000 * of("request_seconds_sum")) / of("request_seconds_count");
  const bytes = of("bytes_total");
  if (bytes >= bytesMin && meanMs >= delayMs) return;
  throw new Error(`${bytes} bytes were read of ${bytesMin}, in ${meanMs} ms each`);
}

/** The second life: whatever is read of the topic comes out of the object store. */
async function whileCold(bench: Bench, broker: Broker): Promise<Measurements> {
  if (localLogBytes(broker) > 0) throw new Error("the logs are still there");
  // Not measured: this broker's code has never run.
  await consume(bench, broker, loadOf(bench));
  const { megabytesPerSecond } = await consume(bench, broker, loadOf(bench));
  const batches = await readBy(bench, "batch-reader", [broker.port, topic, topicPartitions]);
  const one = await readBy(bench, "batch-reader", [broker.port, topic, 1]);
  if (localLogBytes(broker) > 0) throw new Error("what was cold lies on the disk");
  await checkReads(broker, 3 * loadOf(bench).totalBytes);
  return {
    "cold MB/s": megabytesPerSecond,
    "batches MB/s": batches,
    "one MB/s": one,
    "tail alone": await tailBeside(bench, broker, "nothing"),
    "tail beside cold": await tailBeside(bench, broker, "a reader"),
  };
}

function measureRun(bench: Bench): Promise<Measurements> {
  return withPlace(bench, { subject: "local", setup: objectsInFiles }, async (place) => {
    const hot = await whileRunning(bench, place, (broker) => whileHot(bench, broker));
    const stored = objectBytes(place);
    if (stored < bench.scale.coldBytes) throw new Error(`only ${stored} bytes are in the store`);
    const plain = await readPlainly(bench, place);
    await loseLogs(place);
    const environment = { MILLRACE_TEST_OBJECT_READ_DELAY_MS: String(delayMs) };
    const slow = { ...place, environment };
    const cold = await whileRunning(bench, slow, (broker) => whileCold(bench, broker));
    const of = (name: string): number => cold[name] ?? hot[name] ?? Number.NaN;
    return {
      ...hot,
      ...cold,
      "plain MB/s": plain,
      "to plain": of("cold MB/s") / plain,
      "batches to plain": of("batches MB/s") / plain,
      "one to plain": of("one MB/s") / plain,
      "to hot": of("cold MB/s") / of("hot MB/s"),
      "tail ratio": of("tail beside cold") / of("tail alone"),
      "tail ratio, hot": of("tail beside hot") / of("tail alone"),
    };
  });
}

const reported: Row["aim"] = { kind: "reported" };

function rowOf(label: string, unit: Row["unit"], measurement: string, aim = reported): Row {
  const ours = { subject: "local", measurement } as const;
  return { label: `cold, ${delayMs} ms to each GET: ${label}`, unit, ours, kafkas: undefined, aim };
}

export const coldRead: Figure = {
  name: "cold-read",
  method: ({ coldBytes, tailSeconds }) =>
    `${inGB(coldBytes)} in 6 partitions are written to Millrace with an object store of files, which ` +
    "is then ended by SIGTERM; the folder of its local logs is removed, the metadata stays, and it is " +
    `started again so that each read of an object begins ${delayMs} ms later ` +
    "(`MILLRACE_TEST_OBJECT_READ_DELAY_MS`). ConsumerPerformance reads everything twice from the " +
    "beginning, the second time measured, by its own clock; the same while the logs were hot, which " +
    "shows what the tool itself gets through. test/bench/batch-reader.ts is a consumer that opens no " +
    "batch, of all partitions and of one of them: what the broker gives. Plain GETs: test/bench/object-reader.ts reads all " +
    "objects over the same adapter, with the same delay, in the broker's chunks of 1 MiB, " +
    `${tierLimits.readsInFlightMax} in flight, which is the broker's bound, and does nothing with ` +
    `them. Tail: FixedRate at ${tailRecordsPerSecond.toLocaleString("en")} records a second into ` +
    `another topic, ${tailSeconds} s, alone and while ConsumerPerformance, with the lowest priority ` +
    "as if on another machine, reads the cold topic again and again; and once the same beside a " +
    "reader of hot data. Kafka has no cold data without a plug-in.",
  rows: () => [
    rowOf("one consumer from the beginning", "MB/s", "cold MB/s"),
    rowOf("plain parallel GETs of the same objects", "MB/s", "plain MB/s"),
    rowOf("that consumer to plain GETs", "×", "to plain", { kind: "least", min: 0.8 }),
    rowOf("that consumer to itself when all is hot", "×", "to hot"),
    rowOf("a consumer that opens no batch, 6 partitions", "MB/s", "batches MB/s"),
    rowOf("that one to plain GETs", "×", "batches to plain", { kind: "least", min: 0.8 }),
    rowOf("the same, one partition", "MB/s", "one MB/s"),
    rowOf("that one to plain GETs, one partition", "×", "one to plain", {
      kind: "least",
      min: 0.8,
    }),
    rowOf("end to end at the tail meanwhile, p99", "ms", "tail beside cold"),
    rowOf("that p99 to the tail's alone", "×", "tail ratio", { kind: "most", max: 1.5 }),
    rowOf("the tail's p99 beside a reader of hot data, to alone", "×", "tail ratio, hot"),
  ],
  measure: (bench) => alternate(bench, ["local"], () => measureRun(bench)),
};

if (import.meta.main) await runAlone(coldRead);
