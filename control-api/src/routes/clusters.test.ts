import { describe, expect, it } from "vitest";
import type { ClusterOutcome } from "../clusters/cluster-record.ts";
import { controlKit, madeId, record } from "../fixtures.ts";
import type { OperationRecord } from "../operations/operation-record.ts";

const cluster = `/v1/clusters/${madeId}`;

describe("a cluster", () => {
  it("is made with defaults, at once, by an operation", async () => {
    const { ask, clusters } = controlKit();
    const { body, headers, status } = await ask("admin", "POST /v1/clusters", {
      body: { name: "orders" },
    });
    expect(status).toBe(202);
    expect(headers.get("location")).toBe(`/v1/clusters/${String(body["id"])}`);
    expect(headers.get("etag")).toBe('"v1"');
    expect(body).toMatchObject({ name: "orders", state: "creating", deletionProtection: true });
    expect(clusters.created).toEqual([
      {
        name: "orders",
        spec: { brokers: 1, brokerSize: { cpu: 256, memoryMiB: 512 }, limits: {} },
        deletionProtection: true,
      },
    ]);
  });

  it("has limits of names that brokers know, and no others", async () => {
    const { ask } = controlKit();
    const body = { name: "orders", limits: { "max.connections": "9", "log.dirs": "/" } };
    const { body: problem, status } = await ask("admin", "POST /v1/clusters", { body });
    expect(status).toBe(400);
    expect(problem["errors"]).toMatchObject([{ pointer: "/limits/log.dirs" }]);
  });

  it("is listed and described, with its version as an entity tag", async () => {
    const { ask, clusters } = controlKit();
    const listed = await ask("viewer", "GET /v1/clusters");
    expect(listed.body["items"]).toMatchObject([
      { id: madeId, createdAt: "1970-01-01T00:00:00.000Z" },
    ]);
    const { body, headers } = await ask("viewer", `GET ${cluster}`);
    expect(headers.get("etag")).toBe('"v3"');
    expect(body).toMatchObject({ version: 3, brokerSize: { cpu: 256, memoryMiB: 512 } });
    expect(clusters.created).toEqual([]);
  });

  it("is changed where it is as the caller has read it", async () => {
    const { ask, clusters } = controlKit();
    const body = { brokers: 2, limits: { "max.connections": "" } };
    const headers = { "if-match": '"v3"' };
    expect((await ask("admin", `PATCH ${cluster}`, { body, headers })).status).toBe(200);
    expect(clusters.calls).toEqual([[madeId, body, { version: 3 }]]);
    clusters.outcome = { kind: "stale", version: 4 };
    const stale = await ask("admin", `PATCH ${cluster}`, { body, headers });
    expect(stale.status).toBe(412);
    const malformed = { "if-match": "W/x" };
    const refused = await ask("admin", `PATCH ${cluster}`, { body, headers: malformed });
    expect(refused).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: "header/if-match" }] },
    });
  });

  it("that is being changed is answered as accepted", async () => {
    const { ask, clusters } = controlKit();
    const operation = "op_0000000000000001" as OperationRecord["id"];
    clusters.outcome = { kind: "started", cluster: record({ operation }), operation };
    const { body, status } = await ask("admin", `DELETE ${cluster}`);
    expect(status).toBe(202);
    expect(body["operation"]).toBe(operation);
    expect((await ask("admin", `POST ${cluster}/retry`)).status).toBe(202);
  });

  it("is brought to what the deployment has, where it is as the caller has read it", async () => {
    const { ask, clusters } = controlKit();
    const operation = "op_0000000000000001" as OperationRecord["id"];
    clusters.outcome = { kind: "started", cluster: record({ operation }), operation };
    const headers = { "if-match": '"v3"' };
    const { body, status } = await ask("admin", `POST ${cluster}/upgrade`, { headers });
    expect(status).toBe(202);
    expect(body["operation"]).toBe(operation);
    expect(clusters.calls).toEqual([[madeId, { version: 3 }]]);
    expect((await ask("operator", `POST ${cluster}/upgrade`)).status).toBe(403);
  });

  const refusals: readonly (readonly [string, ClusterOutcome, number])[] = [
    ["not-found", { kind: "notFound" }, 404],
    ["already-exists", { kind: "nameTaken", by: madeId }, 409],
    ["limit-reached", { kind: "tooManyClusters", most: 9 }, 409],
    ["operation-under-way", { kind: "busy", operation: "op_1" as OperationRecord["id"] }, 409],
    ["precondition-failed", { kind: "stale", version: 4 }, 412],
    ["deletion-protected", { kind: "protected" }, 409],
    ["wrong-state", { kind: "wrongState", state: "failed" }, 409],
    ["invalid-request", { kind: "invalid", errors: [{ pointer: "/brokers", detail: "no" }] }, 400],
  ];
  it.each(refusals)("is refused as %s", async (kind, outcome, status) => {
    const { ask, clusters } = controlKit();
    clusters.outcome = outcome;
    const refused = await ask("admin", `DELETE ${cluster}`);
    expect(refused.status).toBe(status);
    expect(refused.body["type"]).toBe(`/docs/problems#${kind}`);
  });

  it("is neither made nor deleted where there is no provisioning", async () => {
    const { ask, clusters } = controlKit({ provisioning: "none" });
    for (const request of ["POST /v1/clusters", `PATCH ${cluster}`, `DELETE ${cluster}`]) {
      const body = request.startsWith("DELETE") ? undefined : { name: "orders" };
      const { headers, status } = await ask("admin", request, { body });
      expect(status).toBe(405);
      expect(headers.get("allow")).toBe("GET, HEAD");
    }
    for (const verb of ["retry", "upgrade"]) {
      expect((await ask("admin", `POST ${cluster}/${verb}`)).status).toBe(405);
    }
    expect(clusters.calls).toEqual([]);
  });

  it("tells clients how to connect, and nothing while it has no broker", async () => {
    const { ask, clusters } = controlKit();
    const { body } = await ask("viewer", `GET ${cluster}/connection`);
    expect(body).toMatchObject({
      bootstrapServers: ["b-1.made:9098"],
      securityProtocol: "SASL_SSL",
      saslMechanisms: ["SCRAM-SHA-512", "PLAIN"],
    });
    expect(body["snippets"]).toHaveLength(7);
    clusters.records[0] = record({ addresses: [] });
    const none = await ask("viewer", `GET ${cluster}/connection`);
    expect(none.body).toMatchObject({ bootstrapServers: [], snippets: [] });
  });
});

