import { MemoryMetadataStore } from "@millrace/adapter-memory";
import { keysUnder, MetadataError, type MetadataStore } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { controlKit, madeId } from "../fixtures.ts";
import {
  idempotencyKeptMs,
  idempotencyKeyCharactersMax,
  idempotencyKeyCharactersMin,
  idempotencyLeaseMs,
  idempotencySweptMax,
  madeTopicLookMs,
  madeTopicLooksMax,
} from "../limits.ts";
import { ClusterUnavailableError } from "../ports/cluster-admin.ts";

const topics = `/v1/clusters/${madeId}/topics`;
const key = "0f9d2c1e-6a0c-4d7a-9f53-0c8d1f2f9a01";
const headers = { "idempotency-key": key };
const body = { name: "orders", partitions: 2 };

describe("a repeat under one Idempotency-Key", () => {
  it("gets the first one's answer, and makes nothing", async () => {
    const { admin, ask } = controlKit();
    const first = await ask("operator", `POST ${topics}`, { body, headers });
    admin.table.clear();
    const quoted = { "idempotency-key": `"${key}"` };
    const again = await ask("operator", `POST ${topics}`, { body, headers: quoted });
    expect(again).toMatchObject({ status: 201, body: first.body });
    expect(again.headers.get("location")).toBe(first.headers.get("location"));
    expect(admin.table.size).toBe(0);
  });

  it("with another body is refused", async () => {
    const { admin, ask } = controlKit();
    await ask("operator", `POST ${topics}`, { body, headers });
    const other = { body: { name: "other" }, headers };
    const refused = await ask("operator", `POST ${topics}`, other);
    expect(refused.status).toBe(422);
    expect(refused.body["type"]).toBe("/docs/problems#idempotency-key-reused");
    expect(admin.table.has("other")).toBe(false);
  });

  it("of another caller, or another route, is another request", async () => {
    const { ask } = controlKit();
    await ask("operator", `POST ${topics}`, { body, headers });
    const asAdmin = await ask("admin", `POST ${topics}`, { body, headers });
    expect(asAdmin.status).toBe(409);
    const credential = { body: { name: "orders" }, headers };
    const elsewhere = await ask("operator", `POST /v1/clusters/${madeId}/credentials`, credential);
    expect(elsewhere.status).toBe(201);
  });

  it("while the first one is under way is told to wait", async () => {
    const { admin, ask } = controlKit();
    let open = (): void => undefined;
    admin.gate = new Promise((resolve) => {
      open = resolve;
    });
    const first = ask("operator", `POST ${topics}`, { body, headers });
    await new Promise((resolve) => setImmediate(resolve));
    const meanwhile = await ask("operator", `POST ${topics}`, { body, headers });
    expect(meanwhile.status).toBe(409);
    expect(meanwhile.body["type"]).toBe("/docs/problems#repeat-under-way");
    expect(meanwhile.headers.get("retry-after")).toBe(String(idempotencyLeaseMs / 1_000));
    open();
    expect((await first).status).toBe(201);
    expect((await ask("operator", `POST ${topics}`, { body, headers })).status).toBe(201);
  });

  it("of ten at once makes one", async () => {
    const { ask, clusterStore } = controlKit();
    const path = `POST /v1/clusters/${madeId}/credentials`;
    const request = { body: { name: "billing" }, headers };
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => ask("operator", path, request)),
    );
    for (const { status } of answers) expect([201, 409]).toContain(status);
    const { items } = await clusterStore.range(keysUnder("user", 10));
    expect(items).toHaveLength(1);
  });

  it("after a refusal is a new request", async () => {
    const { ask } = controlKit();
    const bad = { body: { name: "a/b" }, headers };
    expect((await ask("operator", `POST ${topics}`, bad)).status).toBe(400);
    expect((await ask("operator", `POST ${topics}`, { body, headers })).status).toBe(201);
  });

  it("goes on at once where the first one failed, and finds what that one made", async () => {
    const { admin, ask } = controlKit();
    const createTopic = admin.createTopic.bind(admin);
    admin.createTopic = async (topic) => {
      await createTopic(topic);
      throw new ClusterUnavailableError("the answer got lost");
    };
    expect((await ask("operator", `POST ${topics}`, { body, headers })).status).toBe(503);
    admin.createTopic = createTopic;
    const again = await ask("operator", `POST ${topics}`, { body, headers });
    expect(again).toMatchObject({ status: 201, body: { name: "orders", partitions: 2 } });
  });

  it("of a topic that the brokers do not show yet finds it later: the first one was no refusal", async () => {
    const { admin, ask, clock } = controlKit();
    const topicsOf = admin.topics.bind(admin);
    let looks = 0;
    admin.topics = async () => {
      looks += 1;
      setImmediate(() => clock.fireNext());
      return [];
    };
    const first = await ask("operator", `POST ${topics}`, { body, headers });
    expect(first.status).toBe(503);
    expect(looks).toBe(madeTopicLooksMax);
    expect(clock.monotonicMs()).toBe((madeTopicLooksMax - 1) * madeTopicLookMs);
    expect(first.body["type"]).toBe("/docs/problems#cluster-unavailable");
    expect(admin.table.has("orders")).toBe(true);
    admin.topics = topicsOf;
    const again = await ask("operator", `POST ${topics}`, { body, headers });
    expect(again).toMatchObject({ status: 201, body: { name: "orders", partitions: 2 } });
  });

  it("whose answer is too large to be kept is made anew, and finds what the first one made", async () => {
    const { ask, failures } = controlKit();
    const values = Array.from({ length: 25 }, (_, at) => [`c${at}`, '"'.repeat(5_000)]);
    const large = { body: { ...body, configs: Object.fromEntries(values) }, headers };
    expect((await ask("operator", `POST ${topics}`, large)).status).toBe(201);
    const again = await ask("operator", `POST ${topics}`, large);
    expect(again).toMatchObject({ status: 201, body: { name: "orders", partitions: 2 } });
    expect(failures).toEqual([]);
  });

  it("goes on in the place of one that died, when its lease is over, with the same secret and id", async () => {
    const store = new DyingStore();
    const { ask, clock } = controlKit({ store });
    const request = { body: { name: "deployer", role: "viewer" }, headers };
    const first = await ask("admin", "POST /v1/api-keys", request);
    // Its reply was never kept, and nobody saw it: as if the process had died.
    expect(first.status).toBe(201);
    expect((await ask("admin", "POST /v1/api-keys", request)).status).toBe(409);
    store.isDying = false;
    clock.after(idempotencyLeaseMs + 1, () => undefined);
    clock.fireNext();
    const again = await ask("admin", "POST /v1/api-keys", request);
    expect(again.status).toBe(201);
    expect(again.body).toEqual(first.body);
    const { items } = await store.range(keysUnder("control/apiKey", 10));
    expect(items).toHaveLength(1);
  });

  it("after a day is a new request", async () => {
    const { admin, ask, clock } = controlKit();
    await ask("operator", `POST ${topics}`, { body, headers });
    admin.table.clear();
    clock.after(idempotencyKeptMs + 1, () => undefined);
    clock.fireNext();
    expect((await ask("operator", `POST ${topics}`, { body, headers })).status).toBe(201);
    expect(admin.table.has("orders")).toBe(true);
  });
});

