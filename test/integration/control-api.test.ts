/** The control plane that a broker's own process serves, through the SDK's client. */
import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  AuthenticationError,
  type ClusterControl,
  connect,
  type ControlPlane,
  ControlPlaneError,
  controlPlane,
  type GroupOffsetReset,
  string,
} from "../../sdk/src/index.ts";
import { type BrokerProcess, startBrokerWithHttp } from "../formats/broker-process.ts";
import { collected } from "../../sdk/test/collected.ts";

let directory: string;
let broker: BrokerProcess & { readonly url: string };
let control: ControlPlane;
let cluster: ClusterControl;

const code = (error: unknown): string => {
  if (error instanceof ControlPlaneError) return error.code;
  throw error;
};

describe("a broker that asks for no login", () => {
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "millrace-control-"));
    broker = await startBrokerWithHttp(join(directory, "open"), [
      "group.initial.rebalance.delay.ms=0",
    ]);
    control = controlPlane({ url: broker.url });
    const clusters = await collected(control.clusters.list());
    cluster = control.cluster(clusters[0]?.id ?? "");
  });

  afterAll(async () => {
    await broker.end("SIGTERM");
    await rm(directory, { recursive: true, force: true });
  });

  test("takes its own machine for an admin, and shows one cluster", async () => {
    expect(await control.whoAmI()).toEqual({ kind: "local", id: "local", role: "admin" });
    const described = await control.clusters.describe(cluster.clusterId);
    expect(described).toMatchObject({ state: "active", brokers: 1, durability: "local" });
    const refused = control.clusters.create({ name: "another" });
    await expect(refused).rejects.toMatchObject({ status: 405, code: "METHOD_NOT_ALLOWED" });
    expect(await collected(control.operations.list())).toEqual([]);
  });

  test("creates, changes and deletes topics, which its Kafka clients see", async () => {
    const configs = { "retention.ms": "86400000" };
    const made = await cluster.topics.create({ name: "orders", partitions: 3, configs });
    expect(made).toMatchObject({ partitions: 3, replicationFactor: 1, configs });
    await using client = connect({ brokers: [`127.0.0.1:${broker.port}`] });
    expect((await client.admin.describeTopic("orders")).partitions).toHaveLength(3);
    const again = await cluster.topics.create({ name: "orders" }).catch(code);
    expect(again).toBe("TOPIC_ALREADY_EXISTS");
    const change = { partitions: 4, configs: { "retention.ms": null } };
    const changed = await cluster.topics.change("orders", change);
    expect(changed).toMatchObject({ partitions: 4, configs: {} });
    const badConfig = { name: "bad", configs: { "retention.ms": "soon" } };
    expect(await cluster.topics.create(badConfig).catch(code)).toBe("INVALID_CONFIG");
    await cluster.topics.create({ name: "other" });
    const listed = await collected(cluster.topics.list());
    expect(listed.map(({ name }) => name)).toEqual(["orders", "other"]);
    await cluster.topics.delete("other");
    expect(await client.admin.listTopics()).toEqual(["orders"]);
    expect(await cluster.topics.describe("other").catch(code)).toBe("NOT_FOUND");
  });

  test("shows groups with what they are behind", async () => {
    await cluster.topics.create({ name: "lines", partitions: 1 });
    await using client = connect({ brokers: [`127.0.0.1:${broker.port}`] });
    const lines = client.topic("lines", { value: string() });
    for (const value of ["a", "b", "c"]) await lines.send({ value });
    for await (const { value } of lines.consume({ group: "readers", from: "earliest" })) {
      expect(value).toBe("a");
      break;
    }
    const group = await cluster.groups.describe("readers");
    expect(group).toMatchObject({
      id: "readers",
      lag: { partitions: [{ topic: "lines", end: 3 }] },
    });
    const [partition] = group.lag.partitions;
    expect(group.lag.total).toBe(3 - (partition?.committed ?? 0));
    const groups = await collected(cluster.groups.list());
    expect(groups.map(({ id }) => id)).toEqual(["readers"]);
    await cluster.groups.delete("readers");
    expect(await cluster.groups.describe("readers").catch(code)).toBe("NOT_FOUND");
  });

  test("resets a group's offsets when its consumer has gone, and the next one reads from there", async () => {
    await cluster.topics.create({ name: "again", partitions: 1 });
    await using client = connect({ brokers: [`127.0.0.1:${broker.port}`] });
    const again = client.topic("again", { value: string() });
    for (const [at, value] of ["a", "b", "c"].entries()) {
      await again.send({ value, timestamp: Date.UTC(2026, 0, 1 + at) });
    }
    const firstRead = async (reset: GroupOffsetReset["resets"][number]["to"]): Promise<string> => {
      const resets = [{ topic: "again", to: reset }];
      const { partitions } = await cluster.groups.resetOffsets("rereaders", { resets });
      expect(partitions).toHaveLength(1);
      for await (const { value } of again.consume({ group: "rereaders" })) {
        const busy = cluster.groups.resetOffsets("rereaders", { resets });
        expect(await busy.catch(code)).toBe("NON_EMPTY_GROUP");
        return value;
      }
      return "";
    };
    expect(await firstRead("earliest")).toBe("a");
    expect(await firstRead({ timestamp: "2026-01-01T12:00:00Z" })).toBe("b");
    expect(await firstRead({ offset: 2 })).toBe("c");
    const resets = [{ topic: "again", partition: 0, to: "earliest" as const }];
    const dry = await cluster.groups.resetOffsets("rereaders", { resets, dryRun: true });
    const [before] = dry.partitions;
    expect(before).toMatchObject({ offset: 0 });
    expect(before?.committed).toBeGreaterThan(0);
    const { lag } = await cluster.groups.describe("rereaders");
    expect(lag.partitions[0]?.committed).toBe(before?.committed);
    const nowhere = cluster.groups.resetOffsets("rereaders", {
      resets: [{ topic: "again", partition: 1, to: "latest" }],
    });
    expect(await nowhere.catch(code)).toBe("UNKNOWN_TOPIC_OR_PARTITION");
    await cluster.groups.delete("rereaders");
  });

  test("serves its document and pages, held to themselves, without anything from elsewhere", async () => {
    const document = (await (await fetch(`${broker.url}/openapi.json`)).json()) as object;
    expect(document).toMatchObject({ openapi: "3.1.0" });
    for (const path of ["/docs", "/docs/problems"]) {
      const page = await fetch(`${broker.url}${path}`);
      expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
      const text = await page.text();
      expect(text).not.toMatch(/<script | src=|href="http/u);
    }
    expect((await fetch(`${broker.url}/metrics`)).status).toBe(200);
  });

  test("refuses what a browser sends for another site, and a name that is not its own", async () => {
    const headers = { "sec-fetch-site": "cross-site" };
    expect((await fetch(`${broker.url}/v1/whoami`, { headers })).status).toBe(403);
    expect(await statusAs("rebound.example.com", `${broker.url}/v1/whoami`)).toBe(403);
    expect(await statusAs("localhost", `${broker.url}/v1/whoami`)).toBe(200);
  });
});

