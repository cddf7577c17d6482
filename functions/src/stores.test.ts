import { MemoryMetadataStore } from "@millrace/adapter-memory";
import { clusterId, type ClusterId, type MetadataStore } from "@millrace/core";
import { expect, it } from "vitest";
import { openTablesMax } from "./limits.ts";
import { OpenTables } from "./stores.ts";

it("a cluster's store is opened once, and the longest unused one closed where there are too many", async () => {
  const opened: ClusterId[] = [];
  const closed: ClusterId[] = [];
  const tables = new OpenTables(async (id): Promise<MetadataStore> => {
    opened.push(id);
    const store = new MemoryMetadataStore();
    store.close = async () => void closed.push(id);
    return store;
  });
  const ids = Array.from({ length: openTablesMax + 1 }, (_, at) =>
    clusterId(`cl_${String(at).padStart(16, "0")}`),
  );
  for (const id of ids.slice(0, openTablesMax)) await tables.of(id);
  const [first, second] = ids;
  if (first === undefined || second === undefined) throw new Error("no ids");
  await tables.of(first);
  expect(opened).toHaveLength(openTablesMax);
  expect(closed).toEqual([]);
  for (const id of ids.slice(openTablesMax)) await tables.of(id);
  expect(closed).toEqual([second]);
  await tables.close();
  expect(closed.toSorted()).toEqual(ids);
  await tables.close();
  expect(closed.toSorted()).toEqual(ids);
});

it("a store that could not be opened is opened anew by who asks next, and keeps nobody else out", async () => {
  let failing = true;
  const tables = new OpenTables((): Promise<MetadataStore> => {
    return failing ? Promise.reject(new Error("away")) : Promise.resolve(new MemoryMetadataStore());
  });
  const id = clusterId(`cl_${"0".repeat(16)}`);
  await expect(tables.of(id)).rejects.toThrow("away");
  failing = false;
  expect(await tables.of(id)).toBeInstanceOf(MemoryMetadataStore);
});
