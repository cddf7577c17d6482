/**
 * `node tools/control-plane.ts [--data DIR] [--port 8080]`: the control plane on this machine, whose
 * clusters are processes of it. The API, the provisioner and the records are those of a deployment;
 * in place of functions, this process runs what an operation asks for, at once, and looks after the
 * clusters from time to time. Who asks from this machine is an admin.
 *
 * It may be killed anywhere and started again on the same directory: brokers go on without it, and
 * operations go on with it. One process at a time has a directory.
 */
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { LmdbMetadataStore, nodeHashing, SystemClock, SystemRandom } from "@millrace/adapter-node";
import { ProcessDriver } from "@millrace/adapter-node/process-driver";
import {
  ApiKeys,
  begunClusters,
  ClusterRecords,
  controlApp,
  type OperationId,
  OperationRecords,
  OperationRunner,
  provisionedConnection,
  RequestRates,
  Sweeper,
} from "@millrace/control-api";
import { KafkaAccess } from "@millrace/control-api/kafka";
import { whoAsks } from "../broker-fargate/src/http/control/who-asks.ts";
import { serveHttp } from "../broker-fargate/src/http/serve.ts";
import { OpenTables } from "../functions/src/stores.ts";
import { fromSources } from "./launch.ts";

const sweepMs = 60_000;

const { values } = parseArgs({
  options: {
    data: { type: "string", default: join(homedir(), ".millrace/control-plane") },
    port: { type: "string", default: "8080" },
  },
});
const directory = resolve(values.data);
const port = Number(values.port);
if (!Number.isInteger(port) || port < 0 || port > 65_535) {
  throw new Error(`--port wants a number from 0 to 65535, not ${values.port}`);
}

function failed(what: string): (error: unknown) => void {
  return (error) => console.error(what, error);
}

mkdirSync(directory, { recursive: true });
const store = LmdbMetadataStore.open(join(directory, "store"));
const ports = { clock: new SystemClock(), random: new SystemRandom(), hashing: nodeHashing };
const driver = new ProcessDriver({ ...ports, folder: directory, launch: fromSources });
const records = new ClusterRecords({ ...ports, store });
const holder = `control-plane-${process.pid}`;
const running = { ...ports, store, driver, stores: driver, holder };
const runner = new OperationRunner(running);
const sweeper = new Sweeper(running);
const stores = new OpenTables((id) => driver.metadata(id));

function run(operation: OperationId): void {
  runner.run(operation).catch(failed(`operation ${operation} rests until the next sweep:`));
}

const clusters = begunClusters(records, run);

async function sweep(): Promise<void> {
  try {
    await sweeper.sweep();
  } catch (error) {
    failed("the next sweep tries again:")(error);
  }
  setTimeout(sweepAgain, sweepMs).unref();
}

function sweepAgain(): void {
  sweep().catch(failed("no more sweeps:"));
}

const access = new KafkaAccess({
  ...ports,
  metadata: ({ id }) => stores.of(id),
  connection: provisionedConnection,
});
const app = controlApp({
  ...{ ...ports, store, clusters, access, provisioning: "full" },
  operations: new OperationRecords({ ...ports, store }),
  principalOf: whoAsks({
    apiKeys: new ApiKeys({ ...ports, store }),
    ...{ hasLogins: false, adminUser: undefined, ownHosts: [] },
    ...{ findUser: () => undefined, checkPassword: () => Promise.resolve("wrong") },
    failureDelay: () => Promise.resolve(),
  }),
  requestRates: new RequestRates(ports),
  failed: (error, requestId) => failed(`request ${requestId} failed:`)(error),
});
const listener = await serveHttp(
  { host: "127.0.0.1", port },
  {
    ...{ notReady: () => [], metrics: () => "" },
    control: () => Promise.resolve((request, environment) => app.fetch(request, environment)),
    failed: failed("HTTP failed:"),
  },
);
sweepAgain();
console.log(
  `control plane  http://127.0.0.1:${listener.port}  (docs at /docs, data in ${directory})`,
);

await Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
await listener.close();
await access.close();
await stores.close();
await store.close();
// An operation that is under way goes on with the next start.
process.exit(0);
