/**
 * The same for a control plane that makes clusters, which a single broker's refuses to do: the API, its
 * records and its runner, over clusters in memory.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryBrokerDriver, MemoryMetadataStore } from "@millrace/adapter-memory";
import { nodeHashing, SystemClock, SystemRandom } from "@millrace/adapter-node";
import {
  begunClusters,
  ClusterRecords,
  controlApp,
  OperationRecords,
  OperationRunner,
  provisionedConnection,
} from "@millrace/control-api";
import type { ClusterId } from "@millrace/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type HttpListener, serveHttp } from "../../../broker-fargate/src/http/serve.ts";
import { MemoryClusterAdmin } from "../../../control-api/src/memory-cluster-admin.ts";
import { controlPlane } from "../../../sdk/src/index.ts";
import { askEverything, operationsOf } from "./ask-everything.ts";

/** Sizes have rules between their fields; and an entity tag is sent without its quotes. */
const isRefusedToo = [
  ...["createCluster", "changeCluster"],
  ...["deleteCluster", "retryCluster", "upgradeCluster"],
];
const apiKey = "the one key";
const headers = { Authorization: `Bearer ${apiKey}` };
const failures: unknown[] = [];
let directory: string;
let listener: HttpListener;
let url: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "millrace-schemathesis-"));
  listener = await serveHttp(
    { host: "127.0.0.1", port: 0 },
    {
      ...{ notReady: () => [], metrics: () => "", failed: (error) => failures.push(error) },
      control: async () => {
        const app = inMemory();
        return (request, environment) => app.fetch(request, environment);
      },
    },
  );
  url = `http://127.0.0.1:${listener.port}`;
});

afterAll(async () => {
  await listener.close();
  rmSync(directory, { recursive: true, force: true });
});

let made: ReturnType<typeof controlApp> | undefined;

function inMemory(): ReturnType<typeof controlApp> {
  made ??= makeApp();
  return made;
}

function makeApp(): ReturnType<typeof controlApp> {
  const ports = { clock: new SystemClock(), random: new SystemRandom(), hashing: nodeHashing };
  const store = new MemoryMetadataStore();
  const driver = new MemoryBrokerDriver({ looks: 0 });
  const records = new ClusterRecords({ ...ports, store });
  const runner = new OperationRunner({ ...ports, store, driver, stores: driver, holder: "here" });
  const admins = new Map<ClusterId, MemoryClusterAdmin>();
  return controlApp({
    ...{ ...ports, store, provisioning: "full" },
    clusters: begunClusters(records, (operation) => {
      runner.run(operation).catch((error: unknown) => failures.push(error));
    }),
    operations: new OperationRecords({ ...ports, store }),
    access: {
      admin: async ({ id }) => {
        const admin = admins.get(id) ?? new MemoryClusterAdmin();
        admins.set(id, admin);
        return admin;
      },
      metadata: ({ id }) => driver.metadata(id),
      usersChanged: async () => undefined,
      connection: provisionedConnection,
    },
    principalOf: async ({ request }) => {
      if (request.headers.get("authorization") !== headers.Authorization) {
        return { kind: "unauthenticated", challenge: "Bearer", detail: "another key" };
      }
      return { kind: "principal", principal: { kind: "apiKey", id: "here", role: "admin" } };
    },
    failed: (error) => failures.push(error),
  });
}

test("an API that makes clusters answers as its document says, whatever it is asked", async () => {
  const control = controlPlane({ url, apiKey });
  const { id } = await control.clusters.create({ name: "orders" });
  await control.clusters.settled(id);
  const done = await askEverything({
    ...{ url, directory, headers, phases: "coverage,fuzzing", examples: 10 },
    parameters: { clusterId: id, topic: "orders" },
    isRefusedToo,
  });
  expect(done.operations).toBe(await operationsOf(url));
  expect(failures).toEqual([]);
});

test("and so it does in the order in which one thing follows another", async () => {
  const done = await askEverything({
    ...{ url, directory, headers, phases: "stateful", examples: 10, parameters: {} },
    isRefusedToo,
  });
  expect(done.cases).toBeGreaterThan(50);
  expect(failures).toEqual([]);
});
