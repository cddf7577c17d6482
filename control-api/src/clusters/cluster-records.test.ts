import { MemoryMetadataStore } from "@millrace/adapter-memory";
import { brokerConfigs, MetadataError } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { begun, wanted, World } from "../operations/fixtures.ts";
import { faultCharactersMax } from "../operations/limits.ts";
import { fault } from "../operations/progress.ts";
import { ClusterRecords } from "./cluster-records.ts";
import { clusterNameFault, limitConfigs, specFaults } from "./cluster-rules.ts";
import { brokersMax, clusterNameCharactersMax, clustersMax, pageItemsMax } from "./limits.ts";
import { newId } from "./new-id.ts";

describe("a cluster's record", () => {
  it("is written with its operation, and under a name that no other one has", async () => {
    const { clusters, operations } = new World();
    const { cluster, operation } = begun(await clusters.create(wanted));
    expect(cluster).toMatchObject({ state: "creating", operation, version: 1, name: "orders" });
    expect(await operations.find(operation)).toMatchObject({ state: "pending", stepsDone: 0 });
    expect(await clusters.create(wanted)).toEqual({ kind: "nameTaken", by: cluster.id });
    expect(await clusters.findByName("orders")).toEqual(cluster);
    expect(await clusters.findByName("no/such name")).toBeUndefined();
  });

  it("takes a limit of no value for its default, as a change does", async () => {
    const { clusters } = new World();
    const limits = { "max.connections": "", "group.max.size": "9" };
    const asked = { ...wanted, spec: { ...wanted.spec, limits } };
    const { cluster } = begun(await clusters.create(asked));
    expect(cluster.spec.limits).toEqual({ "group.max.size": "9" });
  });

  it("goes to one of two that ask for the name at once", async () => {
    const { clusters } = new World();
    const outcomes = await Promise.all([clusters.create(wanted), clusters.create(wanted)]);
    expect(outcomes.map(({ kind }) => kind).toSorted()).toEqual(["nameTaken", "started"]);
    expect((await clusters.list({ limit: 9 })).items).toHaveLength(1);
  });

  it("is made once though the store's answer is lost", async () => {
    const world = new World();
    const store = new MemoryMetadataStore();
    let isLost = false;
    const lossy = new Proxy(store, {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property);
        if (typeof value !== "function") return value;
        const method = value.bind(target) as (...args: unknown[]) => Promise<unknown>;
        if (property !== "transact") return method;
        return async (...args: unknown[]) => {
          const outcome = await method(...args);
          if (isLost) return outcome;
          isLost = true;
          throw new MetadataError("lost", { retriable: true, applied: "maybe" });
        };
      },
    });
    const { clock, random } = world;
    const clusters = new ClusterRecords({ store: lossy, clock, random });
    expect((await clusters.create(wanted)).kind).toBe("started");
    expect((await clusters.list({ limit: 9 })).items).toHaveLength(1);
  });

  it("there are at most so many of, and a place is free again after a deletion", async () => {
    const world = new World();
    const { clusters, store } = world;
    const { id } = await world.created();
    const count = await store.get("control/clusterCount");
    const value = { clusters: clustersMax };
    await store.transact([{ kind: "put", key: "control/clusterCount", value }]);
    expect(count?.value).toEqual({ clusters: 1 });
    const another = { ...wanted, name: "another" };
    expect(await clusters.create(another)).toEqual({ kind: "tooManyClusters", most: clustersMax });
    await world.finish(begun(await clusters.remove(id)).operation);
    expect((await clusters.create(another)).kind).toBe("started");
  });

  it("is listed by age, in pages", async () => {
    const { clock, clusters } = new World();
    const names = ["c", "a", "b"];
    for (const name of names) {
      begun(await clusters.create({ ...wanted, name }));
      clock.advance(1_000);
    }
    const first = await clusters.list({ limit: 2 });
    expect(first.items.map(({ name }) => name)).toEqual(["c", "a"]);
    const { next } = first;
    if (next === undefined) throw new Error("there is another page");
    const second = await clusters.list({ limit: 2, after: next });
    expect(second.items.map(({ name }) => name)).toEqual(["b"]);
    expect(second.next).toBeUndefined();
  });

  it("is listed in pages of a bounded size", async () => {
    const world = new World();
    const { clusters } = world;
    for (let at = 0; at <= pageItemsMax; at += 1) {
      begun(await clusters.create({ ...wanted, name: `c-${at}` }));
    }
    expect((await clusters.list({ limit: 10_000 })).items).toHaveLength(pageItemsMax);
    const page = await world.operations.list({ limit: 10_000 });
    expect(page.items).toHaveLength(pageItemsMax);
    expect(page.next).toBe(page.items.at(-1)?.id);
  });

  it("changes by one operation at a time, and by callers who have seen it", async () => {
    const world = new World();
    const { clusters } = world;
    const { cluster } = begun(await clusters.create(wanted));
    const busy = { kind: "busy", operation: cluster.operation };
    expect(await clusters.change(cluster.id, { brokers: 3 })).toEqual(busy);
    expect(await clusters.remove(cluster.id)).toEqual(busy);
    expect(await clusters.change(cluster.id, { brokers: 3 }, { version: 7 })).toEqual({
      ...{ kind: "stale", version: 1 },
    });
    const { id, version } = await world.created({ name: "other" });
    const change = { limits: { "max.connections": "10" } };
    const outcome = begun(await clusters.change(id, change, { version }));
    expect(outcome.cluster).toMatchObject({ state: "updating", revision: 2 });
  });

  it("starts no broker anew for a change that concerns none of them", async () => {
    const world = new World();
    const { clusters } = world;
    const { id } = await world.created();
    const guarded = await clusters.change(id, { deletionProtection: true });
    expect(guarded).toMatchObject({ kind: "changed", cluster: { deletionProtection: true } });
    expect(await clusters.change(id, { brokers: 2 })).toMatchObject({ kind: "changed" });
    const more = begun(await clusters.change(id, { brokers: 3 }));
    expect(more.cluster.revision).toBe(1);
  });

  it("is upgraded once for each version that a caller has seen, and only where it has brokers", async () => {
    const world = new World();
    const { clusters } = world;
    const { cluster } = begun(await clusters.create(wanted));
    const busy = { kind: "busy", operation: cluster.operation };
    expect(await clusters.upgrade(cluster.id)).toEqual(busy);
    const { id, version } = await world.created({ name: "other" });
    const { operation } = begun(await clusters.upgrade(id, { version }));
    await world.finish(operation);
    expect(await clusters.upgrade(id, { version })).toMatchObject({ kind: "stale" });
    expect(await world.cluster(id)).toMatchObject({ state: "active", revision: 2 });
  });

  it("that is protected, or busy, is not deleted; what failed can be", async () => {
    const world = new World();
    const { clusters } = world;
    const { id } = await world.created({ deletionProtection: true });
    expect(await clusters.remove(id)).toEqual({ kind: "protected" });
    await clusters.change(id, { deletionProtection: false });
    expect((await clusters.remove(id)).kind).toBe("started");
    expect(await clusters.change(id, { deletionProtection: true })).toEqual({
      ...{ kind: "wrongState", state: "deleting" },
    });
    expect(await clusters.retry(id)).toMatchObject({ kind: "busy" });
    const unknown = "cl_0123456789abcdef" as typeof id;
    expect(await clusters.remove(unknown)).toEqual({ kind: "notFound" });
  });
});

