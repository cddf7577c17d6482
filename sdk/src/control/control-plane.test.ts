/** The client at the real API, over memory. */
import { describe, expect, it } from "vitest";
import { controlKit, madeId, record } from "../../../control-api/src/fixtures.ts";
import type { OperationRecord } from "../../../control-api/src/operations/operation-record.ts";
import { ConnectionError } from "../errors.ts";
import { controlTimeoutMsDefault } from "../limits.ts";
import type { ControlPlaneOptions } from "./asking.ts";
import { controlPlane } from "./control-plane.ts";
import { ControlPlaneError } from "./problem-error.ts";
import { collected } from "../../test/collected.ts";

function kit(over: Partial<ControlPlaneOptions> = {}) {
  const api = controlKit();
  const asked: Request[] = [];
  const fetch = async (request: Request): Promise<Response> => {
    asked.push(request.clone());
    const headers = new Headers(request.headers);
    headers.set("x-test-role", "admin");
    return api.app.fetch(new Request(request, { headers }));
  };
  const control = controlPlane({ url: "http://control.test/", fetch, ...over });
  return { ...{ api, asked, control, fetch }, cluster: control.cluster(madeId) };
}

describe("the control plane's client", () => {
  it("walks every page of a list", async () => {
    const { api, asked, cluster } = kit();
    const names = Array.from({ length: 120 }, (_, at) => `t${String(at).padStart(3, "0")}`);
    for (const name of names) api.admin.table.set(name, { name, partitions: 1, configs: {} });
    const listed = await collected(cluster.topics.list());
    expect(listed.map(({ name }) => name)).toEqual(names);
    expect(asked).toHaveLength(3);
  });

  it("asks for no page that nobody comes to", async () => {
    const { api, asked, cluster } = kit();
    for (let at = 0; at < 120; at += 1) {
      api.admin.table.set(`t${at}`, { name: `t${at}`, partitions: 1, configs: {} });
    }
    for await (const { name } of cluster.topics.list()) {
      expect(name).toBe("t0");
      break;
    }
    expect(asked).toHaveLength(1);
  });

  it("makes a thing once, though the first answer got lost", async () => {
    const lost: string[] = [];
    const plain = kit();
    const { api } = plain;
    const { cluster } = kit({
      fetch: async (request) => {
        const answer = await plain.fetch(request);
        if (request.method !== "POST" || lost.length > 0) return answer;
        lost.push(await answer.text());
        throw new TypeError("fetch failed");
      },
    });
    const made = await cluster.credentials.create({ name: "billing" });
    expect(JSON.parse(lost[0] ?? "")).toEqual(made);
    const { body } = await api.ask("operator", `GET /v1/clusters/${madeId}/credentials`);
    expect(body["items"]).toHaveLength(1);
  });

  it("tells of a problem with its code, its status and its places", async () => {
    const { cluster } = kit();
    const error = await cluster.topics.create({ name: "a/b" }).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(ControlPlaneError);
    expect(error).toMatchObject({
      ...{ status: 400, code: "INVALID_REQUEST", retriable: false },
      places: [{ pointer: "/name" }],
    });
    const missing = await cluster.topics.describe("nothing").catch((cause: unknown) => cause);
    expect(missing).toMatchObject({ status: 404, code: "NOT_FOUND" });
  });

  it("tells of an answer that is no problem, too", async () => {
    const answers = [new Response("<html>", { status: 404 }), new Response(null, { status: 410 })];
    const { control } = kit({ fetch: async () => answers.shift() ?? Response.error() });
    await expect(control.whoAmI()).rejects.toMatchObject({ status: 404, code: "HTTP_404" });
    await expect(control.whoAmI()).rejects.toMatchObject({ status: 410, code: "HTTP_410" });
  });

  it("tries what passes again, and a deletion only once", async () => {
    let calls = 0;
    const busy = async (): Promise<Response> => {
      calls += 1;
      return new Response("{}", { status: 503 });
    };
    const plain = kit();
    const { cluster, control } = kit({
      fetch: (request) => (calls < 2 ? busy() : plain.fetch(request)),
    });
    expect(await control.whoAmI()).toMatchObject({ role: "admin" });
    expect(calls).toBe(2);
    calls = 0;
    await expect(cluster.topics.delete("orders")).rejects.toMatchObject({ status: 503 });
    expect(calls).toBe(1);
  });

  it("begins again what failed, and brings brokers up to date, of a version that was read", async () => {
    const { api, asked, control } = kit();
    const { state } = await control.clusters.upgrade(madeId, { version: 3 });
    await control.clusters.retry(madeId);
    expect(state).toBe("active");
    expect(asked.map(({ method, url }) => `${method} ${new URL(url).pathname}`)).toEqual([
      `POST /v1/clusters/${madeId}/upgrade`,
      `POST /v1/clusters/${madeId}/retry`,
    ]);
    expect(api.clusters.calls).toEqual([
      [madeId, { version: 3 }],
      [madeId, {}],
    ]);
  });

  it("fails in time where nobody answers, and at once by the caller's signal", async () => {
    const never = (request: Request): Promise<Response> =>
      new Promise((_, reject) => {
        request.signal.addEventListener("abort", () => reject(request.signal.reason));
      });
    expect(controlTimeoutMsDefault).toBeGreaterThan(20);
    const { cluster } = kit({ fetch: never, timeoutMs: 20 });
    const late = await cluster.topics.delete("x").catch((cause: unknown) => cause);
    expect(late).toBeInstanceOf(ConnectionError);
    expect(late).toMatchObject({ code: "REQUEST_TIMED_OUT" });
    const reason = new Error("enough");
    const ended = kit({ fetch: never }).control.whoAmI({ signal: AbortSignal.abort(reason) });
    await expect(ended).rejects.toBe(reason);
  });

  it("asks for its key whenever it logs in", async () => {
    const keys = ["first", "second"];
    const { asked, control } = kit({ apiKey: async () => keys.shift() ?? "" });
    await control.whoAmI();
    await control.whoAmI();
    const sent = asked.map(({ headers }) => headers.get("authorization"));
    expect(sent).toEqual(["Bearer first", "Bearer second"]);
  });
});

