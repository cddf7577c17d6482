/** How long the broker's event loop is held up under load, by the broker's own metric. */
import { type Broker, withBroker } from "../brokers.ts";
import { withClient } from "../../fixtures/wire-client.ts";
import { alternate, type Bench, type Figure, type Measurements, type Row } from "../figure.ts";
import { consume, makeTopic, produce, warmUp } from "../load.ts";
import { runAlone } from "../run-alone.ts";
import { type Buckets, bucketsIn, bucketsSince, quantileBound, waitBound } from "../statistics.ts";
import { deleteTopic } from "../topics.ts";

const metric = "millrace_event_loop_turn_seconds";
const recordBytes = 1024;
const stallMsMax = 20;
/** One topic, written and read; as many as the time takes, each deleted to keep the disk free. */
const topicBytes = 1e9;
/** Turns are wall time: with equal rights they would contain what the load's processes took. */
const priority = "behind the broker";

async function readTurns(broker: Broker): Promise<Buckets> {
  const response = await fetch(`http://127.0.0.1:${broker.secondPort}/metrics`);
  if (!response.ok) throw new Error(`/metrics: ${response.status}`);
  return bucketsIn(await response.text(), metric);
}

async function measureOne(bench: Bench, broker: Broker): Promise<Measurements> {
  await warmUp(bench, broker);
  const before = await readTurns(broker);
  const startedAt = performance.now();
  const deadline = startedAt + bench.scale.stallSeconds * 1000;
  for (let round = 1; performance.now() < deadline; round += 1) {
    const topic = `stalls-${round}`;
    const load = { topic, recordBytes, totalBytes: topicBytes, priority } as const;
    await makeTopic(broker, load.topic);
    await Promise.all([produce(bench, broker, load), consume(bench, broker, load)]);
    await withClient(broker.port, (client) => deleteTopic(client, load.topic));
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const turns = bucketsSince(before, await readTurns(broker));
  return {
    p50: quantileBound(turns, 0.5) * 1000,
    p99: quantileBound(turns, 0.99) * 1000,
    "p99.9": quantileBound(turns, 0.999) * 1000,
    longest: quantileBound(turns, 1) * 1000,
    "wait p99.9": waitBound(turns, seconds, 0.999) * 1000,
    turns: turns.at(-1)?.count ?? 0,
  };
}

function rowsOf(subject: "local" | "journal"): readonly Row[] {
  const row = (what: string, measurement: string, aim: Row["aim"]): Row => ({
    label: `event loop under load, ${what}, \`${subject}\``,
    unit: "ms",
    ours: { subject, measurement },
    kafkas: undefined,
    aim,
  });
  const aim: Row["aim"] =
    subject === "local" ? { kind: "absolute", max: stallMsMax } : { kind: "reported" };
  return [
    row("p99.9 of its turns, at most", "p99.9", aim),
    row("p99 of its turns, at most", "p99", { kind: "reported" }),
    row("its longest turn, at most", "longest", { kind: "reported" }),
    row("wait of who comes at any moment, p99.9, at most", "wait p99.9", { kind: "reported" }),
  ];
}

export const stalls: Figure = {
  name: "stalls",
  method: ({ stallSeconds }) =>
    `\`${metric}\` from /metrics, which has every turn of the event loop, over ${stallSeconds} s in ` +
    "which ProducerPerformance writes as fast as it goes while ConsumerPerformance reads, a topic of " +
    "1 GB after the other. Quantiles are the bounds of the histogram's buckets that hold them. Who " +
    "comes at any moment waits for the end of the turn that is under way: a long turn is the likelier " +
    "to be met, so that this quantile weighs turns by their time. Turns are wall time: the load runs " +
    "with the lowest priority (nice, and the kernel's weight of its session), as if it came from " +
    "another machine; on the broker's cores, with equal rights, turns would contain what it took.",
  rows: () => [...rowsOf("local"), ...rowsOf("journal")],
  measure: (bench) =>
    alternate(bench, ["local", "journal"], (subject) =>
      withBroker(bench, subject, (broker) => measureOne(bench, broker)),
    ),
};

if (import.meta.main) await runAlone(stalls);
