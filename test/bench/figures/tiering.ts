/**
 * What it costs to put everything into an object store as it is written: Millrace with one and
 * without, in turns. Kafka has no store to compare with: its tiers need a plug-in from elsewhere.
 */
import { cpus } from "node:os";
import { type Broker, type Setup, whileRunning, withPlace } from "../brokers.ts";
import { alternate, type Bench, type Figure, type Measurements, type Row } from "../figure.ts";
import { fixedRateTopic, halfOf, runAtRate, saturationOf } from "../fixed-rate.ts";
import { cpuDuring, makeTopic, perGB, produce, warmUp } from "../load.ts";
import { runAlone } from "../run-alone.ts";
import { inGB } from "../scale.ts";
import { objectBytes, objectsInFiles, waitUntilUploaded } from "../tiers.ts";

const recordBytes = 1024;
const without: Setup = { settings: () => ({}) };
const setups = { without, tiered: objectsInFiles } as const;
type Kind = keyof typeof setups;

/** 5 is what a producer of Kafka 4 has by default; without any, a batch is a record or two. */
const lingersMs = [0, 5] as const;

/** Of what is written, so much has to be uploaded by the end of a measurement, or it is none. */
const uploadedShareMin = 0.5;

function onFreshBroker(
  bench: Bench,
  kind: Kind,
  use: (broker: Broker) => Promise<Measurements>,
): Promise<Measurements> {
  return withPlace(bench, { subject: "local", setup: setups[kind] }, (place) =>
    whileRunning(bench, place, async (broker) => {
      await warmUp(bench, broker, bench.scale.tierWarmUpBytes);
      if (kind === "tiered") await waitUntilUploaded(broker);
      return use(broker);
    }),
  );
}

/** Throws when what was written is not what was uploaded meanwhile. */
function checkUploads(kind: Kind, writtenBytes: number, uploadedBytes: number): void {
  const isRight =
    kind === "tiered" ? uploadedBytes >= writtenBytes * uploadedShareMin : uploadedBytes === 0;
  if (!isRight) throw new Error(`${kind}: ${uploadedBytes} of ${writtenBytes} bytes uploaded`);
}

async function atHalf(
  bench: Bench,
  at: {
    readonly broker: Broker;
    readonly kind: Kind;
    readonly recordsPerSecond: number;
    readonly lingerMs: number;
  },
): Promise<Measurements> {
  const { broker, kind, lingerMs, recordsPerSecond } = at;
  const { latencySeconds: measuredSeconds } = bench.scale;
  await makeTopic(broker, fixedRateTopic);
  const before = objectBytes(broker);
  const timing = { recordBytes, recordsPerSecond, measuredSeconds, lingerMs };
  const busyShare = watchProcessors();
  const { answeredP99, arrivedPerSecond, p99 } = await runAtRate(bench, broker, timing);
  const busy = busyShare();
  const writtenBytes = recordsPerSecond * recordBytes * measuredSeconds;
  checkUploads(kind, writtenBytes, objectBytes(broker) - before);
  const named = { answered: answeredP99, "end to end": p99, rate: arrivedPerSecond, busy };
  return Object.fromEntries(
    Object.entries(named).map(([name, value]) => [withLinger(name, lingerMs), value]),
  );
}

function withLinger(name: string, lingerMs: number): string {
  return `${name}, linger ${lingerMs}`;
}

/** Gives the share of time, since the call, in which the machine's processors were not idle. */
function watchProcessors(): () => number {
  const before = processorTimes();
  return () => {
    const after = processorTimes();
    return 1 - (after.idle - before.idle) / (after.all - before.all);
  };
}

function processorTimes(): { readonly idle: number; readonly all: number } {
  const times = cpus().map(({ times }) => times);
  const sum = (values: readonly number[]): number =>
    values.reduce((total, value) => total + value, 0);
  const all = sum(times.flatMap((of) => Object.values(of)));
  return { idle: sum(times.map(({ idle }) => idle)), all };
}

async function atSaturation(bench: Bench, broker: Broker, kind: Kind): Promise<Measurements> {
  const load = { topic: "saturated", recordBytes, totalBytes: bench.scale.tieredBytes };
  await makeTopic(broker, load.topic);
  const before = objectBytes(broker);
  const { cpuSeconds, result } = await cpuDuring(broker, async () => {
    const produced = await produce(bench, broker, load);
    // Without tiers it waits as long as nothing takes.
    await waitUntilUploaded(broker);
    return produced;
  });
  checkUploads(kind, result.bytes, objectBytes(broker) - before);
  return { "MB/s": result.megabytesPerSecond, "CPU s/GB": perGB(cpuSeconds, result.bytes) };
}

