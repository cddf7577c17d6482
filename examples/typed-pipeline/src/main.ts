/**
 * `npm start`: makes a cluster, sends 10,000 typed messages, reads them in a group, and says which
 * wildlife costs airlines most. With MILLRACE_URL (and MILLRACE_API_KEY) the control plane there is
 * used; otherwise one is started on this machine. The cluster is deleted in the end, also after Ctrl-C.
 */
import { controlPlane } from "@millrace/sdk";
import { startControlPlane } from "./local-control-plane.ts";
import { costBySpecies, createStrikes, produce } from "./pipeline.ts";
import { connectTo, createCluster, deleteCluster } from "./provision.ts";
import { readStrikes } from "./strikes.ts";

const shown = 5;
const { MILLRACE_URL: url, MILLRACE_API_KEY: apiKey } = process.env;

await using local = url === undefined ? await startControlPlane() : undefined;
const control = controlPlane({
  url: url ?? local?.url ?? "",
  ...(apiKey === undefined ? {} : { apiKey }),
});
const strikes = readStrikes();
const interrupted = new AbortController();
process.once("SIGINT", () => interrupted.abort(new Error("interrupted")));
const work = { strikes, signal: interrupted.signal };
const cluster = await createCluster(control, `strikes-${Date.now().toString(36)}`);
try {
  interrupted.signal.throwIfAborted();
  await using client = await connectTo(control, cluster.id);
  const topic = await createStrikes(client);
  await produce(client, topic, work);
  const dearest = (await costBySpecies(topic, work)).slice(0, shown);
  console.log("The wildlife that cost airlines most:");
  for (const { species, strikes: count, cost } of dearest) {
    console.log(`  ${species}: $${cost.toLocaleString("en-US")} in ${count} strikes`);
  }
} finally {
  await deleteCluster(control, cluster);
}
