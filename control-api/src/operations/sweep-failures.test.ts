import type { MemoryBrokerDriver } from "@millrace/adapter-memory";
import { type ClusterId, DriverError } from "@millrace/core";
import { expect, it } from "vitest";
import { tombstoneMs } from "../clusters/limits.ts";
import { begun, wanted, World } from "./fixtures.ts";
import { sweptAtOnceMax } from "./limits.ts";
import type { OperationId } from "./operation-record.ts";
import { Sweeper } from "./sweep.ts";

function sweeper({ clock, random, store, ...world }: World, driver = world.driver): Sweeper {
  return new Sweeper({ clock, random, store, holder: "sweeper", driver, stores: driver });
}

/** The driver, of which every look at one cluster fails. */
function blindTo(driver: MemoryBrokerDriver, blind: ClusterId, error: Error): MemoryBrokerDriver {
  return new Proxy(driver, {
    get: (target, property) => {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== "function") return value;
      const method = value.bind(target) as (...args: unknown[]) => unknown;
      if (property !== "observe") return method;
      return async (id: ClusterId) => {
        if (id === blind) throw error;
        return method(id);
      };
    },
  });
}

it("one operation that can't be run holds up no other one", async () => {
  const world = new World();
  const poison = begun(await world.clusters.create({ ...wanted, name: "poison" }));
  world.clock.advance(1_000);
  const others: ClusterId[] = [];
  for (let at = 0; at < sweptAtOnceMax + 1; at += 1) {
    others.push(begun(await world.clusters.create({ ...wanted, name: `c-${at}` })).cluster.id);
  }
  const defect = new TypeError("a defect");
  const sweep = sweeper(world, blindTo(world.driver, poison.cluster.id, defect)).sweep();
  await expect(sweep).rejects.toThrow("a defect");
  for (const id of others) expect(await world.cluster(id)).toMatchObject({ state: "active" });
});

it("one cluster that can't be looked at holds up no other one's operation", async () => {
  const world = new World();
  const { id } = await world.created();
  const { cluster } = begun(await world.clusters.create({ ...wanted, name: "other" }));
  const away = new DriverError("throttled", { retriable: true, applied: "no" });
  const sweep = sweeper(world, blindTo(world.driver, id, away)).sweep();
  await expect(sweep).rejects.toThrow("throttled");
  expect(await world.cluster(cluster.id)).toMatchObject({ state: "active" });
});

it("one deleted cluster that can't be cleared holds up no other one", async () => {
  const world = new World();
  const deleted: ClusterId[] = [];
  for (const name of ["one", "other"]) {
    const { id } = await world.created({ name });
    await world.finish(begun(await world.clusters.remove(id)).operation);
    await world.driver.ensureName(id, 1);
    deleted.push(id);
  }
  const [blind = "" as ClusterId, other] = deleted;
  const away = new DriverError("throttled", { retriable: true, applied: "no" });
  const driver = blindTo(world.driver, blind, away);
  await expect(sweeper(world, driver).sweep()).rejects.toThrow("throttled");
  const left = (await world.driver.list()).map(({ cluster }) => cluster);
  expect(left).toContain(blind);
  expect(left).not.toContain(other);
});

async function deletedLongAgo(world: World): Promise<ClusterId> {
  const { id } = await world.created();
  await world.finish(begun(await world.clusters.remove(id)).operation);
  world.clock.advance(tombstoneMs + 1);
  return id;
}

it("a tombstone stays as long as anything is left, a key or a name as much as a broker", async () => {
  const world = new World();
  const id = await deletedLongAgo(world);
  const value = "-----BEGIN PRIVATE KEY-----";
  await world.driver.putSecret(id, { name: "authority", value, over: "nothing" });
  await world.driver.ensureName(id, 1);
  // Its time is over before anything can be cleared.
  await sweeper(world).sweep({ untilMs: world.clock.wallMs() - 1 });
  await sweeper(world).sweep();
  expect(await world.driver.list()).toEqual([]);
});

it("objects that came after the deletion go too, though no list of the driver shows them", async () => {
  const world = new World();
  const id = await deletedLongAgo(world);
  await world.putObjects(id, 3);
  // As of a bucket, whose objects are not the driver's.
  const driver = new Proxy(world.driver, {
    get: (target, property) => {
      const value: unknown = Reflect.get(target, property);
      if (property !== "list") return typeof value === "function" ? value.bind(target) : value;
      return async () => (await target.list()).filter(({ kind }) => kind !== "object");
    },
  });
  await sweeper(world, driver).sweep();
  expect(await world.driver.list()).toEqual([]);
});

it.each([
  ["starts a broker of a former revision", 2, 1],
  ["starts a broker that is one too many", 3, 2],
])("what a runner that was frozen %s is made good", async (_, broker, revision) => {
  const world = new World();
  const { id } = await world.created();
  const change = { limits: { "max.connections": "100" } };
  await world.finish(begun(await world.clusters.change(id, change)).operation);
  const { spec } = await world.cluster(id);
  const late = { broker, revision, ...spec.brokerSize, configs: {} };
  await world.driver.ensureName(id, broker);
  for (let at = 0; at < 4; at += 1) {
    await world.driver.ensureBroker(id, late);
    await world.driver.observe(id);
    await world.driver.observe(id);
  }
  await sweeper(world).sweep();
  const { brokers, names } = await world.driver.observe(id);
  expect(brokers).toEqual([1, 2].map((one) => ({ broker: one, revision: 2, state: "ready" })));
  expect(names).toHaveLength(2);
});

it("a broker that a frozen runner removed is made again, where nothing else makes it", async () => {
  const world = new World();
  const { id } = await world.created();
  for (let at = 0; at < 4; at += 1) {
    await world.driver.remove(id, { kind: "broker", broker: 2 });
    await world.driver.observe(id);
  }
  await sweeper(world).sweep();
  expect((await world.driver.observe(id)).brokers).toHaveLength(2);
});

it("a cluster whose metadata are gone gets no empty ones: it has failed", async () => {
  const world = new World();
  const { id } = await world.created();
  await world.driver.remove(id, { kind: "store" });
  for (let at = 0; at < 4; at += 1) await world.driver.observe(id);
  await sweeper(world).sweep();
  expect((await world.driver.observe(id)).store).toBe("absent");
  const { failed, state } = await world.cluster(id);
  expect(state).toBe("failed");
  const operation = await world.operations.find(failed?.operation ?? ("" as OperationId));
  expect(operation?.fault).toMatchObject({ code: "store-gone", step: "store" });
});
