import { MetadataError } from "@millrace/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hurried, ok, refusing, ScriptedDynamoDb } from "./dynamodb-fixtures.ts";
import { tableMsMax, tablePollMs } from "./limits.ts";
import { createMetadataTable } from "./metadata-table.ts";

let server: ScriptedDynamoDb;

beforeEach(async () => {
  server = await ScriptedDynamoDb.start();
});

afterEach(() => server.stop());

const texts = (...names: readonly string[]) =>
  names.map((AttributeName) => ({ AttributeName, AttributeType: "S" }));

const described = (TableStatus: string) => ({
  Table: {
    TableStatus,
    AttributeDefinitions: texts("sk", "pk"),
    KeySchema: [
      { AttributeName: "pk", KeyType: "HASH" },
      { AttributeName: "sk", KeyType: "RANGE" },
    ],
  },
});

const operations = () => server.asked.map(({ operation }) => operation);

describe("the table of a metadata store", () => {
  it("is made as asked for, and awaited", async () => {
    let looks = 0;
    server.answer = (asked, response) => {
      looks += asked.operation === "DescribeTable" ? 1 : 0;
      ok(described(looks < 3 ? "CREATING" : "ACTIVE"))(asked, response);
    };
    const asked = { isProtected: true, isRecoverable: true };
    await createMetadataTable({ ...server.place, clock: hurried, ...asked });
    const look = "DescribeTable";
    expect(operations()).toEqual(["CreateTable", look, look, look, "UpdateContinuousBackups"]);
    expect(server.asked[0]?.input).toMatchObject({
      BillingMode: "PAY_PER_REQUEST",
      DeletionProtectionEnabled: true,
    });
  });

  it("may be there already", async () => {
    server.answer = (asked, response) => {
      const isMade = asked.operation === "CreateTable";
      const answer = isMade ? refusing(400, "ResourceInUseException") : ok(described("ACTIVE"));
      answer(asked, response);
    };
    await createMetadataTable({ ...server.place, clock: hurried });
    expect(operations()).toEqual(["CreateTable", "DescribeTable"]);
  });

  it("is refused with other keys", async () => {
    const { Table } = described("ACTIVE");
    server.answer = ok({ Table: { ...Table, KeySchema: Table.KeySchema.slice(0, 1) } });
    const made = createMetadataTable({ ...server.place, clock: hurried });
    await expect(made).rejects.toThrow(MetadataError);
    await expect(made).rejects.toThrow("other keys");
  });

  it("is given up when it does not come", async () => {
    server.answer = ok(described("CREATING"));
    let asked = 0;
    const clock = { ...hurried, monotonicMs: () => asked++ * tablePollMs };
    const made = createMetadataTable({ ...server.place, clock });
    await expect(made).rejects.toThrow("is CREATING");
    expect(server.asked).toHaveLength(tableMsMax / tablePollMs + 2);
  });
});