describe("an operation", () => {
  const one = {
    ...{ id: "op_0000000000000001", clusterId: madeId, kind: "createCluster", state: "failed" },
    ...{ step: "brokers", stepsDone: 3, stepsTotal: 6, startedAtMs: 0, finishedAtMs: 1_000 },
    fault: { code: "broker-failed", step: "brokers", detail: "it ended" },
    ...{ failures: 1, stepSinceMs: 0, notBeforeMs: 0, version: 4 },
  } as unknown as OperationRecord;

  it("is listed, of one cluster if it is named, and says why it failed", async () => {
    const { ask, operations } = controlKit();
    operations.push(one);
    const { body } = await ask("viewer", `GET /v1/operations/${one.id}`);
    expect(body).toEqual({
      ...{ id: one.id, clusterId: madeId, kind: "createCluster", state: "failed" },
      ...{ step: "brokers", stepsDone: 3, stepsTotal: 6 },
      startedAt: "1970-01-01T00:00:00.000Z",
      finishedAt: "1970-01-01T00:00:01.000Z",
      error: { code: "broker-failed", step: "brokers", detail: "it ended" },
    });
    const listed = await ask("viewer", `GET /v1/operations?clusterId=${madeId}`);
    expect(listed.body["items"]).toHaveLength(1);
    const other = await ask("viewer", "GET /v1/operations?clusterId=cl_0000000000000002");
    expect(other.body["items"]).toEqual([]);
    expect((await ask("viewer", "GET /v1/operations?clusterId=x")).status).toBe(400);
  });
});
