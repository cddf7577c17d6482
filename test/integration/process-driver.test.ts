/** Clusters of real broker processes, from the creation of their record to their end. */
import { type ChildProcess, spawn } from "node:child_process";
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { begun, Killed, MortalPorts } from "../../control-api/src/operations/fixtures.ts";
import type { ClusterRecord } from "../../control-api/src/clusters/cluster-record.ts";
import type { OperationId } from "../../control-api/src/operations/operation-record.ts";
import { string } from "../../sdk/src/index.ts";
import type { Launch } from "../../tools/launch.ts";
import { bundledLaunch } from "../cluster/rig.ts";
import { ProcessClusters, smallCluster } from "../fixtures/process-clusters.ts";

const runProgram = join(import.meta.dirname, "../fixtures/run-operation.ts");
let bundles: string;
let launch: Launch;
let clusters: ProcessClusters;
const children: ChildProcess[] = [];

beforeAll(async () => {
  bundles = mkdtempSync(join(tmpdir(), "millrace-bundles-"));
  launch = await bundledLaunch(bundles);
});

afterAll(() => rmSync(bundles, { recursive: true, force: true }));

beforeEach(() => {
  clusters = ProcessClusters.inNewFolder(launch);
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await clusters.removeAll();
});

async function created(): Promise<ClusterRecord> {
  const { cluster, operation } = begun(await clusters.records.create(smallCluster));
  expect(await clusters.run(operation)).toBe("succeeded");
  return clusters.cluster(cluster.id);
}

async function removed(cluster: ClusterRecord): Promise<void> {
  const { operation } = begun(await clusters.records.remove(cluster.id));
  expect(await clusters.run(operation)).toBe("succeeded");
}

/** As another control plane on the same folder. */
async function reopened(): Promise<void> {
  await clusters.close();
  clusters = new ProcessClusters(clusters.folder, launch);
}

/** The broker's process, by its pid file. */
function pidOf({ id }: ClusterRecord, revision = 1): number {
  const path = join(clusters.folder, "clusters", id, `broker-1.r${revision}.pid`);
  return Number(readFileSync(path, "utf8"));
}

it("a cluster is made, takes records of who logs in, and goes without a trace", async () => {
  const cluster = await created();
  expect(cluster).toMatchObject({ state: "active", addresses: [{ broker: 1 }] });
  {
    await using client = await clusters.client(cluster);
    const lines = client.topic("lines", { value: string() });
    await client.admin.createTopic("lines");
    await lines.send({ value: "hello" });
    for await (const { value } of lines.consume({ from: "earliest" })) {
      expect(value).toBe("hello");
      break;
    }
  }
  await removed(cluster);
  expect(await clusters.driver.list()).toEqual([]);
  expect(await clusters.records.find(cluster.id)).toBeUndefined();
});

it("a cluster that is active serves: every slot has a leader", async () => {
  const cluster = await created();
  const path = join(clusters.folder, "clusters", cluster.id, "names/1.json");
  const { httpPort } = JSON.parse(readFileSync(path, "utf8")) as { readonly httpPort: number };
  const metrics = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
  expect(metrics).toContain("\nmillrace_slots_led 1024\n");
});

it("brokers outlive the control plane; who died starts again where it was, and has lost nothing", async () => {
  const cluster = await created();
  {
    await using client = await clusters.client(cluster);
    await client.admin.createTopic("lines");
    await client.topic("lines", { value: string() }).send({ value: "hello" });
  }
  const pid = pidOf(cluster);
  await reopened();
  expect((await clusters.driver.observe(cluster.id)).brokers).toMatchObject([{ state: "ready" }]);
  expect(pidOf(cluster)).toBe(pid);
  process.kill(pid, "SIGKILL");
  rmSync(join(clusters.folder, "clusters", cluster.id, "broker-1"), { recursive: true });
  await expect
    .poll(async () => (await clusters.driver.observe(cluster.id)).brokers[0]?.state)
    .toBe("failed");
  const { operation } = begun(await clusters.records.repair(cluster.id));
  expect(await clusters.run(operation)).toBe("succeeded");
  const again = await clusters.cluster(cluster.id);
  expect(again.addresses).toEqual(cluster.addresses);
  await using client = await clusters.client(again);
  for await (const { value } of client.topic("lines", { value: string() }).consume({
    from: "earliest",
  })) {
    expect(value).toBe("hello");
    break;
  }
});

