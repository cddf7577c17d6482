import type { MetadataStore } from "@millrace/core";
import { afterAll, beforeAll } from "vitest";
import { type MetadataStoreSubject, metadataStoreContract } from "../metadata-store-contract.ts";
import type { StandIn } from "../stand-in.ts";
import { startDynamoDbLocal } from "./dynamodb-local.ts";
import { makeTable, openStore } from "./kit.ts";

let server: StandIn | undefined;

beforeAll(async () => {
  server = await startDynamoDbLocal();
}, 900_000);

afterAll(async () => {
  await server?.stop();
});

/** Each store has a table of its own. */
function dynamoDb(): MetadataStoreSubject {
  const tables = new Map<MetadataStore, string>();
  const open = async (table: string): Promise<MetadataStore> => {
    const store = await openStore({ endpoint: server?.endpoint ?? "", table });
    tables.set(store, table);
    return store;
  };
  return {
    name: "DynamoDB, as DynamoDB Local serves it",
    open: async () => open(await makeTable(server?.endpoint ?? "")),
    reopen: async (store) => {
      await store.close();
      return open(tables.get(store) ?? "");
    },
    cleanUp: async () => {
      for (const store of tables.keys()) await store.close();
      tables.clear();
    },
  };
}

metadataStoreContract(dynamoDb());
