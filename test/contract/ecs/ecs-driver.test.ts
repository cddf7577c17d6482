/**
 * The driver for ECS against AWS's control planes as moto serves them: every request is held against
 * AWS's own models, and what was asked for is read back. moto starts no tasks, so how a broker
 * becomes ready is shown by `adapters/aws/src/ecs-observed.test.ts`.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  RegisterTaskDefinitionCommand,
} from "@aws-sdk/client-ecs";
import { MemoryMetadataStore, MemoryObjectStore } from "@millrace/adapter-memory";
import { SystemClock, SystemRandom } from "@millrace/adapter-node";
import {
  type BrokerDriver,
  type BrokerSpec,
  clusterId,
  type ClusterStores,
  DriverError,
} from "@millrace/core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { deletedDefinitionsMax } from "../../../adapters/aws/src/limits.ts";
import { ClusterRecords } from "../../../control-api/src/clusters/cluster-records.ts";
import { begun, wanted } from "../../../control-api/src/operations/fixtures.ts";
import { OperationRunner } from "../../../control-api/src/operations/runner.ts";
import { brokerDriverContract } from "../broker-driver-contract.ts";
import { balancer, EcsKit, groupArn } from "./kit.ts";

const cluster = clusterId("cl_0123456789abcdef");
let kit: EcsKit;

beforeAll(async () => {
  kit = await EcsKit.start();
}, 900_000);

afterAll(() => kit.stop());

brokerDriverContract({
  name: "ECS, as moto serves it",
  open: async () => kit.driver,
  tasks: "none",
  cleanUp: async () => undefined,
});

brokerDriverContract({
  name: "ECS behind a load balancer, as moto serves it",
  open: async () => kit.balanced,
  tasks: "none",
  cleanUp: async () => undefined,
});

const spec = (over: Partial<BrokerSpec> = {}): BrokerSpec => {
  const configs = { "max.connections.per.ip": "5" };
  return { broker: 1, cpu: 256, memoryMiB: 512, configs, revision: 1, ...over };
};

async function serviceOf(broker: number) {
  const services = [`millrace-${cluster}-${broker}`];
  const command = new DescribeServicesCommand({ cluster: "brokers", services });
  return (await kit.ecs.send(command)).services?.[0];
}

it("a broker without a name is to be tried again", async () => {
  const failure: unknown = await kit.driver
    .ensureBroker(cluster, spec({ broker: 9 }))
    .catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(DriverError);
  expect(failure).toMatchObject({ retriable: true, applied: "no" });
});

it("a broker is one task that never has a twin, under its own name", async () => {
  await kit.driver.ensureName(cluster, 1);
  await kit.driver.ensureBroker(cluster, spec());
  const service = await serviceOf(1);
  expect(service).toMatchObject({ desiredCount: 1, launchType: "FARGATE" });
  expect((await kit.askedFor("CreateService")).at(-1)).toMatchObject({
    deploymentConfiguration: {
      ...{ minimumHealthyPercent: 0, maximumPercent: 100 },
      deploymentCircuitBreaker: { enable: true, rollback: false },
    },
    availabilityZoneRebalancing: "DISABLED",
    networkConfiguration: { awsvpcConfiguration: { assignPublicIp: "ENABLED" } },
    serviceRegistries: [{ registryArn: expect.stringContaining(":service/") }],
  });
  expect((await kit.askedFor("RegisterTaskDefinition")).at(-1)).toMatchObject({
    runtimePlatform: { cpuArchitecture: "ARM64" },
    ephemeralStorage: { sizeInGiB: 30 },
    containerDefinitions: [{ readonlyRootFilesystem: true, stopTimeout: 120 }],
  });
  const { taskDefinition = "" } = service ?? {};
  const described = await kit.ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition }));
  const [container] = described.taskDefinition?.containerDefinitions ?? [];
  const environment = Object.fromEntries(
    (container?.environment ?? []).map(({ name = "", value }) => [name, value]),
  );
  expect(environment).toMatchObject({
    KAFKA_NODE_ID: "1",
    KAFKA_MAX_CONNECTIONS_PER_IP: "5",
    KAFKA_MILLRACE_METADATA_STORE: `dynamodb://millrace-${cluster}`,
    KAFKA_MILLRACE_OBJECT_STORE: `s3://objects/${cluster}`,
    KAFKA_ADVERTISED_LISTENERS: "SASL_SSL://b-1.cl-0123456789abcdef.millrace.internal:9098",
  });
  expect(container?.secrets?.map(({ valueFrom }) => valueFrom)).toEqual(
    Array.from({ length: 2 }, () => `/millrace/${cluster}/broker`),
  );
});

it("another revision is another task definition, for the same service", async () => {
  const bigger = spec({ revision: 2, cpu: 512, memoryMiB: 1_024 });
  for (const _ of [1, 2]) await kit.driver.ensureBroker(cluster, bigger);
  const service = await serviceOf(1);
  expect(service?.taskDefinition).toMatch(/\/millrace-cl_0123456789abcdef-1-r2:1$/u);
});

it("more revisions than ECS deletes at once leave nothing behind", async () => {
  for (let revision = 3; revision <= deletedDefinitionsMax + 3; revision += 1) {
    await kit.driver.ensureBroker(cluster, spec({ revision }));
  }
  for (const _ of [1, 2]) await kit.driver.remove(cluster, { kind: "broker", broker: 1 });
  await kit.driver.remove(cluster, { kind: "name", broker: 1 });
  expect((await kit.driver.list()).filter((one) => one.cluster === cluster)).toEqual([]);
});

it("behind a load balancer each broker has a listener, which clients are told of", async () => {
  const balanced = await kit.open(balancer(2));
  const host = "balancer.example";
  expect(balanced.certificateNames(cluster).dnsNames).toContain(host);
  for (const broker of [1, 2]) {
    await balanced.ensureName(cluster, broker);
    await balanced.ensureBroker(cluster, spec({ broker }));
  }
  expect(await serviceOf(2)).toMatchObject({
    loadBalancers: [
      { targetGroupArn: groupArn(9_202), containerName: "broker", containerPort: 9_098 },
    ],
  });
  const taskDefinition = (await serviceOf(2))?.taskDefinition ?? "";
  const described = await kit.ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition }));
  expect(described.taskDefinition?.containerDefinitions?.[0]?.environment).toContainEqual({
    ...{ name: "KAFKA_ADVERTISED_LISTENERS", value: `SASL_SSL://${host}:9202` },
  });
  expect((await balanced.observe(cluster)).names).toEqual([
    { broker: 1, host, port: 9_201 },
    { broker: 2, host, port: 9_202 },
  ]);
  await expect(balanced.ensureName(cluster, 3)).rejects.toMatchObject({ retriable: false });
  for (const broker of [1, 2]) {
    for (const _ of [1, 2]) await balanced.remove(cluster, { kind: "broker", broker });
    await balanced.remove(cluster, { kind: "name", broker });
  }
  expect((await balanced.list()).filter((one) => one.cluster === cluster)).toEqual([]);
  balanced.close();
});

it("a broker whose deployment has no load balancer any more is found by its own name", async () => {
  const { balanced, driver } = kit;
  await balanced.ensureName(cluster, 1);
  await balanced.ensureBroker(cluster, spec());
  for (const revision of [1, 2]) await driver.ensureBroker(cluster, spec({ revision }));
  const updates = (await kit.askedFor("UpdateService")).slice(-1);
  expect(updates).toMatchObject([{ service: `millrace-${cluster}-1`, loadBalancers: [] }]);
  // It is back: the task is not ended for being away while it starts.
  await balanced.ensureBroker(cluster, spec({ revision: 3 }));
  expect((await kit.askedFor("UpdateService")).slice(-1)).toMatchObject([
    { loadBalancers: [{ targetGroupArn: groupArn(9_201) }], healthCheckGracePeriodSeconds: 300 },
  ]);
  for (const _ of [1, 2]) await balanced.remove(cluster, { kind: "broker", broker: 1 });
  await balanced.remove(cluster, { kind: "name", broker: 1 });
});

it("an upgrade is the deployment's present image, at another revision", async () => {
  await kit.driver.ensureName(cluster, 1);
  await kit.driver.ensureBroker(cluster, spec());
  const image = "example.com/millrace:2";
  const newer = await kit.open({ image });
  const imageOf = async (): Promise<string | undefined> => {
    const { taskDefinition = "" } = (await serviceOf(1)) ?? {};
    const described = await kit.ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition }));
    return described.taskDefinition?.containerDefinitions?.[0]?.image;
  };
  // A broker that runs is left alone by whoever looks after it.
  await newer.ensureBroker(cluster, spec());
  expect(await imageOf()).toBe("example.com/millrace:1");
  await newer.ensureBroker(cluster, spec({ revision: 2 }));
  expect(await imageOf()).toBe(image);
  for (const _ of [1, 2]) await kit.driver.remove(cluster, { kind: "broker", broker: 1 });
  await kit.driver.remove(cluster, { kind: "name", broker: 1 });
  newer.close();
});

it("a cluster's table can be brought back to a former moment", async () => {
  await kit.driver.ensureStore(cluster);
  expect((await kit.driver.observe(cluster)).store).toBe("stopped");
  await kit.driver.ensureStore(cluster);
  expect((await kit.driver.observe(cluster)).store).toBe("ready");
  await kit.driver.remove(cluster, { kind: "store" });
  expect((await kit.driver.observe(cluster)).store).toBe("absent");
});

it("a broker that was there before the load balancer keeps its address", async () => {
  await kit.driver.ensureName(cluster, 1);
  const before = await kit.driver.observe(cluster);
  expect((await kit.balanced.observe(cluster)).names).toEqual(before.names);
  await kit.balanced.ensureBroker(cluster, spec());
  expect((await serviceOf(1))?.loadBalancers ?? []).toEqual([]);
  for (const _ of [1, 2]) await kit.driver.remove(cluster, { kind: "broker", broker: 1 });
  await kit.driver.remove(cluster, { kind: "name", broker: 1 });
});

it("the stand-in refuses what breaks AWS's own models", async () => {
  const registering = new RegisterTaskDefinitionCommand({
    ...{ family: "family", containerDefinitions: [], networkMode: "awsvcp" as "awsvpc" },
  });
  await expect(kit.ecs.send(registering)).rejects.toThrow("networkMode: awsvcp is none of");
});

const never = 1e9;

/** A control plane over memory, whose brokers are ECS's. */
function controlPlane() {
  const [clock, random, store] = [new SystemClock(), new SystemRandom(), new MemoryMetadataStore()];
  const clusters = new ClusterRecords({ clock, random, store });
  const objects = new MemoryObjectStore();
  const stores: ClusterStores = {
    metadata: async () => store,
    objects: async () => Object.assign(objects, { close: async () => undefined }),
  };
  const deps = { clock, random, store, driver: asIfTasksRan(kit.driver), stores };
  return { clusters, runner: new OperationRunner({ ...deps, holder: "runner" }) };
}