describe("a broker that asks for a login", () => {
  const basic = `Basic ${Buffer.from("root:first password").toString("base64")}`;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "millrace-control-"));
    broker = await startBrokerWithHttp(join(directory, "closed"), [
      "listeners=SASL_PLAINTEXT://127.0.0.1:0",
      ...["millrace.admin.user=root", "millrace.admin.password=first password"],
    ]);
    const made = await fetch(`${broker.url}/v1/api-keys`, {
      method: "POST",
      headers: { authorization: basic, "content-type": "application/json" },
      body: JSON.stringify({ name: "test", role: "admin" }),
    });
    const { key } = (await made.json()) as { readonly key: string };
    control = controlPlane({ url: broker.url, apiKey: () => key });
    const clusters = await collected(control.clusters.list());
    cluster = control.cluster(clusters[0]?.id ?? "");
  });

  afterAll(async () => {
    await broker.end("SIGTERM");
    await rm(directory, { recursive: true, force: true });
  });

  test("lets nobody in without one", async () => {
    const nobody = controlPlane({ url: broker.url });
    expect(await nobody.whoAmI().catch(code)).toBe("UNAUTHENTICATED");
    const authorization = `Basic ${Buffer.from("root:guessed").toString("base64")}`;
    expect((await fetch(`${broker.url}/v1/whoami`, { headers: { authorization } })).status).toBe(
      401,
    );
  });

  test("lets API keys do what their role may, until they are deleted", async () => {
    const { id, key } = await control.apiKeys.create({ name: "dashboard", role: "viewer" });
    const viewer = controlPlane({ url: broker.url, apiKey: key });
    expect(await viewer.whoAmI()).toEqual({ kind: "apiKey", id, role: "viewer" });
    expect(await viewer.cluster(cluster.clusterId).topics.create({ name: "x" }).catch(code)).toBe(
      "FORBIDDEN",
    );
    await control.apiKeys.delete(id);
    expect(await viewer.whoAmI().catch(code)).toBe("UNAUTHENTICATED");
  });

  test("makes credentials by which Kafka's clients log in, until they are deleted", async () => {
    await cluster.topics.create({ name: "orders", partitions: 1 });
    const { id, secret, username } = await cluster.credentials.create({ name: "billing" });
    const { bootstrapServers, saslMechanisms, securityProtocol } = await cluster.connection();
    expect(securityProtocol).toBe("SASL_PLAINTEXT");
    for (const mechanism of ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] as const) {
      expect(saslMechanisms).toContain(mechanism);
      const sasl = { mechanism, username, password: secret };
      await using client = connect({ brokers: bootstrapServers, sasl });
      await client.topic("orders", { value: string() }).send({ value: mechanism });
    }
    const partitions = await fetchPartitions();
    expect(partitions).toMatchObject({ items: [{ partition: 0, latestOffset: 3 }] });
    await cluster.credentials.delete(id);
    const sasl = { mechanism: "SCRAM-SHA-512", username, password: secret } as const;
    await using client = connect({ brokers: bootstrapServers, sasl });
    await expect(client.admin.listTopics()).rejects.toThrow(AuthenticationError);
    expect(await collected(cluster.credentials.list())).toEqual([]);
  });

  async function fetchPartitions(): Promise<unknown> {
    const path = `/v1/clusters/${cluster.clusterId}/topics/orders/partitions`;
    return (await fetch(`${broker.url}${path}`, { headers: { authorization: basic } })).json();
  }
});

/** With a Host of the caller's choice, which fetch allows nobody. */
function statusAs(host: string, url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.on("error", reject);
    asked.end();
  });
}
