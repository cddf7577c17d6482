import { MemoryBrokerDriver } from "@millrace/adapter-memory";
import type { BrokerDriver, ClusterStores } from "@millrace/core";
import { expect, it } from "vitest";
import { clusterItem, clusterKeys } from "../clusters/cluster-record.ts";
import { certificateMs, certificateLeftMsMin, tombstoneMs } from "../clusters/limits.ts";
import { begun, Killed, MortalPorts, wanted, World } from "./fixtures.ts";
import { leaseMs, operationKeptMs, renewalRestMs, sweptAtOnceMax } from "./limits.ts";
import { Sweeper } from "./sweep.ts";

function sweeper({ clock, driver, random, store }: World): Sweeper {
  const deps = { clock, random, store, holder: "sweeper" };
  return new Sweeper({
    ...deps,
    driver: driver satisfies BrokerDriver & ClusterStores,
    stores: driver,
  });
}

it("resumes what a dead runner left, and leaves alone what is being run", async () => {
  const world = new World();
  const { cluster, operation } = begun(await world.clusters.create(wanted));
  const ports = new MortalPorts((call) => (call === 12 ? "dies after" : "goes"));
  await expect(world.runner(ports).run(operation)).rejects.toThrow(Killed);
  await sweeper(world).sweep();
  expect(await world.cluster(cluster.id)).toMatchObject({ state: "creating" });
  world.clock.advance(leaseMs + 1);
  expect((await sweeper(world).sweep()).ran).toEqual([operation]);
  expect(await world.cluster(cluster.id)).toMatchObject({ state: "active" });
});

it("resumes more operations than it runs at once", async () => {
  const world = new World();
  const names = Array.from({ length: sweptAtOnceMax + 2 }, (_, at) => `cluster-${at}`);
  for (const name of names) begun(await world.clusters.create({ ...wanted, name }));
  expect((await sweeper(world).sweep()).ran).toHaveLength(names.length);
  const { items } = await world.clusters.list({ limit: 100 });
  expect(items.map(({ state }) => state)).toEqual(names.map(() => "active"));
});

it("gives brokers a new certificate, of the same authority, before the old one ends", async () => {
  const world = new World();
  const before = await world.created();
  await sweeper(world).sweep();
  expect(await world.cluster(before.id)).toEqual(before);
  world.clock.advance(certificateMs - certificateLeftMsMin + 1);
  await sweeper(world).sweep();
  const after = await world.cluster(before.id);
  expect(after).toMatchObject({ state: "active", revision: 2 });
  expect(after.certificate?.caCertificate).toBe(before.certificate?.caCertificate);
  expect(after.certificate?.notAfterMs).toBeGreaterThan(before.certificate?.notAfterMs ?? 0);
  const { brokers } = await world.driver.observe(before.id);
  expect(brokers).toMatchObject([{ revision: 2 }, { revision: 2 }]);
});

it("a cluster whose change failed gets a new certificate, too, and is tried once a day for it", async () => {
  let isBroken = false;
  const failure = () => (isBroken ? "no such image" : undefined);
  const world = new World({ driver: new MemoryBrokerDriver({ looks: 1, failure }) });
  const { certificate, id } = await world.created();
  isBroken = true;
  const { operation } = begun(await world.clusters.upgrade(id));
  expect(await world.finish(operation)).toBe("failed");
  const tried = async (): Promise<number> => (await sweeper(world).sweep()).ran.length;
  expect(await tried()).toBe(0);
  world.clock.advance(certificateMs - certificateLeftMsMin + 1);
  expect(await tried()).toBe(1);
  expect(await world.cluster(id)).toMatchObject({ state: "failed" });
  // It failed again, for the same reason: nothing is gained by trying at once.
  expect(await tried()).toBe(0);
  isBroken = false;
  world.clock.advance(renewalRestMs);
  expect(await tried()).toBe(1);
  const after = await world.cluster(id);
  expect(after).toMatchObject({ state: "active", revision: 4 });
  expect(after.certificate?.notAfterMs).toBeGreaterThan(certificate?.notAfterMs ?? 0);
});

