/**
 * What a consumed byte costs the broker in CPU time: read from the beginning of a log that is
 * there, and read at the tail while it is written. The second is a difference of two loads, with
 * and without the consumer, at one fixed rate that leaves the producer's batches the same.
 */
import { type Broker, withBroker } from "../brokers.ts";
import { alternate, type Bench, type Figure, type Measurements, type Row } from "../figure.ts";
import { consume, cpuDuring, makeTopic, perGB, produce, warmUp } from "../load.ts";
import { runAlone } from "../run-alone.ts";
import { inGB } from "../scale.ts";

const recordBytes = 1024;
const tailBytesPerSecond = 40e6;
/** Each reads everything: what they cost stands out of the difference. */
const tailConsumers = 4;

async function tailCost(bench: Bench, broker: Broker): Promise<number> {
  const load = {
    recordBytes,
    totalBytes: bench.scale.consumeBytes,
    recordsPerSecond: Math.round(tailBytesPerSecond / recordBytes),
  };
  await makeTopic(broker, "tail-alone");
  await makeTopic(broker, "tail-read");
  const alone = await cpuDuring(broker, () =>
    produce(bench, broker, { ...load, topic: "tail-alone" }),
  );
  const read = await cpuDuring(broker, async () => {
    const topic = "tail-read";
    const consuming = Array.from({ length: tailConsumers }, () =>
      consume(bench, broker, { topic, recordBytes, totalBytes: load.totalBytes }),
    );
    const [produced, ...consumed] = await Promise.all([
      produce(bench, broker, { ...load, topic }),
      ...consuming,
    ]);
    const seconds = Math.max(...consumed.map((one) => one.seconds));
    if (seconds > produced.seconds + 5) {
      throw new Error(`consumers fell behind: ${seconds} s of ${produced.seconds} s`);
    }
    return consumed.reduce((sum, { bytes }) => sum + bytes, 0);
  });
  const added = read.cpuSeconds - alone.cpuSeconds;
  if (added <= 0) {
    throw new Error(`consumers cost nothing: ${alone.cpuSeconds} s alone, ${read.cpuSeconds} read`);
  }
  return perGB(added, read.result);
}

async function measureOne(bench: Bench, broker: Broker): Promise<Measurements> {
  await warmUp(bench, broker);
  const load = { topic: "caught-up", recordBytes, totalBytes: bench.scale.consumeBytes };
  await makeTopic(broker, load.topic);
  await produce(bench, broker, load);
  const { cpuSeconds, result } = await cpuDuring(broker, () => consume(bench, broker, load));
  return { "catch-up": perGB(cpuSeconds, result.bytes), tail: await tailCost(bench, broker) };
}

function rowOf(measurement: string, label: string): Row {
  return {
    label: `broker CPU per GB consumed, ${label}`,
    unit: "CPU s/GB",
    ours: { subject: "local", measurement },
    kafkas: measurement,
    aim: { kind: "ratio", max: 1 },
  };
}

export const consuming: Figure = {
  name: "consume",
  method: ({ consumeBytes }) =>
    `Records of 1,024 B in 6 partitions. Catch-up: ConsumerPerformance reads ${inGB(consumeBytes)} ` +
    "from the beginning, just written and so in the page cache. Tail: ProducerPerformance writes " +
    `${inGB(consumeBytes)} at ${tailBytesPerSecond / 1e6} MB/s, once alone and once with ` +
    `${tailConsumers} consumers that keep up; the difference, by the GB consumed.`,
  rows: () => [rowOf("tail", "at the tail"), rowOf("catch-up", "catch-up from the beginning")],
  measure: (bench) =>
    alternate(bench, ["local", "kafka"], (subject) =>
      withBroker(bench, subject, (broker) => measureOne(bench, broker)),
    ),
};

if (import.meta.main) await runAlone(consuming);
