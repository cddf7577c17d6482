import { DriverError } from "@millrace/core";
import { MemoryBrokerDriver } from "@millrace/adapter-memory";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { begun, type AtCall, Killed, MortalPorts, wanted, World } from "./fixtures.ts";
import {
  deletedObjectsPage,
  failuresMax,
  leaseMs,
  lookMsFirst,
  lookMsMax,
  stillMsMax,
} from "./limits.ts";
import type { OperationId } from "./operation-record.ts";

/** An operation in a world of its own, and what must be so when it has succeeded. */
interface Scene {
  readonly world: World;
  readonly operation: OperationId;
  readonly check: () => Promise<void>;
}

async function creation(): Promise<Scene> {
  const world = new World();
  const { cluster, operation } = begun(await world.clusters.create(wanted));
  const check = async (): Promise<void> => {
    const made = await world.cluster(cluster.id);
    expect(made).toMatchObject({ state: "active", addresses: [{ broker: 1 }, { broker: 2 }] });
    expect(made.operation).toBeUndefined();
    // What clients are given to trust is what vouches for what brokers show.
    const trusted = made.certificate?.caCertificate.trim() ?? "";
    expect(trusted).toContain("BEGIN CERTIFICATE");
    for (const name of ["authority", "broker"] as const) {
      expect(await world.driver.readSecret(cluster.id, name)).toContain(trusted);
    }
    const { brokers, names, secrets, store } = await world.driver.observe(cluster.id);
    expect(brokers.map(({ revision, state }) => `${revision} ${state}`)).toEqual([
      "1 ready",
      "1 ready",
    ]);
    expect([names.length, secrets.length, store]).toEqual([2, 2, "ready"]);
  };
  return { world, operation, check };
}

async function update(): Promise<Scene> {
  const world = new World();
  const cluster = await world.created({ spec: { ...wanted.spec, brokers: 3 } });
  const change = { brokers: 2, limits: { "max.connections": "100" } };
  const { operation } = begun(await world.clusters.change(cluster.id, change));
  const check = async (): Promise<void> => {
    expect(await world.cluster(cluster.id)).toMatchObject({ state: "active", revision: 2 });
    const { brokers, names } = await world.driver.observe(cluster.id);
    expect(brokers).toEqual([1, 2].map((broker) => ({ broker, revision: 2, state: "ready" })));
    expect(names).toHaveLength(2);
  };
  return { world, operation, check };
}

async function deletion(): Promise<Scene> {
  const world = new World();
  const { id } = await world.created();
  await world.putObjects(id, 3);
  const { operation } = begun(await world.clusters.remove(id));
  const check = async (): Promise<void> => {
    expect(await world.driver.list()).toEqual([]);
    expect(await world.clusters.find(id)).toBeUndefined();
    // Its name and its place are free again.
    expect((await world.clusters.create(wanted)).kind).toBe("started");
  };
  return { world, operation, check };
}

async function upgrade(): Promise<Scene> {
  const world = new World();
  const { id } = await world.created();
  const { operation } = begun(await world.clusters.upgrade(id));
  const check = async (): Promise<void> => {
    const { certificate, spec, state } = await world.cluster(id);
    expect({ spec, state }).toEqual({ spec: wanted.spec, state: "active" });
    expect(certificate?.revision).toBe(1);
    const { brokers } = await world.driver.observe(id);
    expect(brokers).toEqual([1, 2].map((broker) => ({ broker, revision: 2, state: "ready" })));
  };
  return { world, operation, check };
}

const scenes = { creation, update, upgrade, deletion } as const;

