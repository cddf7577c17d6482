/** What every BrokerDriver must do: one suite for all of them. */
import {
  type BrokerDriver,
  type BrokerSpec,
  clusterBrokersMax,
  type ClusterId,
  clusterId,
  DriverError,
  type DriverResource,
  type ObservedBroker,
  secretBytesMax,
} from "@millrace/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  makeAuthority,
  makeBrokerCertificate,
} from "../../control-api/src/certificates/certificates.ts";

export interface BrokerDriverSubject {
  readonly name: string;
  /** One for the whole suite. */
  readonly open: () => Promise<BrokerDriver>;
  /** `none`: what stands in for AWS starts no tasks, so that no broker becomes ready. */
  readonly tasks: "run" | "none";
  readonly cleanUp: () => Promise<void>;
}

const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now(), after: never };
const waitMsMax = 60_000;
const pollMs = 50;

function never(): never {
  throw new Error("nobody waits here");
}

let made = 0;

/** One that nobody has used. */
function newCluster(): ClusterId {
  made += 1;
  return clusterId(`cl_${String(made).padStart(16, "0")}`);
}

function brokerDriverSuite(subject: BrokerDriverSubject): void {
  let driver: BrokerDriver;

  beforeAll(async () => {
    driver = await subject.open();
  }, 900_000);

  afterAll(async () => {
    // Also what a test that failed has left.
    const left = new Set((await driver.list()).map(({ cluster }) => cluster));
    for (const cluster of left) await removeAll(cluster);
    await subject.cleanUp();
  });

  /** Without its objects, which are not the driver's. */
  async function listed(cluster: ClusterId): Promise<readonly DriverResource[]> {
    const all = await driver.list();
    return all.filter((one) => one.cluster === cluster && one.kind !== "objects");
  }

  const spec = (over: Partial<BrokerSpec> = {}): BrokerSpec => {
    return { broker: 1, cpu: 256, memoryMiB: 512, configs: {}, revision: 1, ...over };
  };

  /** Calls again, as whoever drives it does, until it is so. */
  async function until(
    what: string,
    isSo: () => Promise<boolean>,
    again: () => Promise<void> = async () => undefined,
  ): Promise<void> {
    const lateMs = performance.now() + waitMsMax;
    while (!(await isSo())) {
      if (performance.now() > lateMs) throw new Error(`not in time: ${what}`);
      await again();
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }

  const storeIs = (cluster: ClusterId, state: string) => async (): Promise<boolean> =>
    (await driver.observe(cluster)).store === state;

  /** What is to be done when it is there goes on with the next call. */
  const hasStore = (cluster: ClusterId): Promise<void> =>
    until("a store", storeIs(cluster, "ready"), () => driver.ensureStore(cluster));

  async function brokerOf(cluster: ClusterId, broker: number): Promise<ObservedBroker | undefined> {
    return (await driver.observe(cluster)).brokers.find((one) => one.broker === broker);
  }

  async function withStoreAndSecrets(): Promise<ClusterId> {
    const cluster = newCluster();
    await driver.ensureStore(cluster);
    await hasStore(cluster);
    const authority = await makeAuthority(clock, { commonName: cluster });
    const names = driver.certificateNames(cluster);
    const value = await makeBrokerCertificate(clock, { commonName: cluster, names, authority });
    await driver.putSecret(cluster, { name: "authority", value: authority, over: "nothing" });
    await driver.putSecret(cluster, { name: "broker", value, over: "nothing" });
    return cluster;
  }

  async function removeAll(cluster: ClusterId): Promise<void> {
    const { brokers, names } = await driver.observe(cluster);
    const ids = brokers.map(({ broker }) => broker);
    const removing = async (): Promise<void> => {
      for (const broker of ids) await driver.remove(cluster, { kind: "broker", broker });
    };
    const areGone = async () => (await driver.observe(cluster)).brokers.length === 0;
    await until("the brokers' end", areGone, removing);
    for (const { broker } of names) await driver.remove(cluster, { kind: "name", broker });
    for (const name of ["authority", "broker"] as const) {
      await driver.remove(cluster, { kind: "secret", name });
    }
    const removeStore = () => driver.remove(cluster, { kind: "store" });
    await until("the store's end", storeIs(cluster, "absent"), removeStore);
  }

  it("sees nothing of a cluster that is not there, and removing it has no effect", async () => {
    const cluster = newCluster();
    const nothing = { store: "absent", secrets: [], names: [], brokers: [] };
    expect(await driver.observe(cluster)).toEqual(nothing);
    await driver.remove(cluster, { kind: "broker", broker: 1 });
    await driver.remove(cluster, { kind: "name", broker: 1 });
    await driver.remove(cluster, { kind: "secret", name: "broker" });
    await driver.remove(cluster, { kind: "store" });
    expect(await driver.observe(cluster)).toEqual(nothing);
    expect(await driver.readSecret(cluster, "broker")).toBeUndefined();
    expect(await listed(cluster)).toEqual([]);
  });

  it("makes one store of many calls at once, and its end is seen", async () => {
    const cluster = newCluster();
    await Promise.all([1, 2, 3].map(() => driver.ensureStore(cluster)));
    await hasStore(cluster);
    await driver.ensureStore(cluster);
    expect((await driver.observe(cluster)).store).toBe("ready");
    expect(await listed(cluster)).toHaveLength(1);
    await removeAll(cluster);
    expect(await listed(cluster)).toEqual([]);
  });

  it("keeps the first of two secrets, unless the second is to take its place", async () => {
    const cluster = newCluster();
    const put = (value: string, over: "nothing" | "former") =>
      driver.putSecret(cluster, { name: "broker", value, over });
    expect(await put("first", "nothing")).toBe("kept");
    expect(await put("second", "nothing")).toBe("exists");
    expect(await driver.readSecret(cluster, "broker")).toBe("first");
    expect(await put("third", "former")).toBe("kept");
    expect(await driver.readSecret(cluster, "broker")).toBe("third");
    expect((await driver.observe(cluster)).secrets).toEqual(["broker"]);
    const longest = "x".repeat(secretBytesMax);
    expect(await put(longest, "former")).toBe("kept");
    expect(await driver.readSecret(cluster, "broker")).toBe(longest);
    await driver.remove(cluster, { kind: "secret", name: "broker" });
    expect((await driver.observe(cluster)).secrets).toEqual([]);
  });

  it("gives each broker a place of its own, which stays the same", async () => {
    const [one, other] = [newCluster(), newCluster()];
    for (const broker of [2, 1]) await driver.ensureName(one, broker);
    await driver.ensureName(other, 1);
    const { names } = await driver.observe(one);
    expect(names.map(({ broker }) => broker)).toEqual([1, 2]);
    await driver.ensureName(one, 1);
    expect((await driver.observe(one)).names).toEqual(names);
    const all = [...names, ...(await driver.observe(other)).names];
    expect(new Set(all.map(({ host, port }) => `${host}:${port}`)).size).toBe(3);
    await driver.remove(one, { kind: "name", broker: 2 });
    expect((await driver.observe(one)).names).toEqual([names[0]]);
    for (const cluster of [one, other]) await driver.remove(cluster, { kind: "name", broker: 1 });
  });

  it("has a certificate of all the brokers that there may be in a secret", async () => {
    const cluster = newCluster();
    const authority = await makeAuthority(clock, { commonName: cluster });
    const names = driver.certificateNames(cluster);
    const pem = await makeBrokerCertificate(clock, { commonName: cluster, names, authority });
    expect(pem.length).toBeLessThan(secretBytesMax);
    await driver.ensureName(cluster, clusterBrokersMax);
    const [name] = (await driver.observe(cluster)).names;
    expect([...names.dnsNames, ...names.ipAddresses]).toContain(name?.host);
    await driver.remove(cluster, { kind: "name", broker: clusterBrokersMax });
  });

  it("starts no broker that lacks what it needs", async () => {
    const cluster = await withStoreAndSecrets();
    await expect(driver.ensureBroker(cluster, spec())).rejects.toThrow(DriverError);
    expect(await brokerOf(cluster, 1)).toBeUndefined();
    await removeAll(cluster);
  });

  it("starts a broker once however often it is asked, and then another revision of it", async () => {
    const cluster = await withStoreAndSecrets();
    await driver.ensureName(cluster, 1);
    const isAt = (revision: number) => async (): Promise<boolean> => {
      const found = await brokerOf(cluster, 1);
      return found?.revision === revision && (subject.tasks === "none" || found.state === "ready");
    };
    await driver.ensureBroker(cluster, spec());
    const before = await listed(cluster);
    await until("a broker", isAt(1), () => driver.ensureBroker(cluster, spec()));
    expect(await listed(cluster)).toEqual(before);
    const next = spec({ revision: 2, configs: { "max.connections": "50" } });
    await until("its next revision", isAt(2), () => driver.ensureBroker(cluster, next));
    expect((await driver.observe(cluster)).brokers).toHaveLength(1);
    await removeAll(cluster);
    expect(await listed(cluster)).toEqual([]);
  });
}

export function brokerDriverContract(subject: BrokerDriverSubject): void {
  describe(`the broker driver: ${subject.name}`, () => brokerDriverSuite(subject));
}
