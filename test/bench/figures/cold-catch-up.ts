/** What a byte costs the broker in CPU time that it reads out of an object store for a consumer. */
import { type Broker, shutDown, whileRunning, withPlace } from "../brokers.ts";
import { alternate, type Bench, type Figure, type Measurements, type Row } from "../figure.ts";
import { type ConsumeLoad, consume, cpuDuring, makeTopic, perGB, produce } from "../load.ts";
import { runAlone } from "../run-alone.ts";
import { inGB } from "../scale.ts";
import { localLogBytes, loseLogs, objectsInFiles } from "../tiers.ts";

/** Once to warm up, and once measured. */
async function readTwice(bench: Bench, broker: Broker, load: ConsumeLoad): Promise<number> {
  await consume(bench, broker, load);
  const { cpuSeconds, result } = await cpuDuring(broker, () => consume(bench, broker, load));
  return perGB(cpuSeconds, result.bytes);
}

function measureRun(bench: Bench): Promise<Measurements> {
  const load = { topic: "cold", recordBytes: 1024, totalBytes: bench.scale.coldCatchUpBytes };
  return withPlace(bench, { subject: "local", setup: objectsInFiles }, async (place) => {
    const hot = await whileRunning(bench, place, async (broker) => {
      await makeTopic(broker, load.topic);
      await produce(bench, broker, load);
      const cost = await readTwice(bench, broker, load);
      await shutDown(broker);
      return cost;
    });
    await loseLogs(place);
    const cold = await whileRunning(bench, place, async (broker) => {
      const cost = await readTwice(bench, broker, load);
      if (localLogBytes(broker) > 0) throw new Error("what was cold lies on the disk");
      return cost;
    });
    return { cold, hot, "to hot": cold / hot };
  });
}

function rowOf(label: string, unit: Row["unit"], measurement: string): Row {
  return {
    label: `cold catch-up: ${label}`,
    unit,
    ours: { subject: "local", measurement },
    kafkas: undefined,
    aim: { kind: "reported" },
  };
}

export const coldCatchUp: Figure = {
  name: "cold-catch-up",
  method: ({ coldCatchUpBytes }) =>
    `As in \`cold-read\`, ${inGB(coldCatchUpBytes)} and without a delay: the objects are files in ` +
    "the page cache. ConsumerPerformance reads all of it twice, the second time measured, while it " +
    "is hot and once nothing of it is local. Kafka has no cold data without a plug-in; its catch-up " +
    "from local files is in `consume`.",
  rows: () => [
    rowOf("broker CPU per GB", "CPU s/GB", "cold"),
    rowOf("broker CPU per GB when it is hot", "CPU s/GB", "hot"),
    rowOf("the one to the other", "×", "to hot"),
  ],
  measure: (bench) => alternate(bench, ["local"], () => measureRun(bench)),
};

if (import.meta.main) await runAlone(coldCatchUp);