it("an operation makes a cluster, changes it and deletes it, without a trace", async () => {
  const { clusters, runner } = controlPlane();
  const creation = begun(await clusters.create(wanted));
  const { id } = creation.cluster;
  expect(await runner.run(creation.operation)).toBe("succeeded");
  expect(await clusters.find(id)).toMatchObject({
    state: "active",
    addresses: [1, 2].map((broker) => ({
      ...{ broker, port: 9_098, host: `b-${broker}.${id.replace("_", "-")}.millrace.internal` },
    })),
  });
  const limits = { "max.connections": "9" };
  const update = begun(await clusters.change(id, { brokers: 1, limits }));
  expect(await runner.run(update.operation)).toBe("succeeded");
  expect((await kit.driver.observe(id)).brokers).toMatchObject([{ broker: 1, revision: 2 }]);
  const removal = begun(await clusters.remove(id));
  expect(await runner.run(removal.operation)).toBe("succeeded");
  expect((await kit.driver.list()).filter((one) => one.cluster === id)).toEqual([]);
}, 120_000);

it.each(["before", "after"] as const)(
  "an operation that failed at any of AWS's calls, %s its effect, is retried to its end",
  async (effect) => {
    const { clusters, runner } = controlPlane();
    let ran = begun(await clusters.create(wanted));
    const { id } = ran.cluster;
    /** Each try fails one call later than the one before; says how many tries failed. */
    const retried = async (): Promise<number> => {
      for (let failed = 0; ; failed += 1) {
        await kit.refuseAfter(failed, effect);
        const before = await kit.requests();
        const outcome = await runner.run(ran.operation);
        if (outcome === "succeeded") {
          await kit.refuseAfter(never, effect);
          return failed;
        }
        expect(outcome).toBe("failed");
        await kit.quiet();
        expect(await kit.requests()).toBeGreaterThan(before);
        ran = begun(await clusters.retry(id));
      }
    };
    expect(await retried()).toBeGreaterThan(5);
    expect((await kit.driver.observe(id)).brokers).toHaveLength(2);
    ran = begun(await clusters.remove(id));
    expect(await retried()).toBeGreaterThan(5);
    expect((await kit.driver.list()).filter((one) => one.cluster === id)).toEqual([]);
  },
  240_000,
);

it("asks for nothing that the deployment's provisioner may not do", async () => {
  const policy = readFileSync(
    join(import.meta.dirname, "../../../infra/src/template.snap"),
    "utf8",
  );
  const ofTheKit = [
    ...["ecs:CreateCluster", "servicediscovery:CreatePrivateDnsNamespace"],
    "servicediscovery:ListNamespaces",
  ];
  const asked = [...(await kit.actions())].filter((action) => !ofTheKit.includes(action));
  expect(asked.length).toBeGreaterThan(15);
  expect(asked.filter((action) => !policy.includes(`"${action}"`))).toEqual([]);
});

/** moto starts no tasks: what was begun is taken for done. */
function asIfTasksRan(driver: BrokerDriver): BrokerDriver {
  return new Proxy(driver, {
    get: (target, property) => {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== "function") return value;
      if (property !== "observe") return value.bind(target) as unknown;
      return async (id: typeof cluster) => {
        const { brokers, ...observed } = await target.observe(id);
        const ready = brokers.map((broker) =>
          broker.state === "starting" ? { ...broker, state: "ready" } : broker,
        );
        return { ...observed, brokers: ready };
      };
    },
  });
}