describe("an operation that is waited for", () => {
  const base = {
    ...{ id: "op_0000000000000001", clusterId: madeId, kind: "createCluster", step: "brokers" },
    ...{ stepsDone: 1, stepsTotal: 6, startedAtMs: 0, state: "running" },
  } as unknown as OperationRecord;

  it("is looked at until its end, and the cluster is shown then", async () => {
    const { api, control } = kit();
    api.operations.push(base);
    api.clusters.records[0] = record({ operation: base.id, state: "creating" });
    const steps: number[] = [];
    const settled = await control.clusters.settled(madeId, {
      onProgress: ({ stepsDone }) => {
        steps.push(stepsDone);
        api.operations[0] = { ...base, stepsDone: 6, state: "succeeded" };
        if (steps.length === 2) api.clusters.records[0] = record();
      },
    });
    expect(settled.state).toBe("active");
    expect(steps).toEqual([1, 6]);
  });

  it("rejects with why it failed", async () => {
    const { api, control } = kit();
    const fault = { code: "broker-failed", step: "brokers", detail: "it ended" } as const;
    api.operations.push({ ...base, state: "failed", fault });
    const failed = control.operations.wait(base.id);
    await expect(failed).rejects.toMatchObject({ code: "OPERATION_FAILED" });
    await expect(control.operations.wait(base.id)).rejects.toThrow("it ended");
  });

  it("of a cluster that is deleted ends by what is said of it then", async () => {
    const { api, control } = kit();
    const operation = base.id;
    const cluster = record({ operation, state: "deleting" });
    api.clusters.outcome = { kind: "started", cluster, operation };
    const deleting = await control.clusters.delete(madeId, { version: 3 });
    expect(deleting.operation).toBe(operation);
    expect(api.clusters.calls).toEqual([[madeId, { version: 3 }]]);
    api.clusters.records.length = 0;
    await expect(control.clusters.settled(madeId)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});
