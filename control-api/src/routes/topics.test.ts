import { describe, expect, it } from "vitest";
import { controlKit, madeId, record } from "../fixtures.ts";
import {
  configEntriesMax,
  configValueCharactersMax,
  pageItemsDefault,
  pageItemsMax,
  topicPartitionsMax,
} from "../limits.ts";

const topics = `/v1/clusters/${madeId}/topics`;

describe("topics", () => {
  it("are created with what was asked for, and described", async () => {
    const { admin, ask } = controlKit();
    const wanted = { name: "orders", partitions: 3, configs: { "retention.ms": "1000" } };
    const made = await ask("operator", `POST ${topics}`, { body: wanted });
    expect(made.status).toBe(201);
    expect(made.headers.get("location")).toBe(`${topics}/orders`);
    const shown = { ...wanted, id: "id of orders", replicationFactor: 1 };
    expect(made.body).toEqual(shown);
    expect((await ask("viewer", `GET ${topics}/orders`)).body).toEqual(shown);
    expect(admin.table.get("orders")).toMatchObject({ partitions: 3 });
  });

  it("are refused as the brokers refuse them, with Kafka's name of the error", async () => {
    const { ask } = controlKit();
    const body = { name: "orders", configs: { "no.such.config": "1" } };
    const refused = await ask("operator", `POST ${topics}`, { body });
    expect(refused.status).toBe(422);
    expect(refused.body).toMatchObject({
      type: "/docs/problems#refused",
      code: "INVALID_CONFIG",
    });
    await ask("operator", `POST ${topics}`, { body: { name: "orders" } });
    const again = await ask("operator", `POST ${topics}`, { body: { name: "orders" } });
    expect(again.status).toBe(409);
    expect(again.body["code"]).toBe("TOPIC_ALREADY_EXISTS");
  });

  it("change their partitions and configs; null is the default again, a repeat changes nothing", async () => {
    const { ask } = controlKit();
    const configs = { a: "1", b: "2" };
    await ask("operator", `POST ${topics}`, { body: { name: "orders", configs } });
    const body = { partitions: 4, configs: { a: null, c: "3" } };
    for (let tried = 0; tried < 2; tried += 1) {
      const changed = await ask("operator", `PATCH ${topics}/orders`, { body });
      expect(changed.status).toBe(200);
      expect(changed.body).toMatchObject({ partitions: 4, configs: { b: "2", c: "3" } });
    }
    const fewer = await ask("operator", `PATCH ${topics}/orders`, { body: { partitions: 2 } });
    expect(fewer).toMatchObject({ status: 422, body: { code: "INVALID_PARTITIONS" } });
  });

  it("have bounded partitions, configs and values", async () => {
    const { ask } = controlKit();
    const many = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`c${at}`, "1"]));
    const create = async (body: object) =>
      (await ask("operator", `POST ${topics}`, { body })).status;
    expect(await create({ name: "a", partitions: topicPartitionsMax + 1 })).toBe(400);
    expect(await create({ name: "a", configs: many(configEntriesMax + 1) })).toBe(400);
    expect(await create({ name: "a", configs: many(configEntriesMax) })).toBe(201);
    const configs = { long: "x".repeat(configValueCharactersMax) };
    expect(await create({ name: "b", configs: { long: `${configs.long}x` } })).toBe(400);
    expect(await create({ name: "b", configs })).toBe(201);
  });

  it("are deleted once", async () => {
    const { ask } = controlKit();
    await ask("operator", `POST ${topics}`, { body: { name: "orders" } });
    const gone = await ask("operator", `DELETE ${topics}/orders`);
    expect(gone).toMatchObject({ status: 204, text: "" });
    expect((await ask("operator", `DELETE ${topics}/orders`)).status).toBe(404);
  });

  it("come in pages, by name, each once", async () => {
    const { admin, ask } = controlKit();
    const names = Array.from({ length: 7 }, (_, at) => `t${at}`);
    for (const name of names) admin.table.set(name, { name, partitions: 1, configs: {} });
    const seen: unknown[] = [];
    let query = "?limit=3";
    for (;;) {
      const { body } = await ask("viewer", `GET ${topics}${query}`);
      const items = body["items"] as readonly { name: string }[];
      seen.push(...items.map(({ name }) => name));
      const { nextCursor } = body;
      if (typeof nextCursor !== "string") break;
      query = `?limit=3&cursor=${nextCursor}`;
    }
    expect(seen).toEqual(names);
  });

  it("have a page of at most so many items", async () => {
    const { admin, ask } = controlKit();
    for (let at = 0; at < pageItemsMax + 5; at += 1) {
      admin.table.set(`t${at}`, { name: `t${at}`, partitions: 1, configs: {} });
    }
    const { body } = await ask("viewer", `GET ${topics}?limit=${pageItemsMax}`);
    expect(body["items"]).toHaveLength(pageItemsMax);
    expect(body["nextCursor"]).toBeTypeOf("string");
    const usual = await ask("viewer", `GET ${topics}`);
    expect(usual.body["items"]).toHaveLength(pageItemsDefault);
  });

  it("of another list, or that was changed, no cursor is taken", async () => {
    const { admin, ask } = controlKit();
    for (const name of ["a", "b"]) admin.table.set(name, { name, partitions: 3, configs: {} });
    const { body } = await ask("viewer", `GET ${topics}?limit=1`);
    const cursor = String(body["nextCursor"]);
    const changed = [
      `${cursor}A`,
      cursor.slice(0, -1),
      `${cursor.startsWith("A") ? "B" : "A"}${cursor.slice(1)}`,
    ];
    for (const other of changed) {
      expect((await ask("viewer", `GET ${topics}?cursor=${other}`)).status, other).toBe(400);
    }
    const elsewhere = await ask("viewer", `GET ${topics}/a/partitions?cursor=${cursor}`);
    expect(elsewhere.status).toBe(400);
    expect((await ask("viewer", `GET ${topics}?cursor=${cursor}`)).status).toBe(200);
  });

  it("show all their configs, and their partitions in pages", async () => {
    const { ask } = controlKit();
    const body = { name: "orders", partitions: 3, configs: { a: "1" } };
    await ask("operator", `POST ${topics}`, { body });
    const configs = await ask("viewer", `GET ${topics}/orders/configs`);
    expect(configs.body["items"]).toMatchObject([
      { name: "a", isDefault: false },
      { name: "retention.bytes", isDefault: true },
    ]);
    const first = await ask("viewer", `GET ${topics}/orders/partitions?limit=2`);
    expect(first.body["items"]).toMatchObject([
      { partition: 0, latestOffset: 5 },
      { partition: 1 },
    ]);
    const cursor = String(first.body["nextCursor"]);
    const rest = await ask("viewer", `GET ${topics}/orders/partitions?cursor=${cursor}`);
    expect(rest.body).toMatchObject({ items: [{ partition: 2, leader: 1 }] });
  });

  it("of a cluster without brokers can't be asked for", async () => {
    const { ask, clusters } = controlKit();
    clusters.records[0] = record({ addresses: [], state: "creating" });
    const { body, status } = await ask("viewer", `GET ${topics}`);
    expect(status).toBe(409);
    expect(body["type"]).toBe("/docs/problems#wrong-state");
  });
});