async function measureRun(bench: Bench, run: number, rate: number): Promise<Measurements> {
  const kinds: readonly Kind[] = run % 2 === 1 ? ["without", "tiered"] : ["tiered", "without"];
  const found = new Map<string, number>();
  for (const kind of kinds) {
    const halves: Measurements[] = [];
    for (const lingerMs of lingersMs) {
      const half = await onFreshBroker(bench, kind, (broker) =>
        atHalf(bench, { broker, kind, recordsPerSecond: rate, lingerMs }),
      );
      halves.push(half);
    }
    const saturated = await onFreshBroker(bench, kind, (broker) =>
      atSaturation(bench, broker, kind),
    );
    for (const [name, value] of Object.entries(
      Object.assign({}, ...halves, saturated) as Measurements,
    )) {
      found.set(`${name}, ${kind}`, value);
    }
  }
  const of = (name: string, kind: Kind): number => found.get(`${name}, ${kind}`) ?? Number.NaN;
  const ratio = (name: string): number => of(name, "tiered") / of(name, "without");
  return {
    ...Object.fromEntries(found),
    ...Object.fromEntries(
      lingersMs
        .flatMap((lingerMs) =>
          ["answered", "end to end", "rate"].map((name) => withLinger(name, lingerMs)),
        )
        .map((name) => [`${name}, ratio`, ratio(name)]),
    ),
    "MB/s, ratio": ratio("MB/s"),
    // Noise may make it less than nothing, which is no measurement: none is what it is then.
    "CPU s/GB, added": Math.max(0, of("CPU s/GB", "tiered") - of("CPU s/GB", "without")),
  };
}

function rowOf(label: string, unit: Row["unit"], measurement: string, aim: Row["aim"]): Row {
  const ours = { subject: "local", measurement } as const;
  return { label: `tiering: ${label}`, unit, ours, kafkas: undefined, aim };
}

const reported: Row["aim"] = { kind: "reported" };
const atMost = (max: number): Row["aim"] => ({ kind: "most", max });

function rowsAtHalf(lingerMs: number): readonly Row[] {
  const half = `half of saturation, linger.ms=${lingerMs}`;
  const of = (name: string, kind: string): string => `${withLinger(name, lingerMs)}, ${kind}`;
  return [
    rowOf(`${half}, answered, p99`, "ms", of("answered", "tiered"), reported),
    rowOf(`${half}, answered, p99, to that without`, "×", of("answered", "ratio"), atMost(1.5)),
    rowOf(`${half}, end to end, p99`, "ms", of("end to end", "tiered"), reported),
    rowOf(`${half}, end to end, p99, to that without`, "×", of("end to end", "ratio"), atMost(1.5)),
    rowOf(`${half}, records that arrive, to those without`, "×", of("rate", "ratio"), {
      kind: "least",
      min: 0.99,
    }),
    rowOf(`${half}, processors busy without tiers`, "×", of("busy", "without"), reported),
    rowOf(`${half}, processors busy with tiers`, "×", of("busy", "tiered"), reported),
  ];
}

export const tiering: Figure = {
  name: "tiering",
  method: ({ latencySeconds, tierWarmUpBytes, tieredBytes }) =>
    "Millrace with `millrace.object.store=file:…` and without, each on a fresh broker that was " +
    `warmed up with ${inGB(tierWarmUpBytes)}; who goes first alternates, ratios are of one run's ` +
    "two. Objects lie on the same disk as the log. Kafka's tiers need a plug-in, and there is none " +
    "in its distribution. At half of saturation: FixedRate as in `latency`, at half of what it gets " +
    `through without tiers, ${latencySeconds} s of records of 1,024 B, 6 partitions, acks=all, ` +
    "once without linger, so that a batch is a record or two, and once with that of a producer by " +
    "default; busy are the processors with the broker, the client and whatever else there is; " +
    "answered is the time from the schedule to the broker's answer. Uploads run all the time: every " +
    "64 MiB. At saturation: ProducerPerformance writes " +
    `${inGB(tieredBytes)}; CPU counts until nothing more is uploaded (of the last 64 MiB a part ` +
    "may wait for the next minute), by the GB produced.",
  rows: () => [
    ...lingersMs.flatMap(rowsAtHalf),
    rowOf("at saturation, produced", "MB/s", "MB/s, tiered", reported),
    rowOf("at saturation, produced, to that without", "×", "MB/s, ratio", reported),
    rowOf("at saturation, broker CPU that it adds", "CPU s/GB", "CPU s/GB, added", atMost(0.8)),
  ],
  measure: async (bench) => {
    const warmUpBytes = bench.scale.tierWarmUpBytes;
    const rate = halfOf(await saturationOf(bench, "local", { recordBytes, warmUpBytes }));
    return alternate(bench, ["local"], (_, run) => measureRun(bench, run, rate));
  },
};

if (import.meta.main) await runAlone(tiering);
