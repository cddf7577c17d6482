import {
  inlineHashing,
  MemoryMetadataStore,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import { clusterId, keysUnder } from "@millrace/core";
import { describe, expect, it } from "vitest";
import {
  type Admin,
  AuthenticationError,
  BrokerError,
  ConnectionError,
} from "../../../sdk/src/index.ts";
import { provisionedConnection } from "../connection/provisioned-connection.ts";
import { record } from "../fixtures.ts";
import { clusterCallMsMax, openClustersMax } from "../limits.ts";
import { ClusterUnavailableError, KafkaRefusal } from "../ports/cluster-admin.ts";
import { KafkaAccess } from "./kafka-access.ts";
import { sdkClusterAdmin } from "./sdk-cluster-admin.ts";

describe("access to clusters", () => {
  function kit() {
    const store = new MemoryMetadataStore();
    const access = new KafkaAccess({
      ...{ clock: new VirtualClock(), random: new SeededRandom(1), hashing: inlineHashing },
      metadata: async () => store,
      connection: provisionedConnection,
    });
    return { access, store };
  }
  const numbered = (at: number) => {
    const id = clusterId(`cl_${String(at).padStart(16, "0")}`);
    return record({ id, addresses: [{ broker: 1, host: "127.0.0.1", port: 1 }] });
  };

  it("keeps one client of each cluster, with a login of its own", async () => {
    const { access, store } = kit();
    const first = await access.admin(numbered(1));
    expect(await access.admin(numbered(1))).toBe(first);
    expect(await access.admin(numbered(2))).not.toBe(first);
    expect((await store.range(keysUnder("user", 10))).items).toHaveLength(2);
    await access.close();
  });

  it("takes another client where the brokers are others", async () => {
    const { access } = kit();
    const first = await access.admin(numbered(1));
    const moved = { ...numbered(1), addresses: [{ broker: 1, host: "127.0.0.1", port: 2 }] };
    expect(await access.admin(moved)).not.toBe(first);
    await expect(first.topicNames()).rejects.toThrow("closed");
    await access.close();
  });

  it("closes the longest unused one when it holds as many as it may", async () => {
    const { access } = kit();
    const first = await access.admin(numbered(1));
    const second = await access.admin(numbered(2));
    await access.admin(numbered(1));
    for (let at = 3; at <= openClustersMax + 1; at += 1) await access.admin(numbered(at));
    await expect(second.topicNames()).rejects.toThrow("closed");
    expect(await access.admin(numbered(1))).toBe(first);
    await access.close();
  });

  it("has none to a cluster without brokers", async () => {
    const { access } = kit();
    const none = access.admin(record({ addresses: [] }));
    await expect(none).rejects.toBeInstanceOf(ClusterUnavailableError);
  });
});

describe("what the brokers answer", () => {
  const failing = (error: unknown): Admin =>
    ({ listTopics: () => Promise.reject(error) }) as unknown as Admin;
  const refused = (code: string, retriable: boolean): BrokerError =>
    new BrokerError({ code, message: "no", retriable });
  const failure = (error: unknown, onRefused = (): void => undefined): Promise<unknown> =>
    sdkClusterAdmin(failing(error), onRefused)
      .topicNames()
      .catch((cause: unknown) => cause);

  it("is a refusal with Kafka's name, or passes", async () => {
    expect(await failure(refused("INVALID_CONFIG", false))).toMatchObject({
      ...{ name: "KafkaRefusal", code: "INVALID_CONFIG" },
    });
    // Retriable for clients that wait for a topic; here it is the answer.
    expect(await failure(refused("UNKNOWN_TOPIC_OR_PARTITION", true))).toBeInstanceOf(KafkaRefusal);
    for (const passing of [refused("COORDINATOR_NOT_AVAILABLE", true), new ConnectionError("x")]) {
      expect(await failure(passing)).toBeInstanceOf(ClusterUnavailableError);
    }
  });

  it("that the login does not hold makes another one", async () => {
    let refusals = 0;
    const told = (): void => {
      refusals += 1;
    };
    const error = await failure(new AuthenticationError("gone"), told);
    expect(error).toBeInstanceOf(ClusterUnavailableError);
    expect(refusals).toBe(1);
  });

  it("is waited for no longer than so", async () => {
    const admin = {
      listTopics: ({ signal }: { readonly signal: AbortSignal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
    } as unknown as Admin;
    const asked = sdkClusterAdmin(admin, () => undefined, 5).topicNames();
    await expect(asked).rejects.toBeInstanceOf(ClusterUnavailableError);
    expect(clusterCallMsMax).toBeLessThan(29_000);
  });

  it("that nobody expects is a defect, and stays one", async () => {
    const defect = new TypeError("a defect");
    expect(await failure(defect)).toBe(defect);
  });
});