describe("groups", () => {
  const groups = `/v1/clusters/${madeId}/groups`;
  const lag = [
    { topic: "orders", partition: 0, committed: 5, end: 9, lag: 4 },
    { topic: "orders", partition: 1, committed: -1, end: 3, lag: 3 },
  ];

  it("are listed by id, and described with their lag", async () => {
    const { admin, ask } = controlKit();
    admin.groupTable.set("b", { state: "Stable", lag });
    admin.groupTable.set("a", { state: "Empty", lag: [] });
    const listed = await ask("viewer", `GET ${groups}?limit=1`);
    expect(listed.body["items"]).toEqual([{ id: "a", state: "Empty", protocol: "classic" }]);
    const cursor = String(listed.body["nextCursor"]);
    const rest = await ask("viewer", `GET ${groups}?cursor=${cursor}`);
    expect(rest.body).toMatchObject({ items: [{ id: "b" }] });
    const { body } = await ask("viewer", `GET ${groups}/b`);
    expect(body).toMatchObject({ id: "b", members: [], lag: { total: 7, partitions: lag } });
  });

  it("are deleted only without members", async () => {
    const { admin, ask } = controlKit();
    admin.groupTable.set("busy", { state: "Stable", lag: [] });
    admin.groupTable.set("idle", { state: "Empty", lag: [] });
    const refused = await ask("operator", `DELETE ${groups}/busy`);
    expect(refused).toMatchObject({ status: 409, body: { code: "NON_EMPTY_GROUP" } });
    expect((await ask("operator", `DELETE ${groups}/idle`)).status).toBe(204);
  });
});