it("a change of limits starts the broker anew, after its end in order, with what was asked for", async () => {
  const cluster = await created();
  const pid = pidOf(cluster);
  const limits = { "max.connections.per.ip": "7" };
  const { operation } = begun(await clusters.records.change(cluster.id, { limits }));
  expect(await clusters.run(operation)).toBe("succeeded");
  expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  const folder = join(clusters.folder, "clusters", cluster.id);
  const properties = readFileSync(join(folder, "broker-1.r2.properties"), "utf8");
  expect(properties).toContain("max.connections.per.ip=7\n");
  expect((await clusters.driver.observe(cluster.id)).brokers).toMatchObject([
    { revision: 2, state: "ready" },
  ]);
});

it("an upgrade starts brokers anew of what is there by now, one after another, and loses nothing", async () => {
  const { cluster, operation } = begun(
    await clusters.records.create({
      ...smallCluster,
      spec: { ...smallCluster.spec, brokers: 2 },
    }),
  );
  expect(await clusters.run(operation)).toBe("succeeded");
  const made = await clusters.cluster(cluster.id);
  const values = Array.from({ length: 20 }, (_, at) => `line ${at}`);
  {
    await using client = await clusters.client(made);
    await client.admin.createTopic("lines", { partitions: 8 });
    const lines = client.topic("lines", { value: string() });
    for (const value of values) await lines.send({ value });
  }
  const path = launch.broker.at(-1) ?? "";
  const newer = join(dirname(path), `newer-${basename(path)}`);
  copyFileSync(path, newer);
  await clusters.close();
  clusters = new ProcessClusters(clusters.folder, {
    ...launch,
    broker: [...launch.broker.slice(0, -1), newer],
  });
  const upgrade = begun(await clusters.records.upgrade(cluster.id));
  expect(await clusters.run(upgrade.operation)).toBe("succeeded");
  const { brokers } = await clusters.driver.observe(cluster.id);
  expect(brokers).toEqual([1, 2].map((one) => ({ broker: one, revision: 2, state: "ready" })));
  expect(readFileSync(`/proc/${pidOf(made, 2)}/cmdline`, "utf8")).toContain(newer);
  const after = await clusters.cluster(cluster.id);
  expect(after.addresses).toEqual(made.addresses);
  await using client = await clusters.client(after);
  const found: string[] = [];
  for await (const { value } of client.topic("lines", { value: string() }).consume({
    from: "earliest",
  })) {
    if (found.push(value) === values.length) break;
  }
  expect(found.toSorted()).toEqual(values.toSorted());
});

it("a cluster whose metadata were gone goes on where it was when they are brought back", async () => {
  const cluster = await created();
  {
    await using client = await clusters.client(cluster);
    await client.admin.createTopic("lines");
    await client.topic("lines", { value: string() }).send({ value: "hello" });
  }
  const host = join(clusters.folder, "clusters", cluster.id, "metadata-host");
  for (const pid of [pidOf(cluster), Number(readFileSync(`${host}.pid`, "utf8"))]) {
    process.kill(pid, "SIGKILL");
  }
  const aside = join(clusters.folder, "aside");
  renameSync(host, aside);
  const store = async () => (await clusters.driver.observe(cluster.id)).store;
  await expect.poll(store).toBe("absent");
  const repair = begun(await clusters.records.repair(cluster.id));
  expect(await clusters.run(repair.operation)).toBe("failed");
  expect(await store()).toBe("absent");
  renameSync(aside, host);
  const retry = begun(await clusters.records.retry(cluster.id));
  expect(await clusters.run(retry.operation)).toBe("succeeded");
  await using client = await clusters.client(await clusters.cluster(cluster.id));
  for await (const { value } of client.topic("lines", { value: string() }).consume({
    from: "earliest",
  })) {
    expect(value).toBe("hello");
    break;
  }
});

it("a process that has the pid of an ended broker is left alone", async () => {
  const cluster = await created();
  const bystander = spawn("sleep", ["60"]);
  children.push(bystander);
  process.kill(pidOf(cluster), "SIGKILL");
  const path = join(clusters.folder, "clusters", cluster.id, "broker-1.r1.pid");
  writeFileSync(path, `${bystander.pid}\n`);
  await removed(cluster);
  expect(await clusters.driver.list()).toEqual([]);
  expect(bystander.exitCode).toBeNull();
  expect(bystander.signalCode).toBeNull();
});