it("an Idempotency-Key that could be guessed, or is too long, is refused", async () => {
  const { ask } = controlKit();
  const answer = (length: number) =>
    ask("operator", `POST ${topics}`, {
      body: { name: `t${length}` },
      headers: { "idempotency-key": "x".repeat(length) },
    });
  expect((await answer(idempotencyKeyCharactersMin - 1)).status).toBe(400);
  expect((await answer(idempotencyKeyCharactersMin)).status).toBe(201);
  expect((await answer(idempotencyKeyCharactersMax)).status).toBe(201);
  expect((await answer(idempotencyKeyCharactersMax + 1)).status).toBe(400);
});

it("replies that are a day old go, a few whenever one is kept", async () => {
  const { ask, clock, store } = controlKit();
  const make = (at: number) =>
    ask("operator", `POST ${topics}`, {
      body: { name: `t${at}` },
      headers: { "idempotency-key": `key-${String(at).padStart(16, "0")}` },
    });
  for (let at = 0; at < 40; at += 1) await make(at);
  clock.after(idempotencyKeptMs + 1, () => undefined);
  clock.fireNext();
  const kept = async (): Promise<number> =>
    (await store.range(keysUnder("control/idempotency", 1_000))).items.length;
  expect(await kept()).toBe(40);
  await make(40);
  expect(await kept()).toBeGreaterThanOrEqual(41 - idempotencySweptMax);
  for (let at = 41; at < 80; at += 1) await make(at);
  expect(await kept()).toBeLessThan(60);
});

/** Loses every second write of a key of kept replies, as a process does that dies in between. */
class DyingStore extends MemoryMetadataStore implements MetadataStore {
  isDying = true;

  override async transact(
    writes: Parameters<MetadataStore["transact"]>[0],
  ): ReturnType<MetadataStore["transact"]> {
    const [first] = writes;
    const isReply = first?.kind === "put" && "reply" in first.value;
    if (this.isDying && isReply) {
      throw new MetadataError("the process died", { retriable: false, applied: "no" });
    }
    return super.transact(writes);
  }
}
