/**
 * `npm run bench:create -- [--runs 30]`: how long it takes from the moment at which a cluster is asked
 * for to the first record that its broker acknowledges to a client which logged in, with brokers as
 * processes of this machine. Each run makes a cluster of one broker anew, and deletes it.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { begun } from "../../control-api/src/operations/fixtures.ts";
import { string } from "../../sdk/src/index.ts";
import { bundledLaunch } from "../cluster/rig.ts";
import { ProcessClusters, smallCluster } from "../fixtures/process-clusters.ts";

interface Run {
  /** Until the operation has succeeded. */
  readonly activeMs: number;
  /** Until the first record is acknowledged. */
  readonly firstRecordMs: number;
}

async function oneRun(clusters: ProcessClusters): Promise<Run> {
  const startMs = performance.now();
  const { cluster, operation } = begun(await clusters.records.create(smallCluster));
  const outcome = await clusters.run(operation);
  if (outcome !== "succeeded") throw new Error(`the creation ${outcome}`);
  const activeMs = performance.now() - startMs;
  const client = await clusters.client(await clusters.cluster(cluster.id));
  await client.admin.createTopic("first");
  await client.topic("first", { value: string() }).send({ value: "record" });
  const firstRecordMs = performance.now() - startMs;
  await client.close();
  const removal = begun(await clusters.records.remove(cluster.id));
  await clusters.run(removal.operation);
  return { activeMs, firstRecordMs };
}

function line(name: string, values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? 0);
  const parts = [`min ${at(0.001)}`, `p50 ${at(0.5)}`, `p90 ${at(0.9)}`, `max ${at(1)}`];
  return `${name.padEnd(28)}${parts.join("  ")}  ms`;
}

const { values } = parseArgs({ options: { runs: { type: "string", default: "30" } } });
const runs = Number(values.runs);
if (!Number.isInteger(runs) || runs < 1) throw new Error("--runs wants a number from 1 on");
const bundles = mkdtempSync(join(tmpdir(), "millrace-bundles-"));
const clusters = ProcessClusters.inNewFolder(await bundledLaunch(bundles));
try {
  const found: Run[] = [];
  for (let run = 1; run <= runs; run += 1) {
    const each = await oneRun(clusters);
    found.push(each);
    process.stdout.write(`${run}: ${Math.round(each.firstRecordMs)} ms\n`);
  }
  const active = found.map(({ activeMs }) => activeMs);
  process.stdout.write(`${line("the cluster is active", active)}\n`);
  const first = found.map(({ firstRecordMs }) => firstRecordMs);
  process.stdout.write(`${line("the first record is acked", first)}\n`);
} finally {
  await clusters.removeAll();
  rmSync(bundles, { recursive: true, force: true });
}
