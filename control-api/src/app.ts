/**
 * The control plane's API, as a hono app over ports: the same in a Lambda function and in a broker's
 * own process. `openApiDocument` is made of the same routes.
 *
 * A request's path: its id → who asks (`principalOf`), and whether too often → its body's type and size → the route's least
 * role → its parameters and body against their schemas → for what makes something, the kept reply of a
 * former try → the handler. Every failure is a problem (problems.ts); bad input is never a 5xx.
 */
import { OpenAPIHono } from "@hono/zod-openapi";
import { MetadataError } from "@millrace/core";
import type { MiddlewareHandler } from "hono";
import type { App, AppEnvironment, ControlDependencies } from "./app-type.ts";
import { mountDocs } from "./docs/mount-docs.ts";
import { refuseOtherMethods } from "./other-methods.ts";
import { failedValidation } from "./invalid-request.ts";
import { requestBurstMax, requestsPerSecond } from "./limits.ts";
import type { Principal } from "./principal.ts";
import { notFound, ProblemError, problemResponse } from "./problems.ts";
import { clusterProblem } from "./kafka/cluster-problem.ts";
import { requestIdOf } from "./request-id.ts";
import { mountApiKeys } from "./routes/api-keys.ts";
import { mountClusters } from "./routes/clusters.ts";
import { mountConnection } from "./routes/connection.ts";
import { mountCredentials } from "./routes/credentials.ts";
import { mountGroups } from "./routes/groups.ts";
import { mountOperations } from "./routes/operations.ts";
import { mountTopics } from "./routes/topics.ts";
import { mountWhoAmI } from "./routes/whoami.ts";

/** Serves /v1, /docs and /openapi.json. */
export function controlApp(deps: ControlDependencies): App {
  const app: App = new OpenAPIHono<AppEnvironment>({ defaultHook: failedValidation });
  identify(app, deps);
  mountDocs(app);
  app.use("/v1/*", authenticated(deps));
  mountWhoAmI(app);
  mountClusters(app, deps);
  mountTopics(app, deps);
  mountGroups(app, deps);
  mountCredentials(app, deps);
  mountConnection(app, deps);
  mountOperations(app, deps);
  mountApiKeys(app, deps);
  app.openAPIRegistry.registerComponent("securitySchemes", "apiKey", {
    ...{ type: "http", scheme: "bearer" },
    description:
      "An API key of the control plane, or a token (JWT) that its gateway knows. Requests signed " +
      "with AWS credentials (SigV4) go to the same paths under /iam, without it.",
  });
  refuseOtherMethods(app);
  app.notFound((context) => {
    const requestId = context.get("requestId");
    return problemResponse(notFound("route of this path"), placeOf(context.req.url, requestId));
  });
  app.onError((error, context) => {
    const requestId = context.get("requestId");
    const problem = problemOf(error);
    if (problem.kind === "internal") deps.failed(error, requestId);
    return problemResponse(problem, placeOf(context.req.url, requestId));
  });
  return app;
}

/** Gives each request its id, which its answer carries too, and tells of the answer. */
function identify(app: App, deps: ControlDependencies): void {
  app.use("*", async (context, next) => {
    const startedMs = deps.clock.monotonicMs();
    const requestId = requestIdOf(context.req.header("x-request-id"), deps.random);
    context.set("requestId", requestId);
    await next();
    context.res.headers.set("x-request-id", requestId);
    context.res.headers.set("x-content-type-options", "nosniff");
    if (!context.res.headers.has("cache-control")) {
      context.res.headers.set("cache-control", "no-store");
    }
    const { method, path } = context.req;
    deps.answered?.({
      ...{ requestId, principal: context.get("principal"), method, path },
      status: context.res.status,
      durationMs: deps.clock.monotonicMs() - startedMs,
    });
  });
}

function authenticated(deps: ControlDependencies): MiddlewareHandler<AppEnvironment> {
  return async (context, next) => {
    const asked = { request: context.req.raw, environment: context.env };
    const outcome = await deps.principalOf(asked);
    if (outcome.kind === "refused") throw new ProblemError("forbidden", outcome.detail);
    if (outcome.kind === "unauthenticated") {
      const headers = { "www-authenticate": outcome.challenge };
      throw new ProblemError("unauthenticated", outcome.detail, { headers });
    }
    context.set("principal", outcome.principal);
    refuseTooMany(deps, outcome.principal);
    await next();
  };
}

/** Before anything else is done for it. Who has no login is refused already. */
function refuseTooMany({ requestRates }: ControlDependencies, principal: Principal): void {
  const taken = requestRates?.take(principal);
  if (taken?.kind !== "tooMany") return;
  const headers = { "retry-after": String(Math.ceil(taken.retryAfterMs / 1_000)) };
  const detail = `a caller has ${requestsPerSecond} requests a second, ${requestBurstMax} at once`;
  throw new ProblemError("too-many-requests", detail, { headers });
}

/** The path as it was sent, because a decoded one need not be a URI reference. */
function placeOf(url: string, requestId: string): Parameters<typeof problemResponse>[1] {
  return { instance: new URL(url).pathname, requestId };
}

function problemOf(error: Error): ProblemError {
  if (error instanceof ProblemError) return error;
  const fromCluster = clusterProblem(error);
  if (fromCluster !== undefined) return fromCluster;
  if (error instanceof MetadataError) {
    const headers = { "retry-after": "1" };
    return new ProblemError("store-unavailable", "a store did not answer", {
      ...{ headers, cause: error },
    });
  }
  // What hono's own checks throw: a body that is no JSON.
  if ("status" in error && error.status === 400) {
    const detail = "the body is not JSON";
    return new ProblemError("invalid-request", detail, { errors: [{ pointer: "", detail }] });
  }
  return new ProblemError("internal", "the control plane failed; its log says why", {
    cause: error,
  });
}
