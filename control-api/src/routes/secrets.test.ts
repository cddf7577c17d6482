/** What is shown once: API keys and credentials. */
import { inlineHashing } from "@millrace/adapter-memory";
import {
  isPasswordOf,
  keys,
  MetadataError,
  readUser,
  scramMechanisms,
  stretched,
} from "@millrace/core";
import { describe, expect, it } from "vitest";
import { ApiKeys } from "../access/api-keys.ts";
import { controlKit, type ControlKit, madeId, record } from "../fixtures.ts";
import { apiKeysMax, credentialsMax, labelCharactersMax } from "../limits.ts";

const credentials = `/v1/clusters/${madeId}/credentials`;
const repeat = { "idempotency-key": "0f9d2c1e-6a0c-4d7a-9f53-0c8d1f2f9a01" };

async function everything({ clusterStore, store }: ControlKit): Promise<string> {
  const prefixes = ["control/apiKey", "control/idempotency", "control/credential", "user"];
  const found: unknown[] = [];
  for (const prefix of prefixes) {
    const range = { from: `${prefix}/`, to: `${prefix}0`, limit: 100 };
    found.push(await store.range(range), await clusterStore.range(range));
  }
  return JSON.stringify(found);
}

describe("an API key", () => {
  it("holds from its creation to its deletion, and is stored as a hash", async () => {
    const kit = controlKit();
    const verifier = new ApiKeys({ ...kit, hashing: inlineHashing, random: { bytes, below } });
    const body = { name: "deployer", role: "operator" };
    const made = await kit.ask("admin", "POST /v1/api-keys", { body });
    expect(made.status).toBe(201);
    const key = String(made.body["key"]);
    expect(key).toMatch(/^mrk_[0-9a-z]{16}_[A-Za-z0-9_-]{43}$/);
    expect(await verifier.verify(key)).toMatchObject(body);
    expect(await verifier.verify(`${key.slice(0, -1)}${key.endsWith("A") ? "B" : "A"}`)).toBe(
      undefined,
    );
    expect(await verifier.verify("mrk_x")).toBe(undefined);
    expect(await everything(kit)).not.toContain(key.slice(-43));
    const listed = await kit.ask("admin", "GET /v1/api-keys");
    expect(listed.body["items"]).toMatchObject([{ id: made.body["id"], ...body }]);
    expect(listed.text).not.toContain(key.slice(-43));
    const gone = await kit.ask("admin", `DELETE /v1/api-keys/${String(made.body["id"])}`);
    expect(gone.status).toBe(204);
    expect(await verifier.verify(key)).toBe(undefined);
  });

  it("has one of three roles, and a name of some characters", async () => {
    const { ask } = controlKit();
    const tries = [{ name: "x", role: "root" }, { name: "", role: "viewer" }, { role: "viewer" }];
    for (const body of [...tries, { name: "x".repeat(labelCharactersMax + 1), role: "viewer" }]) {
      expect((await ask("admin", "POST /v1/api-keys", { body })).status).toBe(400);
    }
  });

  it("is refused when there are as many as there may be", async () => {
    const { ask, store } = controlKit();
    const write = (keys: number) =>
      store.transact([{ kind: "put", key: "control/apiKeyCount", value: { keys, last: "" } }]);
    const body = { name: "x", role: "viewer" };
    await write(apiKeysMax - 1);
    expect((await ask("admin", "POST /v1/api-keys", { body })).status).toBe(201);
    const refused = await ask("admin", "POST /v1/api-keys", { body });
    expect(refused.status).toBe(409);
    expect(refused.body["type"]).toBe("/docs/problems#limit-reached");
  });

  it("comes in pages, the oldest first", async () => {
    const { ask } = controlKit();
    const made: unknown[] = [];
    for (let at = 0; at < 5; at += 1) {
      const body = { name: `k${at}`, role: "viewer" };
      made.push((await ask("admin", "POST /v1/api-keys", { body })).body["id"]);
    }
    const seen: unknown[] = [];
    for (let query = "?limit=2"; query !== ""; ) {
      const { body } = await ask("admin", `GET /v1/api-keys${query}`);
      seen.push(...(body["items"] as readonly { id: string }[]).map(({ id }) => id));
      const { nextCursor } = body;
      query = typeof nextCursor === "string" ? `?limit=2&cursor=${nextCursor}` : "";
    }
    expect(new Set(seen)).toEqual(new Set(made));
    expect(seen).toHaveLength(5);
  });
});

