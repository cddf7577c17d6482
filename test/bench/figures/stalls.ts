/** How long the broker's event loop is held up under load, by the broker's own metric. */
import { type Broker, withBroker } from "../brokers.ts";
import { withClient } from "../../fixtures/wire-client.ts";
import { alternate, type Bench, type Figure, type Measurements } from "../figure.ts";
import { consume, makeTopic, produce, warmUp } from "../load.ts";
import { runAlone } from "../run-alone.ts";
import { type Buckets, bucketsIn, bucketsSince, quantileBound } from "../statistics.ts";
import { deleteTopic } from "../topics.ts";

const metric = "millrace_event_loop_delay_seconds";
const recordBytes = 1024;
/** One topic, written and read; as many as the time takes, each deleted to keep the disk free. */
const topicBytes = 1e9;

async function readDelays(broker: Broker): Promise<Buckets> {
  const response = await fetch(`http://127.0.0.1:${broker.secondPort}/metrics`);
  if (!response.ok) throw new Error(`/metrics: ${response.status}`);
  return bucketsIn(await response.text(), metric);
}

async function measureOne(bench: Bench, broker: Broker): Promise<Measurements> {
  await warmUp(bench, broker);
  const before = await readDelays(broker);
  const deadline = performance.now() + bench.scale.stallSeconds * 1000;
  for (let round = 1; performance.now() < deadline; round += 1) {
    const load = { topic: `stalls-${round}`, recordBytes, totalBytes: topicBytes };
    await makeTopic(broker, load.topic);
    await Promise.all([produce(bench, broker, load), consume(bench, broker, load)]);
    await withClient(broker.port, (client) => deleteTopic(client, load.topic));
  }
  const delays = bucketsSince(before, await readDelays(broker));
  const observations = delays.at(-1)?.count ?? 0;
  return {
    "p99.9": quantileBound(delays, 0.999) * 1000,
    p99: quantileBound(delays, 0.99) * 1000,
    observations,
  };
}

export const stalls: Figure = {
  name: "stalls",
  method: ({ stallSeconds }) =>
    `\`${metric}\` from /metrics, over ${stallSeconds} s in which ProducerPerformance writes as fast ` +
    "as it goes while ConsumerPerformance reads, a topic of 1 GB after the other. The bound of the histogram's " +
    "bucket that holds the quantile: the delay is at most that.",
  rows: () => [
    {
      label: "event-loop delay under load, p99.9, at most",
      unit: "ms",
      ours: { subject: "local", measurement: "p99.9" },
      kafkas: undefined,
      aim: { kind: "absolute", max: 20 },
    },
    {
      label: "event-loop delay under load, p99, at most",
      unit: "ms",
      ours: { subject: "local", measurement: "p99" },
      kafkas: undefined,
      aim: { kind: "reported" },
    },
  ],
  measure: (bench) =>
    alternate(bench, ["local"], (subject) =>
      withBroker(bench, subject, (broker) => measureOne(bench, broker)),
    ),
};

if (import.meta.main) await runAlone(stalls);
