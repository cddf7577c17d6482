import type { ClusterRecord } from "@millrace/control-api";
import { clusterId, type ObservedBroker } from "@millrace/core";
import { expect, it } from "vitest";
import { clustersPage } from "./limits.ts";
import { missingBrokers } from "./missing-brokers.ts";

const ids = ["cl_0000000000000001", "cl_0000000000000002", "cl_0000000000000003"].map(clusterId);

function record(at: number, state: ClusterRecord["state"]): ClusterRecord {
  const id = ids[at];
  if (id === undefined) throw new Error("no such id");
  return {
    ...{ id, name: `c${at}`, state, revision: 1, deletionProtection: true, createdAtMs: 0 },
    ...{ durability: "journal", addresses: [], version: 1 },
    spec: { brokers: 3, brokerSize: { cpu: 256, memoryMiB: 512 }, limits: {} },
  };
}

it("brokers are missing that an active cluster wants and that are not ready, on every page", async () => {
  const pages = [[record(0, "active"), record(1, "updating")], [record(2, "active")]];
  const states: Readonly<Record<string, readonly ObservedBroker["state"][]>> = {
    [ids[0] ?? ""]: ["ready", "starting", "failed"],
    [ids[1] ?? ""]: [],
    [ids[2] ?? ""]: ["ready", "ready", "ready"],
  };
  const missing = await missingBrokers(
    {
      list: async ({ after }) => {
        const items = pages[after === undefined ? 0 : 1] ?? [];
        const last = items.at(-1);
        return after === undefined && last !== undefined ? { items, next: last.id } : { items };
      },
    },
    {
      observe: async (cluster) => ({
        ...{ store: "ready", secrets: [], names: [] },
        brokers: (states[cluster] ?? []).map((state, at) => ({
          broker: at + 1,
          revision: 1,
          state,
        })),
      }),
    },
  );
  expect(missing).toBe(2);
});

it("more clusters than one page has are all looked at, a page at a time", async () => {
  const count = 2 * clustersPage + 1;
  const all = Array.from({ length: count }, (_, at): ClusterRecord => {
    return { ...record(0, "active"), id: clusterId(`cl_${String(at).padStart(16, "0")}`) };
  });
  const pages: number[] = [];
  const missing = await missingBrokers(
    {
      list: async ({ after, limit }) => {
        const from = all.findIndex(({ id }) => id === after) + 1;
        const items = all.slice(from, from + limit);
        pages.push(items.length);
        const last = items.at(-1);
        return last === undefined || from + limit >= count ? { items } : { items, next: last.id };
      },
    },
    { observe: async () => ({ store: "ready", secrets: [], names: [], brokers: [] }) },
  );
  expect(missing).toBe(3 * count);
  expect(pages).toEqual([clustersPage, clustersPage, 1]);
});