describe("a credential", () => {
  it("is a user of the cluster, written into its store, whose password opens both SCRAMs", async () => {
    const { ask, clusterStore, toldUsers } = controlKit();
    const made = await ask("operator", `POST ${credentials}`, { body: { name: "billing" } });
    expect(made.status).toBe(201);
    const { id, secret, username } = made.body;
    expect(username).toBe(`mk-${String(id).slice(3)}`);
    const item = await clusterStore.get(keys.user(String(username)));
    if (item === undefined) throw new Error("no user");
    const { user } = readUser(item);
    for (const mechanism of scramMechanisms) {
      const credential = user.credentials.get(mechanism);
      if (credential === undefined) throw new Error(mechanism);
      const how = { password: String(secret), ...credential.keys };
      const saltedPassword = await stretched(inlineHashing, mechanism, how);
      const known = { keys: credential.keys, saltedPassword };
      expect(isPasswordOf(inlineHashing, mechanism, known)).toBe(true);
    }
    // So that brokers follow.
    expect((await clusterStore.get(keys.version))?.value).toEqual({
      changed: [keys.user(String(username))],
    });
    expect(toldUsers).toEqual([keys.user(String(username))]);
  });

  it("is listed without its secret, and deleted with its user", async () => {
    const kit = controlKit();
    const made = await kit.ask("operator", `POST ${credentials}`, { body: { name: "billing" } });
    const { createdAt, id, secret, username } = made.body;
    const listed = await kit.ask("operator", `GET ${credentials}`);
    expect(listed.body).toEqual({ items: [{ id, name: "billing", username, createdAt }] });
    expect(await everything(kit)).not.toContain(String(secret));
    expect((await kit.ask("operator", `DELETE ${credentials}/${String(id)}`)).status).toBe(204);
    expect(await kit.clusterStore.get(keys.user(String(username)))).toBe(undefined);
    expect((await kit.ask("operator", `GET ${credentials}`)).body).toEqual({ items: [] });
    expect((await kit.ask("operator", `DELETE ${credentials}/${String(id)}`)).status).toBe(404);
  });

  it("goes even if its user was deleted by another client", async () => {
    const { ask, clusterStore } = controlKit();
    const made = await ask("operator", `POST ${credentials}`, { body: { name: "billing" } });
    const { id, username } = made.body;
    await clusterStore.transact([{ kind: "delete", key: keys.user(String(username)) }]);
    expect((await ask("operator", `DELETE ${credentials}/${String(id)}`)).status).toBe(204);
  });

  it("is refused when there are as many as there may be", async () => {
    const { ask, clusterStore } = controlKit();
    for (let at = 0; at < credentialsMax; at += 100) {
      const writes = Array.from({ length: 100 }, (_, more) => {
        const key = `control/credential/cr_${String(at + more).padStart(16, "0")}`;
        return { kind: "put", key, value: {} } as const;
      });
      await clusterStore.transact(writes);
    }
    const refused = await ask("operator", `POST ${credentials}`, { body: { name: "x" } });
    expect(refused.status).toBe(409);
    expect(refused.body["type"]).toBe("/docs/problems#limit-reached");
  });

  it("is answered again, secret and all, by a repeat; and from what is stored nobody makes it", async () => {
    const kit = controlKit();
    const request = { body: { name: "billing" }, headers: repeat };
    const first = await kit.ask("operator", `POST ${credentials}`, request);
    const again = await kit.ask("operator", `POST ${credentials}`, request);
    expect(again.status).toBe(201);
    expect(again.body).toEqual(first.body);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    const stored = await everything(kit);
    expect(stored).not.toContain(String(first.body["secret"]));
    expect(stored).not.toContain(repeat["idempotency-key"]);
    const other = await kit.ask("operator", `POST ${credentials}`, {
      ...request,
      headers: { "idempotency-key": "1f9d2c1e-6a0c-4d7a-9f53-0c8d1f2f9a01" },
    });
    expect(other.body["secret"]).not.toBe(first.body["secret"]);
  });
});

function bytes(length: number): Uint8Array {
  return new Uint8Array(length);
}

function below(): number {
  return 0;
}

describe.each(["creating", "deleting", "failed"] as const)(
  "credentials of a %s cluster",
  (state) => {
    const asked = ["GET", "POST", "DELETE"] as const;
    const path = {
      GET: credentials,
      POST: credentials,
      DELETE: `${credentials}/cr_0000000000000001`,
    };

    it.each(asked)("that has no metadata to ask are refused: %s", async (method) => {
      const kit = controlKit();
      kit.clusters.records.splice(0, 1, record({ state }));
      const gone = async (): Promise<never> => {
        throw new MetadataError("no such table", { retriable: false, applied: "no" });
      };
      Object.assign(kit.clusterStore, { get: gone, range: gone, transact: gone });
      const more = method === "POST" ? { body: { name: "x" } } : {};
      const answer = await kit.ask("operator", `${method} ${path[method]}`, more);
      expect(answer.status).toBe(409);
      expect(answer.body["type"]).toBe("/docs/problems#wrong-state");
    });
  },
);

it("that a store does not answer is no fault of the request, where the cluster is there", async () => {
  const kit = controlKit();
  const away = async (): Promise<never> => {
    throw new MetadataError("away", { retriable: false, applied: "no" });
  };
  Object.assign(kit.clusterStore, { get: away, range: away, transact: away });
  expect((await kit.ask("operator", `GET ${credentials}`)).status).toBe(503);
});
