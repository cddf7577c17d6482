import { expect, it } from "vitest";
import { httpApp } from "./app.ts";
import { httpConnectionsMax } from "../limits.ts";
import { serveHttp } from "./serve.ts";

function fakeBroker(reasons: string[]) {
  const failures: Error[] = [];
  return {
    failures,
    notReady: () => reasons,
    metrics: () => "up 1\n",
    failed: (error: Error) => {
      failures.push(error);
    },
  };
}

it("is healthy from the start, and ready when nothing speaks against it", async () => {
  const reasons = ["recovering the journal", "metadata store is away"];
  const app = httpApp(fakeBroker(reasons));
  expect((await app.request("/healthz")).status).toBe(200);
  const refused = await app.request("/readyz");
  expect(refused.status).toBe(503);
  expect(refused.headers.get("content-type")).toBe("application/problem+json");
  expect(await refused.json()).toEqual({
    type: "about:blank",
    title: "Service Unavailable",
    status: 503,
    detail: "recovering the journal; metadata store is away",
    instance: "/readyz",
  });
  reasons.length = 0;
  expect((await app.request("/readyz")).status).toBe(200);
});

it("answers unknown paths and other methods with a problem", async () => {
  const app = httpApp(fakeBroker([]));
  const unknown = await app.request("/nothing/here");
  expect(unknown.status).toBe(404);
  expect(await unknown.json()).toMatchObject({ status: 404, instance: "/nothing/here" });
  const posted = await app.request("/metrics", { method: "POST" });
  expect(posted.status).toBe(405);
  expect(posted.headers.get("allow")).toBe("GET, HEAD");
});

it("loads the control plane for the first request that is for it, and none without one", async () => {
  const loaded: string[] = [];
  const control = async () => {
    loaded.push("control");
    return (request: Request, environment: object) =>
      new Response(`${new URL(request.url).pathname} ${Object.keys(environment).join(",")}`);
  };
  const app = httpApp({ ...fakeBroker([]), control });
  await app.request("/metrics");
  await app.request("/nothing");
  expect(loaded).toEqual([]);
  const environment = { incoming: {} };
  const answer = await app.request("/v1/clusters/x", { method: "DELETE" }, environment);
  expect(await answer.text()).toBe("/v1/clusters/x incoming");
  for (const path of ["/v1", "/docs", "/docs/problems", "/openapi.json"]) {
    expect((await app.request(path, {}, environment)).status, path).toBe(200);
  }
  expect((await httpApp(fakeBroker([])).request("/v1/clusters")).status).toBe(404);
});

it("tells the log, and not the client, what failed inside", async () => {
  const broker = fakeBroker([]);
  const failing = {
    ...broker,
    metrics: (): string => {
      throw new Error("a secret");
    },
  };
  const response = await httpApp(failing).request("/metrics");
  expect(response.status).toBe(500);
  expect(await response.text()).not.toContain("secret");
  expect(broker.failures.map(({ message }) => message)).toEqual(["a secret"]);
});

it("serves on a free port until it is closed", async () => {
  const listener = await serveHttp({ host: "127.0.0.1", port: 0 }, fakeBroker([]));
  const url = `http://127.0.0.1:${listener.port}/metrics`;
  const response = await fetch(url);
  expect(response.headers.get("content-type")).toContain("version=0.0.4");
  expect(await response.text()).toBe("up 1\n");
  await listener.close();
  await expect(fetch(url)).rejects.toThrow();
});

it("rejects when the port is taken", async () => {
  const first = await serveHttp({ host: "127.0.0.1", port: 0 }, fakeBroker([]));
  const second = serveHttp({ host: "127.0.0.1", port: first.port }, fakeBroker([]));
  await expect(second).rejects.toMatchObject({ code: "EADDRINUSE" });
  await first.close();
});

it("holds a bounded number of connections, and closes one more at once", async () => {
  const { connect } = await import("node:net");
  const listener = await serveHttp({ host: "127.0.0.1", port: 0 }, fakeBroker([]));
  const opened = Array.from({ length: httpConnectionsMax + 1 }, () =>
    connect(listener.port, "127.0.0.1"),
  );
  const closed = await Promise.race(
    opened.map((socket) => {
      socket.on("error", () => undefined);
      return new Promise((resolve) => socket.on("close", () => resolve("closed")));
    }),
  );
  expect(closed).toBe("closed");
  const open = opened.filter((socket) => !socket.destroyed);
  expect(open.length).toBeGreaterThan(httpConnectionsMax - 10);
  for (const socket of opened) socket.destroy();
  await listener.close();
});
