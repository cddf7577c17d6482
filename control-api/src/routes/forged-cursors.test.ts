import { inlineHashing } from "@millrace/adapter-memory";
import { describe, expect, it } from "vitest";
import { cursorOf } from "../cursor.ts";
import { controlKit, madeId } from "../fixtures.ts";

/** Who reads the code can make cursors: they have no key. */
const lists = [
  ["/v1/api-keys", "api-keys"],
  [`/v1/clusters/${madeId}/credentials`, `credentials ${madeId}`],
  ["/v1/clusters", "clusters"],
  ["/v1/operations", "operations "],
] as const;

describe.each(lists)("a cursor of %s", (path, list) => {
  it.each(["", "é", "a b", "\u0000", "~", "key_1/../x", "z".repeat(700)])(
    "that somebody made for the position %j is refused",
    async (position) => {
      const { ask, failures } = controlKit();
      const cursor = cursorOf(inlineHashing, list, position);
      const answer = await ask("admin", `GET ${path}?cursor=${cursor}`);
      expect(failures).toEqual([]);
      expect(answer.status).toBe(400);
      expect(answer.body["errors"]).toMatchObject([{ pointer: "query/cursor" }]);
    },
  );
});

it("a cursor of a topic's partitions that somebody made for no number is refused", async () => {
  const { admin, ask } = controlKit();
  admin.table.set("orders", { name: "orders", partitions: 3, configs: {} });
  const cursor = cursorOf(inlineHashing, `partitions ${madeId} orders`, "one");
  const path = `/v1/clusters/${madeId}/topics/orders/partitions?cursor=${cursor}`;
  expect((await ask("viewer", `GET ${path}`)).status).toBe(400);
});
