import type { MemoryMetadataStore } from "@millrace/adapter-memory";
import { DriverError, MetadataError, type MetadataStore } from "@millrace/core";
import { expect, it } from "vitest";
import { begun, wanted, World } from "../operations/fixtures.ts";
import { ClusterRecords } from "./cluster-records.ts";

/** Clusters over a store that loses the next transaction's answer, after its effect and `then`. */
function losing(world: World): { readonly clusters: ClusterRecords; lose(then: Then): void } {
  let planted: Then | undefined;
  const store: MetadataStore = {
    get: (key) => world.store.get(key),
    range: (range) => world.store.range(range),
    close: () => world.store.close(),
    transact: async (writes) => {
      const outcome = await world.store.transact(writes);
      const then = planted;
      planted = undefined;
      if (then === undefined) return outcome;
      await then();
      throw new MetadataError("lost", { retriable: true, applied: "maybe" });
    },
  };
  const { clock, random } = world;
  const clusters = new ClusterRecords({ store, clock, random });
  const lose = (then: Then): void => {
    planted = then;
  };
  return { clusters, lose };
}

type Then = () => Promise<unknown>;

/** The runner that the operation's item started, by the time of the next try. */
async function runsAll(world: World): Promise<void> {
  for (const { id } of await world.operations.underWay()) await world.runner().run(id);
}

it("a creation whose answer was lost is known again though another was made meanwhile", async () => {
  const world = new World();
  const { clusters, lose } = losing(world);
  lose(() => world.clusters.create({ ...wanted, name: "other" }));
  const { cluster, operation } = begun(await clusters.create(wanted));
  expect((await world.cluster(cluster.id)).operation).toBe(operation);
  expect((await world.clusters.list({ limit: 9 })).items).toHaveLength(2);
});

it("a change whose answer was lost is known again though its operation goes on meanwhile", async () => {
  const world = new World();
  const { clusters, lose } = losing(world);
  const { id, version } = await world.created();
  lose(async () => {
    const [under] = await world.operations.underWay();
    const lease = { holder: "another", untilMs: world.clock.wallMs() + 60_000 };
    const { version: over, ...rest } = under ?? ({} as never);
    const key = `control/operation/${rest.id}`;
    const condition = { is: "version", version: over } as const;
    await world.store.transact([
      { kind: "put", key, value: { ...rest, state: "running", lease } as never, condition },
    ]);
  });
  const outcome = begun(await clusters.change(id, { brokers: 3 }, { version }));
  expect((await world.cluster(id)).operation).toBe(outcome.operation);
});

it("a removal whose answer was lost is known again though the cluster has gone meanwhile", async () => {
  const world = new World();
  const { clusters, lose } = losing(world);
  const { id } = await world.created();
  lose(() => runsAll(world));
  expect((await clusters.remove(id)).kind).toBe("started");
  expect(await world.clusters.find(id)).toBeUndefined();
});

it("what was refused by another's change is decided anew", async () => {
  const world = new World();
  const { id } = await world.created();
  const { clock, random } = world;
  let isRaced = false;
  const store = new Proxy(world.store, {
    get: (target: MemoryMetadataStore, property) => {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== "function") return value;
      const method = value.bind(target) as (...args: unknown[]) => unknown;
      if (property !== "transact") return method;
      return async (...args: unknown[]) => {
        if (!isRaced) {
          isRaced = true;
          await world.clusters.change(id, { deletionProtection: true });
        }
        return method(...args);
      };
    },
  });
  const clusters = new ClusterRecords({ store, clock, random });
  expect(await clusters.remove(id)).toEqual({ kind: "protected" });
});

it("a deletion that failed is not begun again once the cluster is protected", async () => {
  const world = new World();
  const { id } = await world.created();
  const { operation } = begun(await world.clusters.remove(id));
  const refused = new Proxy(world.driver, {
    get: (target, property) => {
      const value: unknown = Reflect.get(target, property);
      if (property !== "observe") return typeof value === "function" ? value.bind(target) : value;
      return async () => {
        throw new DriverError("denied", { retriable: false, applied: "no" });
      };
    },
  });
  expect(await world.runner(undefined, refused).run(operation)).toBe("failed");
  const guarded = await world.clusters.change(id, { deletionProtection: true });
  expect(guarded.kind).toBe("changed");
  expect(await world.clusters.retry(id)).toEqual({ kind: "protected" });
  await world.clusters.change(id, { deletionProtection: false });
  expect((await world.clusters.retry(id)).kind).toBe("started");
});
