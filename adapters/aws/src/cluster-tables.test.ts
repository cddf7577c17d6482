import { clusterId, type Random } from "@millrace/core";
import { expect, it } from "vitest";
import { DynamoDbClusterTables } from "./cluster-tables.ts";
import { hurried, ok, refusing, ScriptedDynamoDb } from "./dynamodb-fixtures.ts";

it("a table that goes between two looks is not taken for one that is to be made", async () => {
  const server = await ScriptedDynamoDb.start();
  server.answer = (asked, response) => {
    const isTable = asked.operation === "DescribeTable";
    const answer = isTable
      ? ok({ Table: { TableStatus: "ACTIVE" } })
      : refusing(400, "TableNotFoundException");
    answer(asked, response);
  };
  const { credentials, endpoint } = server.place;
  const tables = await DynamoDbClusterTables.open({
    ...{ credentials, endpoint, region: "eu-west-1", prefix: "millrace-", isRecoverable: true },
    ...{ clock: hurried, random: {} as Random },
  });
  expect(await tables.state(clusterId("cl_0000000000000001"))).toBe("removing");
  tables.close();
  await server.stop();
});