it("a cluster goes without a trace, too, when the machine was started anew meanwhile", async () => {
  const cluster = await created();
  const host = join(clusters.folder, "clusters", cluster.id, "metadata-host.pid");
  for (const pid of [pidOf(cluster), Number(readFileSync(host, "utf8"))]) {
    process.kill(pid, "SIGKILL");
  }
  const store = async () => (await clusters.driver.observe(cluster.id)).store;
  await expect.poll(store).toBe("stopped");
  await removed(cluster);
  expect(await clusters.driver.list()).toEqual([]);
});

it("brokers are added, and hand over before they are removed", async () => {
  const cluster = await created();
  const resized = async (brokers: number): Promise<ClusterRecord> => {
    const { operation } = begun(await clusters.records.change(cluster.id, { brokers }));
    expect(await clusters.run(operation)).toBe("succeeded");
    return clusters.cluster(cluster.id);
  };
  const two = await resized(2);
  expect(two.addresses.map(({ broker }) => broker)).toEqual([1, 2]);
  expect(two.addresses[0]).toEqual(cluster.addresses[0]);
  const values = Array.from({ length: 20 }, (_, at) => `line ${at}`);
  {
    await using client = await clusters.client(two);
    await client.admin.createTopic("lines", { partitions: 8 });
    const lines = client.topic("lines", { value: string() });
    for (const value of values) await lines.send({ value });
  }
  const one = await resized(1);
  expect(one.addresses).toEqual(cluster.addresses);
  await using client = await clusters.client(one);
  const found: string[] = [];
  for await (const { value } of client.topic("lines", { value: string() }).consume({
    from: "earliest",
  })) {
    if (found.push(value) === values.length) break;
  }
  expect(found.toSorted()).toEqual(values.toSorted());
});

/** By runners of which each dies one call later than the one before. */
async function ranByMortals(operation: OperationId, fate: "dies before" | "dies after") {
  for (let last = 1; ; last += 1) {
    const ports = new MortalPorts((call) => (call === last ? fate : "goes"));
    const outcome: unknown = await clusters.run(operation, ports).catch((error: unknown) => error);
    if (!(outcome instanceof Killed)) return outcome;
  }
}

it.each(["dies before", "dies after"] as const)(
  "goes on where a runner %s each of its calls, one after another",
  async (fate) => {
    const { cluster, operation } = begun(await clusters.records.create(smallCluster));
    expect(await ranByMortals(operation, fate)).toBe("succeeded");
    expect((await clusters.driver.observe(cluster.id)).brokers).toMatchObject([{ state: "ready" }]);
    const removal = begun(await clusters.records.remove(cluster.id));
    expect(await ranByMortals(removal.operation, fate)).toBe("succeeded");
    expect(await clusters.driver.list()).toEqual([]);
  },
);

/** Runs it in a process of its own, and kills that after so long. */
async function killedAfter(operation: OperationId, ms: number): Promise<void> {
  await clusters.close();
  const args = [runProgram, clusters.folder, JSON.stringify(launch), operation];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const gone = new Promise<void>((resolve) => child.on("close", () => resolve()));
  await Promise.race([sleep(ms), gone]);
  child.kill("SIGKILL");
  await gone;
  clusters = new ProcessClusters(clusters.folder, launch);
}

it("goes on where a control plane was killed, in its creation and its deletion", async () => {
  const { cluster, operation } = begun(await clusters.records.create(smallCluster));
  for (const ms of [400, 700, 1_000, 1_300]) await killedAfter(operation, ms);
  expect(await clusters.run(operation)).toBe("succeeded");
  const made = await clusters.cluster(cluster.id);
  expect((await clusters.driver.observe(made.id)).brokers).toHaveLength(1);
  const removal = begun(await clusters.records.remove(made.id));
  for (const ms of [400, 600, 800]) await killedAfter(removal.operation, ms);
  expect(await clusters.run(removal.operation)).toBe("succeeded");
  expect(await clusters.driver.list()).toEqual([]);
});