describe.each(["creation", "update", "upgrade", "deletion"] as const)("a %s", (name) => {
  const scene = scenes[name];

  it("comes to its end, with all of its steps done", async () => {
    const { check, operation, world } = await scene();
    expect(await world.runner().run(operation)).toBe("succeeded");
    const record = await world.operations.find(operation);
    expect(record).toMatchObject({ state: "succeeded", stepsDone: record?.stepsTotal });
    expect(record?.finishedAtMs).toBeGreaterThan(0);
    await check();
  });

  it.each(["dies before", "dies after"] as const)(
    "goes on after a runner that %s any of its calls",
    async (fate) => {
      const counted = new MortalPorts();
      const whole = await scene();
      await whole.world.runner(counted).run(whole.operation);
      expect(counted.calls).toBeGreaterThan(20);
      for (let call = 1; call <= counted.calls; call += 1) {
        const { check, operation, world } = await scene();
        const ports = new MortalPorts((at) => (at === call ? fate : "goes"));
        await expect(world.runner(ports).run(operation)).rejects.toThrow(Killed);
        expect(await world.finish(operation)).toBe("succeeded");
        await check();
      }
    },
    120_000,
  );

  it("comes to no harm by runners that die at random, meet failures, and run at once", async () => {
    const fates = fc.array(fc.nat({ max: 40 }), { minLength: 2, maxLength: 4 });
    const failing = fc.array(fc.boolean(), { minLength: 10, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(fates, failing, fc.boolean(), async (deaths, failures, areAtOnce) => {
        const { check, operation, world } = await scene();
        const driver = faulty(world.driver, failures);
        for (const death of deaths) {
          const dies: AtCall = (call) => (call === death + 1 ? "dies after" : "goes");
          const runners = areAtOnce ? [dies, undefined] : [dies];
          // As if no lease kept them apart.
          const runs = runners.map((at) =>
            world.runner(new MortalPorts(at), driver, "twin").run(operation),
          );
          // What they come to is theirs; leases end, so that the next ones run beside them.
          world.clock.advance(leaseMs + 1);
          for (const run of await Promise.allSettled(runs)) {
            if (run.status === "rejected") expect(run.reason).toBeInstanceOf(Killed);
          }
        }
        expect(await world.finish(operation)).toBe("succeeded");
        await check();
      }),
      { numRuns: 25, seed: 7 },
    );
  }, 120_000);
});

/** Fails, retriably, after or before the effect, as the list says; then never again. */
function faulty(driver: MemoryBrokerDriver, failures: readonly boolean[]): MemoryBrokerDriver {
  const left = [...failures];
  return new Proxy(driver, {
    get: (target, property) => {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== "function") return value;
      const method = value.bind(target) as (...args: unknown[]) => unknown;
      if (!/^(ensure|remove|put)/u.test(String(property))) return method;
      return async (...args: unknown[]) => {
        const fails = left.shift() === true;
        const result = await method(...args);
        if (!fails) return result;
        throw new DriverError("planted", { retriable: true, applied: "maybe" });
      };
    },
  });
}

it("an upgrade takes no broker away before the one that it started last is ready", async () => {
  const world = new World({ driver: new MemoryBrokerDriver({ looks: 3 }) });
  const { id } = await world.created({ spec: { ...wanted.spec, brokers: 3 } });
  const { operation } = begun(await world.clusters.upgrade(id));
  const away: number[] = [];
  const driver = new Proxy(world.driver, {
    get: (target, property) => {
      const value: unknown = Reflect.get(target, property);
      if (property !== "observe") return typeof value === "function" ? value.bind(target) : value;
      return async (of: typeof id) => {
        const seen = await target.observe(of);
        away.push(3 - seen.brokers.filter(({ state }) => state === "ready").length);
        return seen;
      };
    },
  });
  expect(await world.runner(new MortalPorts(), driver).run(operation)).toBe("succeeded");
  expect(Math.max(...away)).toBe(1);
  const { brokers } = await world.driver.observe(id);
  expect(brokers.map(({ revision }) => revision)).toEqual([2, 2, 2]);
});

it("one runner has an operation, and another one leaves it alone until the lease is over", async () => {
  const { operation, world } = await creation();
  const ports = new MortalPorts((call) => (call === 9 ? "dies after" : "goes"));
  await expect(world.runner(ports).run(operation)).rejects.toThrow(Killed);
  expect(await world.runner().run(operation)).toBe("taken");
  expect(await world.finish(operation)).toBe("succeeded");
});

it("a runner whose time is over lets go, and the next one goes on at once", async () => {
  const { operation, world } = await creation();
  const outcome = await world.runner().run(operation, { untilMs: world.clock.wallMs() });
  expect(outcome).toBe("paused");
  expect(await world.runner().run(operation)).toBe("succeeded");
});

it("a call that fails again and again ends the operation, with a problem; a retry goes on", async () => {
  const { operation, world } = await creation();
  let tries = 0;
  const driver = new Proxy(world.driver, {
    get: (target, property) => {
      const value: unknown = Reflect.get(target, property);
      if (property !== "ensureName")
        return typeof value === "function" ? value.bind(target) : value;
      return async () => {
        tries += 1;
        throw new DriverError("throttled", { retriable: true, applied: "no" });
      };
    },
  });
  expect(await world.runner(new MortalPorts(), driver).run(operation)).toBe("failed");
  expect(tries).toBe(2 * (failuresMax + 1));
  const record = await world.operations.find(operation);
  const fault = { code: "driver-unavailable", step: "names", detail: "throttled" };
  expect(record).toMatchObject({ state: "failed", fault });
  const { clusterId } = record ?? { clusterId: "" as never };
  expect(await world.cluster(clusterId)).toMatchObject({ state: "failed" });
  const again = begun(await world.clusters.retry(clusterId));
  expect(await world.runner().run(again.operation)).toBe("succeeded");
  expect(await world.cluster(clusterId)).toMatchObject({ state: "active" });
});

