/**
 * The bench: `npm run bench -- [--only produce,consume,…] [--runs 3] [--quick] [--write-docs]`.
 *
 * Measures Millrace beside Apache Kafka 4.3.1 on this machine, figure by figure, and prints a table
 * of each. A run of everything at full size writes docs/benchmarks.md; with --write-docs any run
 * does, from its own results, those kept from earlier runs, and those of docs/benchmarks.json. A
 * figure without a measurement is a failure; an aim that is missed is a line of the table.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { kafkaJvm } from "./brokers.ts";
import type { Figure } from "./figure.ts";
import { coldCatchUp } from "./figures/cold-catch-up.ts";
import { coldRead } from "./figures/cold-read.ts";
import { compaction } from "./figures/compaction.ts";
import { connections } from "./figures/connections.ts";
import { consuming } from "./figures/consume.ts";
import { latency } from "./figures/latency.ts";
import { manyPartitions } from "./figures/many-partitions.ts";
import { memory } from "./figures/memory.ts";
import { wideTopic } from "./figures/partitions.ts";
import { producing } from "./figures/produce.ts";
import { largeRestart } from "./figures/restart-large.ts";
import { sdkBesideOthers } from "./figures/sdk.ts";
import { stalls } from "./figures/stalls.ts";
import { start } from "./figures/start.ts";
import { tiering } from "./figures/tiering.ts";
import { producerSettings, toolJvm } from "./load.ts";
import { renderDocument } from "./report.ts";
import { readResults, showResults } from "./results.ts";
import { type Flags, measureFigures, readFlags, repository, resultPlaces } from "./session.ts";

const figures: readonly Figure[] = [
  start,
  memory,
  producing,
  consuming,
  latency,
  wideTopic,
  manyPartitions,
  connections,
  stalls,
  tiering,
  coldRead,
  coldCatchUp,
  largeRestart,
  compaction,
  sdkBesideOthers,
];

const classPath = "-cp 'LIBS/*'";
const tools = `java ${toolJvm} ${classPath} org.apache.kafka.tools`;
const commandLines: readonly string[] = [
  `java ${kafkaJvm.join(" ")} ${classPath} kafka.Kafka server.properties`,
  `${manifest.scripts.start.replace("exec ", "")} --data DIR --port PORT --http-port PORT \\`,
  "  --set millrace.durability=local --set group.initial.rebalance.delay.ms=0 [--set millrace.object.store=file:DIR]",
  `${tools}.ProducerPerformance --topic T --num-records N --record-size 1024 --throughput -1 \\`,
  `  --command-property bootstrap.servers=HOST:PORT ${producerSettings.join(" ")}`,
  `${tools}.ConsumerPerformance --bootstrap-server HOST:PORT --topic T --num-records N`,
  "node test/bench/node-clients/main.ts CLIENT INSTALLATION produce|consume HOST:PORT T BYTES WARM_UP MEASURED",
  `java ${toolJvm} ${classPath} FixedRate HOST:PORT T PARTITIONS BYTES RATE WARM_UP_S MEASURED_S LINGER_MS`,
];

function chosenFigures(only: readonly string[] | undefined): readonly Figure[] {
  if (only === undefined) return figures;
  return only.map((name) => {
    const figure = figures.find((candidate) => candidate.name === name);
    if (figure !== undefined) return figure;
    throw new Error(`no figure ${name}: ${figures.map((known) => known.name).join(", ")}`);
  });
}

async function writeDocument({ scale }: Flags): Promise<void> {
  const results = await readResults(resultPlaces, figures, scale.name);
  const document = renderDocument({ scale, figures, results, commandLines });
  await showResults(resultPlaces, results);
  await writeFile(join(repository, "docs/benchmarks.md"), document);
  console.log("wrote docs/benchmarks.md and docs/benchmarks.json");
}

const flags = readFlags(process.argv.slice(2));
const failed = await measureFigures(chosenFigures(flags.only), flags);
const isWhole = flags.only === undefined && flags.scale.name === "full";
if (failed === 0 && (flags.writeDocs || isWhole)) await writeDocument(flags);
process.exitCode = failed === 0 ? 0 : 1;
