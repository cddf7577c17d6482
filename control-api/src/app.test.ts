import { MemoryMetadataStore } from "@millrace/adapter-memory";
import { MetadataError, type MetadataStore } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { controlKit, madeId, noId } from "./fixtures.ts";
import { bodyBytesMax, pageItemsMax } from "./limits.ts";
import { ClusterUnavailableError } from "./ports/cluster-admin.ts";
import { problemKinds } from "./problems.ts";

const topics = `/v1/clusters/${madeId}/topics`;

describe("whoever asks", () => {
  it("is told who it is", async () => {
    const { ask } = controlKit();
    const { body, status } = await ask("viewer", "GET /v1/whoami");
    expect(status).toBe(200);
    expect(body).toEqual({ kind: "apiKey", id: "viewer", role: "viewer" });
  });

  it("is nobody without a credential, and told how to log in", async () => {
    const { ask } = controlKit();
    const { body, headers, status } = await ask("nobody", "GET /v1/clusters");
    expect(status).toBe(401);
    expect(headers.get("www-authenticate")).toBe("Bearer");
    expect(headers.get("content-type")).toBe("application/problem+json");
    expect(body).toMatchObject({
      type: "/docs/problems#unauthenticated",
      title: problemKinds.unauthenticated.title,
      ...{ status: 401, instance: "/v1/clusters" },
    });
  });

  const least = [
    ["viewer", "GET /v1/whoami"],
    ["viewer", "GET /v1/clusters"],
    ["viewer", `GET /v1/clusters/${madeId}`],
    ["viewer", "GET /v1/operations"],
    ["viewer", `GET ${topics}`],
    ["viewer", `GET /v1/clusters/${madeId}/groups`],
    ["viewer", `GET /v1/clusters/${madeId}/connection`],
    ["operator", `GET /v1/clusters/${madeId}/credentials`],
    ["operator", `POST ${topics}`],
    ["operator", `PATCH ${topics}/orders`],
    ["operator", `DELETE ${topics}/orders`],
    ["operator", `DELETE /v1/clusters/${madeId}/groups/billing`],
    ["operator", `POST /v1/clusters/${madeId}/groups/billing/offsets`],
    ["operator", `POST /v1/clusters/${madeId}/credentials`],
    ["operator", `DELETE /v1/clusters/${madeId}/credentials/cr_0000000000000001`],
    ["admin", "POST /v1/clusters"],
    ["admin", `PATCH /v1/clusters/${madeId}`],
    ["admin", `DELETE /v1/clusters/${madeId}`],
    ["admin", `POST /v1/clusters/${madeId}/retry`],
    ["admin", "GET /v1/api-keys"],
    ["admin", "POST /v1/api-keys"],
    ["admin", "DELETE /v1/api-keys/key_0000000000000001"],
  ] as const;

  it.each(least)("needs the role %s for %s", async (role, request) => {
    const { ask } = controlKit();
    const body = request.startsWith("P") ? {} : undefined;
    const below = role === "admin" ? "operator" : role === "operator" ? "viewer" : "nobody";
    const refused = await ask(below, request, { body });
    expect(refused.status).toBe(below === "nobody" ? 401 : 403);
    expect([401, 403]).not.toContain((await ask(role, request, { body })).status);
  });
});