it("a certificate that lacks a broker's host is replaced before that broker starts", async () => {
  const world = new World();
  const { certificate, id, spec } = await world.created();
  const named = new Proxy(world.driver, {
    get: (target, property) => {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== "function") return value;
      const method = value.bind(target) as (...args: unknown[]) => unknown;
      if (property === "certificateNames") {
        const { dnsNames, ipAddresses } = target.certificateNames(id);
        return () => ({ ipAddresses, dnsNames: [...dnsNames, "balancer.test"] });
      }
      if (property !== "observe") return method;
      return async () => {
        const { names, ...parts } = await target.observe(id);
        const found = names.map((name) =>
          name.broker === 3 ? { ...name, host: "balancer.test" } : name,
        );
        return { ...parts, names: found };
      };
    },
  });
  const { operation } = begun(await world.clusters.change(id, { brokers: spec.brokers + 1 }));
  expect(await world.runner(new MortalPorts(), named).run(operation)).toBe("succeeded");
  const after = await world.cluster(id);
  expect(certificate?.names).not.toContain("balancer.test");
  expect(after.certificate?.names).toContain("balancer.test");
  expect(after.certificate?.caCertificate).toBe(certificate?.caCertificate);
  // Those that run are known by the hosts that theirs has.
  const { brokers } = await world.driver.observe(id);
  expect(brokers.map(({ revision }) => revision)).toEqual([1, 1, 1]);
});

it("a certificate of which no hosts were written down is read, and not made anew", async () => {
  const world = new World();
  const made = await world.created();
  const { certificate, id } = made;
  if (certificate === undefined) throw new Error("it has none");
  // As records were before.
  const { names: _, ...former } = certificate;
  const value = clusterItem({ ...made, certificate: former });
  await world.store.transact([{ kind: "put", key: clusterKeys.cluster(id), value }]);
  await sweeper(world).sweep();
  const after = await world.cluster(id);
  expect(after).toMatchObject({ state: "active", revision: 1 });
  expect(after.certificate).toEqual(certificate);
});

it("removes what a late call made for a deleted cluster, and nothing of unknown ones", async () => {
  const world = new World();
  const { id } = await world.created();
  const other = await world.created({ name: "other" });
  const removed = begun(await world.clusters.remove(id));
  await world.finish(removed.operation);
  await world.driver.ensureStore(id);
  await world.driver.ensureName(id, 1);
  await world.putObjects(id, 2);
  const unknown = "cl_0123456789abcdef" as typeof id;
  await world.driver.ensureName(unknown, 1);
  for (let at = 0; at < 5; at += 1) await sweeper(world).sweep();
  const left = new Set((await world.driver.list()).map(({ cluster }) => cluster));
  expect([...left].toSorted()).toEqual([other.id, unknown].toSorted());
});

it("forgets tombstones and operations when they have had their time", async () => {
  const world = new World();
  const { id } = await world.created();
  const removed = begun(await world.clusters.remove(id));
  await world.finish(removed.operation);
  const tombstones = { from: "control/tombstone/", to: "control/tombstone0", limit: 9 };
  await sweeper(world).sweep();
  expect((await world.store.range(tombstones)).items).toHaveLength(1);
  expect((await world.operations.list({ limit: 9 })).items).toHaveLength(2);
  world.clock.advance(Math.max(tombstoneMs, operationKeptMs) + 1);
  await sweeper(world).sweep();
  expect((await world.store.range(tombstones)).items).toHaveLength(0);
  expect((await world.operations.list({ limit: 9 })).items).toHaveLength(0);
});

it("starts brokers again that ended, since nothing else does", async () => {
  const world = new World();
  const { id } = await world.created();
  world.driver.fail(id, 2);
  expect((await world.driver.observe(id)).brokers[1]?.state).toBe("failed");
  await sweeper(world).sweep();
  expect((await world.driver.observe(id)).brokers[1]?.state).toBe("ready");
});