describe("what a cluster may be", () => {
  const faults = (spec: object) =>
    specFaults({ ...wanted.spec, ...spec }).map(({ pointer }) => pointer);

  it("has a name that can be part of a host's", () => {
    const longest = "a".repeat(clusterNameCharactersMax);
    for (const name of ["a", "orders-2", longest]) expect(clusterNameFault(name)).toBeUndefined();
    for (const name of ["", "-a", "a-", "A", "a.b", "ä", `${longest}a`]) {
      expect(clusterNameFault(name)).toBeDefined();
    }
  });

  it("has a bounded number of brokers, of sizes that Fargate has", () => {
    expect(faults({})).toEqual([]);
    expect(faults({ brokers: brokersMax })).toEqual([]);
    for (const brokers of [0, 1.5, brokersMax + 1])
      expect(faults({ brokers })).toEqual(["/brokers"]);
    const size = (cpu: number, memoryMiB: number) => faults({ brokerSize: { cpu, memoryMiB } });
    expect(size(4_096, 30_720)).toEqual([]);
    expect(size(300, 512)).toEqual(["/brokerSize/cpu"]);
    for (const memoryMiB of [256, 1_536, 4_096]) {
      expect(size(256, memoryMiB)).toEqual(["/brokerSize/memoryMiB"]);
    }
  });

  it("has limits that brokers enforce, with values that they take", () => {
    for (const name of limitConfigs) {
      const { documentation } = brokerConfigs.get(name) ?? {};
      expect(documentation).toBeDefined();
      // Of those the broker's own documentation says so.
      expect(documentation, name).not.toMatch(/^Accepted/u);
    }
    expect(faults({ limits: { "max.connections": "5" } })).toEqual([]);
    expect(faults({ limits: { "max.connections": "five" } })).toEqual(["/limits/max.connections"]);
    expect(faults({ limits: { "log.dirs": "/" } })).toEqual(["/limits/log.dirs"]);
    expect(faults({ limits: { "a/b~": "1" } })).toEqual(["/limits/a~1b~0"]);
  });
});

it("ids sort by age, and have no letters that are taken for digits", () => {
  const { clock, random } = new World();
  const first = newId("cl", { clock, random });
  clock.advance(1);
  const second = newId("cl", { clock, random });
  expect(first < second).toBe(true);
  expect(first).toMatch(/^cl_[0-9a-hjkmnp-tv-z]{16}$/u);
});

it("a problem of an operation keeps a bounded part of what a driver said", () => {
  const said = fault("broker-failed", "ready", "x".repeat(faultCharactersMax + 1));
  expect(said.detail).toHaveLength(faultCharactersMax);
});