describe("a bad request", () => {
  it("is a problem that points at every wrong place", async () => {
    const { ask } = controlKit();
    const body = { name: "a/b", partitions: 0, configs: { "retention.ms": 5 }, colour: "red" };
    const answer = await ask("operator", `POST ${topics}`, { body });
    expect(answer.status).toBe(400);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    const errors = answer.body["errors"] as readonly { pointer: string }[];
    expect(errors.map(({ pointer }) => pointer).sort()).toEqual([
      ...["/colour", "/configs/retention.ms", "/name", "/partitions"],
    ]);
  });

  it.each([
    ["no JSON", "{", "application/json", 400],
    ["another type", "name=orders", "application/x-www-form-urlencoded", 415],
    ["no type", "{}", "", 415],
    ["too many bytes", `{"name":"${"x".repeat(bodyBytesMax)}"}`, "application/json", 413],
  ])("with a body of %s is refused", async (_, body, type, status) => {
    const { ask, failures } = controlKit();
    const headers = { "content-type": type };
    const answer = await ask("operator", `POST ${topics}`, { body, headers });
    expect(answer.status).toBe(status);
    expect(answer.body["status"]).toBe(status);
    expect(failures).toEqual([]);
  });

  it.each([
    "limit=0",
    "limit=-1",
    "limit=x",
    `limit=${pageItemsMax + 1}`,
    "cursor=",
    "cursor=%00",
    "cursor=AAAA",
    `cursor=${"A".repeat(5_000)}`,
  ])("with %s is refused", async (query) => {
    const { ask } = controlKit();
    const { body, status } = await ask("viewer", `GET /v1/clusters?${query}`);
    expect(status).toBe(400);
    const name = query.split("=")[0];
    expect(body["errors"]).toMatchObject([{ pointer: `query/${name}` }]);
  });

  it.each([
    "GET /v1/clusters/made",
    `GET /v1/clusters/${noId}`,
    `GET /v1/clusters/${noId}/topics`,
    `GET ${topics}/orders`,
    `GET ${topics}/a%20b`,
    `GET ${topics}/orders/configs`,
    `GET ${topics}/orders/partitions`,
    `DELETE ${topics}/orders`,
    `GET /v1/clusters/${madeId}/groups/billing`,
    `DELETE /v1/clusters/${madeId}/groups/billing`,
    "GET /v1/operations/op_0000000000000009",
    "GET /v1/operations/9",
    "DELETE /v1/api-keys/key_0000000000000009",
    `DELETE /v1/clusters/${madeId}/credentials/cr_0000000000000009`,
    "GET /v1/nothing",
  ])("for what is not there finds nothing: %s", async (request) => {
    const { ask } = controlKit();
    const { body, status } = await ask("admin", request);
    expect(status).toBe(404);
    expect(body["type"]).toBe("/docs/problems#not-found");
  });

  it.each([
    ["PUT /v1/clusters", "GET, HEAD, POST"],
    ["DELETE /v1/whoami", "GET, HEAD"],
    [`POST ${topics}/orders`, "DELETE, GET, HEAD, PATCH"],
    ["POST /openapi.json", "GET, HEAD"],
  ])("by another method is told which there are: %s", async (request, allow) => {
    const { ask } = controlKit();
    const { headers, status } = await ask("admin", request);
    expect(status).toBe(405);
    expect(headers.get("allow")).toBe(allow);
  });
});

describe("a failure", () => {
  it("of the store passes, and is the caller's to try again", async () => {
    const cause = { retriable: false, applied: "no" } as const;
    const away: MetadataStore = new Proxy(new MemoryMetadataStore(), {
      get: () => () => Promise.reject(new MetadataError("away", cause)),
    });
    const { ask, failures } = controlKit({ store: away });
    const { body, headers, status } = await ask("admin", "GET /v1/api-keys");
    expect(status).toBe(503);
    expect(headers.get("retry-after")).toBe("1");
    expect(body["type"]).toBe("/docs/problems#store-unavailable");
    expect(failures).toEqual([]);
  });

  it("of the brokers passes, too", async () => {
    const { admin, ask } = controlKit();
    admin.failure = new ClusterUnavailableError("no broker answers");
    const { body, headers, status } = await ask("viewer", `GET ${topics}`);
    expect(status).toBe(503);
    expect(headers.get("retry-after")).toBe("2");
    expect(body).toMatchObject({ detail: "no broker answers" });
  });

  it("that is a defect goes to the log, under the request's id, and not to the caller", async () => {
    const { admin, ask, failures } = controlKit();
    admin.failure = new TypeError("a secret");
    const headers = { "x-request-id": "mine" };
    const answer = await ask("viewer", `GET ${topics}`, { headers });
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain("secret");
    expect(answer.body["requestId"]).toBe("mine");
    expect(failures.map(({ message }) => message)).toEqual(["a secret"]);
  });
});

it("a problem names the path as it was sent", async () => {
  const { ask } = controlKit();
  const { body } = await ask("viewer", "GET /v1/clusters/%C2%84");
  expect(body["instance"]).toBe("/v1/clusters/%C2%84");
});

it("every answer carries the request's id, the caller's if it can stand in a log", async () => {
  const { ask } = controlKit();
  const own = await ask("viewer", "GET /v1/whoami", { headers: { "x-request-id": "a-1" } });
  expect(own.headers.get("x-request-id")).toBe("a-1");
  const headers = { "x-request-id": "<script>" };
  const made = await ask("viewer", "GET /v1/whoami", { headers });
  expect(made.headers.get("x-request-id")).toMatch(/^[A-Za-z0-9_-]{20}$/);
});
