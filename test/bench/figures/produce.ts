/** What a produced byte costs the broker in CPU time, by record size and policy of durability. */
import { type Broker, withBroker } from "../brokers.ts";
import { alternate, type Bench, type Figure, type Measurements, type Row } from "../figure.ts";
import { cpuDuring, makeTopic, perGB, produce, type ProduceLoad, warmUp } from "../load.ts";
import { runAlone } from "../run-alone.ts";
import { inGB } from "../scale.ts";

async function costOf(bench: Bench, broker: Broker, load: ProduceLoad): Promise<number> {
  await makeTopic(broker, load.topic);
  const { cpuSeconds, result } = await cpuDuring(broker, () => produce(bench, broker, load));
  return perGB(cpuSeconds, result.bytes);
}

async function measureOne(bench: Bench, broker: Broker): Promise<Measurements> {
  const { produceBytes, produceSmallBytes } = bench.scale;
  await warmUp(bench, broker);
  const large = { topic: "large", recordBytes: 1024, totalBytes: produceBytes };
  const small = { topic: "small", recordBytes: 100, totalBytes: produceSmallBytes };
  return {
    "1 KB": await costOf(bench, broker, large),
    "100 B": await costOf(bench, broker, small),
  };
}

function rowOf(subject: "local" | "journal", measurement: string, max: number): Row {
  return {
    label: `broker CPU per GB produced, records of ${measurement}, \`${subject}\``,
    unit: "CPU s/GB",
    ours: { subject, measurement },
    kafkas: measurement,
    aim: { kind: "ratio", max },
  };
}

export const producing: Figure = {
  name: "produce",
  method: ({ produceBytes, produceSmallBytes }) =>
    `ProducerPerformance, acks=all, idempotent, uncompressed, 6 partitions, as fast as it goes: ` +
    `${inGB(produceBytes)} in records of 1,024 B, then ${inGB(produceSmallBytes)} in records of ` +
    "100 B. A GB is 10⁹ bytes of records as the client counts them.",
  rows: () => [
    rowOf("local", "1 KB", 0.4),
    rowOf("local", "100 B", 0.4),
    rowOf("journal", "1 KB", 0.6),
    rowOf("journal", "100 B", 0.6),
  ],
  measure: (bench) =>
    alternate(bench, ["kafka", "local", "journal"], (subject) =>
      withBroker(bench, subject, (broker) => measureOne(bench, broker)),
    ),
};

if (import.meta.main) await runAlone(producing);
