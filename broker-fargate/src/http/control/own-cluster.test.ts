import { inlineHashing, MemoryMetadataStore } from "@millrace/adapter-memory";
import { asClusterId, brokerId } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { ownClusterCatalogue, type OwnClusterDependencies, readOwnCluster } from "./own-cluster.ts";

function deps(over: Partial<OwnClusterDependencies> = {}): OwnClusterDependencies {
  const listener = { name: "PLAINTEXT", host: "localhost", port: 9092 };
  const broker = {
    cluster: { clusterId: "AAAAAAAAAAAAAAAAAAAAAA" },
    settings: { durability: "journal" },
    view: {
      endpoints: ({ host, port }: typeof listener) => [
        { brokerId: brokerId(1), host, port, rack: undefined },
        { brokerId: brokerId(2), host: "other", port: 9093, rack: undefined },
      ],
    },
  } as unknown as ReturnType<OwnClusterDependencies["broker"]>;
  return {
    ...{ store: new MemoryMetadataStore(), hashing: inlineHashing, memoryMiB: 512 },
    ...{ wallMs: () => 1_000, broker: () => broker, listener: () => listener },
    configs: new Map([
      ["max.connections", "9"],
      ["log.dirs", "/somewhere"],
    ]),
    ...over,
  };
}

describe("the cluster of a broker", () => {
  it("is shown with its brokers, and with those of its configs that are limits", async () => {
    expect(await readOwnCluster(deps())).toMatchObject({
      ...{ state: "active", durability: "journal", createdAtMs: 1_000 },
      spec: { brokers: 2, limits: { "max.connections": "9" } },
      addresses: [
        { broker: 1, host: "localhost", port: 9092 },
        { broker: 2, host: "other", port: 9093 },
      ],
    });
  });

  it("has one id for every broker and every start, and another cluster another one", async () => {
    const { id } = await readOwnCluster(deps());
    expect(asClusterId(id)).toBe(id);
    expect((await readOwnCluster(deps())).id).toBe(id);
    const broker = { ...deps().broker(), cluster: { clusterId: "B".repeat(22) } };
    const other = deps({ broker: () => broker as ReturnType<OwnClusterDependencies["broker"]> });
    expect((await readOwnCluster(other)).id).not.toBe(id);
  });

  it("is as old as the API knows it, which stays", async () => {
    const store = new MemoryMetadataStore();
    expect((await readOwnCluster(deps({ store }))).createdAtMs).toBe(1_000);
    const later = await readOwnCluster(deps({ store, wallMs: () => 2_000 }));
    expect(later.createdAtMs).toBe(1_000);
  });

  it("is the only one of its catalogue", async () => {
    const own = await readOwnCluster(deps());
    const catalogue = ownClusterCatalogue(() => Promise.resolve(own));
    expect(await catalogue.list({ limit: 5 })).toEqual({ items: [own] });
    expect(await catalogue.list({ limit: 5, after: own.id })).toEqual({ items: [] });
    expect(await catalogue.find(own.id)).toBe(own);
    expect(await catalogue.findByName("another")).toBe(undefined);
  });
});