it("calls that fail now and then, over a long wait, do not add up to a failure", async () => {
  const world = new World({ driver: new MemoryBrokerDriver({ looks: 60 }) });
  const { operation } = begun(await world.clusters.create(wanted));
  let looks = 0;
  let failures = 0;
  const driver = new Proxy(world.driver, {
    get: (target, property) => {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== "function") return value;
      const method = value.bind(target) as (...args: unknown[]) => unknown;
      if (property !== "observe") return method;
      return async (...args: unknown[]) => {
        looks += 1;
        if (looks % 8 > 0) return method(...args);
        failures += 1;
        throw new DriverError("throttled", { retriable: true, applied: "no" });
      };
    },
  });
  expect(await world.runner(new MortalPorts(), driver).run(operation)).toBe("succeeded");
  expect(failures).toBeGreaterThan(failuresMax + 1);
});

it("what is refused is not tried again; the cluster can be deleted then", async () => {
  const { operation, world } = await creation();
  const driver = new Proxy(world.driver, {
    get: (target, property) => {
      const value: unknown = Reflect.get(target, property);
      if (property !== "ensureBroker")
        return typeof value === "function" ? value.bind(target) : value;
      return async () => {
        throw new DriverError("no such image", { retriable: false, applied: "no" });
      };
    },
  });
  expect(await world.runner(new MortalPorts(), driver).run(operation)).toBe("failed");
  const record = await world.operations.find(operation);
  expect(record?.fault).toEqual({
    code: "driver-refused",
    step: "brokers",
    detail: "no such image",
  });
  const [cluster] = (await world.clusters.list({ limit: 1 })).items;
  const removed = begun(await world.clusters.remove(cluster?.id ?? ("" as never)));
  expect(await world.runner().run(removed.operation)).toBe("succeeded");
  expect(await world.driver.list()).toEqual([]);
});

it("a broker that ends at its start is started again, a bounded number of times", async () => {
  let starts = 0;
  const failing = (): string => {
    starts += 1;
    return "out of memory";
  };
  const world = new World({ driver: new MemoryBrokerDriver({ looks: 1, failure: failing }) });
  const { operation } = begun(
    await world.clusters.create({ ...wanted, spec: { ...wanted.spec, brokers: 1 } }),
  );
  expect(await world.runner().run(operation)).toBe("failed");
  expect(starts).toBe(failuresMax + 1);
  const record = await world.operations.find(operation);
  expect(record?.fault).toMatchObject({ code: "broker-failed", step: "ready" });
});

it("what does not come to its end in time ends the operation", async () => {
  const world = new World({ driver: new MemoryBrokerDriver({ looks: 1e9 }) });
  const { operation } = begun(await world.clusters.create(wanted));
  const sinceMs = world.clock.wallMs();
  expect(await world.runner().run(operation)).toBe("failed");
  expect(world.clock.wallMs() - sinceMs).toBeGreaterThan(stillMsMax);
  const record = await world.operations.find(operation);
  expect(record?.fault).toMatchObject({ code: "step-timed-out", step: "store" });
});

it("what takes long is looked at ever more seldom, down to a bound", async () => {
  const world = new World({ driver: new MemoryBrokerDriver({ looks: 1e9 }) });
  const { operation } = begun(await world.clusters.create(wanted));
  const pausesMs: number[] = [];
  const after = world.clock.after.bind(world.clock);
  world.clock.after = (delayMs, run) => {
    pausesMs.push(delayMs);
    return after(delayMs, run);
  };
  await world.runner().run(operation);
  expect(pausesMs[0]).toBe(lookMsFirst);
  expect(pausesMs.toSorted((a, b) => a - b)).toEqual(pausesMs);
  expect(pausesMs.filter((ms) => ms === lookMsMax).length).toBeGreaterThan(10);
  expect(Math.max(...pausesMs)).toBe(lookMsMax);
});

it("a deletion removes more objects than one go takes", async () => {
  const world = new World();
  const { id } = await world.created();
  await world.putObjects(id, deletedObjectsPage + 1);
  const { operation } = begun(await world.clusters.remove(id));
  expect(await world.runner().run(operation)).toBe("succeeded");
  expect(await world.driver.list()).toEqual([]);
});

it("an operation that nobody knows, or whose cluster nobody knows, is absent", async () => {
  const world = new World();
  const { cluster, operation } = begun(await world.clusters.create(wanted));
  await world.store.transact([{ kind: "delete", key: `control/cluster/${cluster.id}` }]);
  expect(await world.runner().run(operation)).toBe("absent");
  expect(await world.runner().run("op_0000000000000000" as OperationId)).toBe("absent");
});
