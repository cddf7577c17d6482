/** Resident memory of an idle broker, and of one that has had a load. */
import { type Broker, withBroker } from "../brokers.ts";
import { alternate, type Bench, type Figure, type Measurements } from "../figure.ts";
import { consume, makeTopic, produce } from "../load.ts";
import { pause, residentMemory } from "../processes.ts";
import { runAlone } from "../run-alone.ts";
import { inGB } from "../scale.ts";

const idleMs = 5_000;
const consumedShare = 0.2;
const MB = 1e6;

async function measureOne(bench: Bench, broker: Broker): Promise<Measurements> {
  await pause(idleMs);
  const idle = residentMemory(broker.pid).bytes / MB;
  const load = { topic: "load", recordBytes: 1024, totalBytes: bench.scale.memoryBytes };
  await makeTopic(broker, load.topic);
  await produce(bench, broker, load);
  await consume(bench, broker, { ...load, totalBytes: load.totalBytes * consumedShare });
  await pause(idleMs);
  const { bytes, peakBytes } = residentMemory(broker.pid);
  return { idle, loaded: bytes / MB, peak: peakBytes / MB };
}

export const memory: Figure = {
  name: "memory",
  method: ({ memoryBytes }) =>
    `VmRSS (and at its highest, VmHWM) from /proc: ${idleMs / 1000} s after the start; then again ` +
    `${idleMs / 1000} s after ${inGB(memoryBytes)} of records of 1,024 B were produced as fast as ` +
    `it goes and ${inGB(memoryBytes * consumedShare)} of them consumed.`,
  rows: () => [
    {
      label: "resident memory, idle",
      unit: "MB",
      ours: { subject: "local", measurement: "idle" },
      kafkas: "idle",
      aim: { kind: "ratio", max: 0.2 },
    },
    {
      label: "resident memory after load",
      unit: "MB",
      ours: { subject: "local", measurement: "loaded" },
      kafkas: "loaded",
      aim: { kind: "ratio", max: 0.25 },
    },
    {
      label: "resident memory at its highest",
      unit: "MB",
      ours: { subject: "local", measurement: "peak" },
      kafkas: "peak",
      aim: { kind: "reported" },
    },
  ],
  measure: (bench) =>
    alternate(bench, ["kafka", "local"], (subject) =>
      withBroker(bench, subject, (broker) => measureOne(bench, broker)),
    ),
};

if (import.meta.main) await runAlone(memory);
