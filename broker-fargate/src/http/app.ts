import { getRequestListener } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { problem, type ProblemStatus, problemResponse } from "./problem.ts";

export interface HttpAppOptions {
  /** Why the broker should get no traffic now, in words; nothing when it should. */
  readonly notReady: () => readonly string[];
  /** The metrics as Prometheus text, format 0.0.4. */
  readonly metrics: () => string;
  /** The control plane's API, loaded by the first request for it. Absent: there is none. */
  readonly control?: () => Promise<ControlFetch>;
  /** For failures of the others: they are bugs. */
  readonly failed: (error: Error) => void;
}

/** `environment` is what the HTTP server knows beside the request. */
export type ControlFetch = (request: Request, environment: object) => Response | Promise<Response>;

/** What the control plane serves. */
const controlPaths = ["/v1", "/v1/*", "/docs", "/docs/*", "/openapi.json"] as const;

/**
 * The broker's HTTP port.
 *
 * - `GET /healthz`: 200 as long as the process answers at all. A store that is away is no reason to
 *   be killed, so this looks at nothing.
 * - `GET /readyz`: 200, or 503 with the reasons as a problem (RFC 9457) until the broker serves (in a
 *   cluster, until every slot has a leader, for half a minute at most), and again from the start of
 *   its shutdown.
 * - `GET /metrics`: the registry.
 * - `/v1`, `/docs`, `/openapi.json`: the control plane, of this broker's own cluster (ADR 24).
 *
 * Everything else is a problem too: 404, 405 with `Allow`, 500.
 */
export function httpApp(options: HttpAppOptions): Hono {
  const app = new Hono();
  app.get("/healthz", (context) => context.json({ status: "ok" }));
  app.get("/readyz", (context) => {
    const reasons = options.notReady();
    if (reasons.length > 0) return failure(context, 503, reasons.join("; "));
    return context.json({ status: "ready" });
  });
  app.get("/metrics", (context) =>
    context.text(options.metrics(), 200, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
    }),
  );
  for (const path of ["/healthz", "/readyz", "/metrics"]) {
    app.all(path, (context) => {
      const response = failure(context, 405, `${context.req.method} is not supported here`);
      response.headers.set("allow", "GET, HEAD");
      return response;
    });
  }
  const { control } = options;
  if (control !== undefined) {
    for (const path of controlPaths) {
      app.all(path, async (context) => {
        const answer = await control();
        return answer(context.req.raw, context.env as object);
      });
    }
  }
  app.notFound((context) => failure(context, 404, "there is nothing at this path"));
  app.onError((error, context) => {
    options.failed(error);
    return failure(context, 500, "the broker failed to answer; its log says why");
  });
  return app;
}

/** The app as a request listener of `node:http`. */
export function httpListener(options: HttpAppOptions): ReturnType<typeof getRequestListener> {
  // Global Request and Response stay Node's own: other code of the process may rely on them.
  return getRequestListener(httpApp(options).fetch, { overrideGlobalObjects: false });
}

function failure(context: Context, status: ProblemStatus, detail: string): Response {
  return problemResponse(problem(status, { detail, instance: context.req.path }));
}
