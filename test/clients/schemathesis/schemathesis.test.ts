/**
 * schemathesis, which nobody here wrote, asks a live broker's control plane what its document allows and
 * what it does not: no 5xx, no answer that the document does not describe, nothing valid refused and
 * nothing invalid taken.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ClusterControl, controlPlane } from "../../../sdk/src/index.ts";
import { type BrokerProcess, startBrokerWithHttp } from "../../formats/broker-process.ts";
import { collected } from "../../../sdk/test/collected.ts";
import { askEverything, operationsOf } from "./ask-everything.ts";

const login = Buffer.from("root:first password").toString("base64");
const authorization = `Basic ${login}`;

let directory: string;
let broker: BrokerProcess & { readonly url: string };
let cluster: ClusterControl;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "millrace-schemathesis-"));
  broker = await startBrokerWithHttp(join(directory, "data"), [
    "listeners=SASL_PLAINTEXT://127.0.0.1:0",
    ...["millrace.admin.user=root", "millrace.admin.password=first password"],
  ]);
  const control = controlPlane({
    url: broker.url,
    fetch: (request) => {
      const headers = new Headers(request.headers);
      headers.set("authorization", authorization);
      return fetch(new Request(request, { headers }));
    },
  });
  const [own] = await collected(control.clusters.list());
  if (own === undefined) throw new Error("the broker shows no cluster");
  cluster = control.cluster(own.id);
  await cluster.topics.create({ name: "orders", partitions: 2 });
});

afterAll(async () => {
  await broker.end("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

const at = () => ({ url: broker.url, directory, headers: { Authorization: authorization } });

test("the API answers as its document says, whatever it is asked", async () => {
  const operations = await operationsOf(broker.url);
  const parameters = { clusterId: cluster.clusterId, topic: "orders" };
  const done = await askEverything({
    ...at(),
    phases: "coverage,fuzzing",
    examples: 15,
    parameters,
  });
  expect(done.operations).toBe(operations);
  expect(done.cases).toBeGreaterThan(operations * 20);
  // It came as far as the brokers: names that nobody here thought of are topics now.
  expect((await collected(cluster.topics.list())).length).toBeGreaterThan(1);
});

test("and so it does in the order in which one thing follows another", async () => {
  const parameters = { clusterId: cluster.clusterId };
  const done = await askEverything({ ...at(), phases: "stateful", examples: 20, parameters });
  expect(done.cases).toBeGreaterThan(100);
});
