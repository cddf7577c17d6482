import type { MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { AppEnvironment } from "../app-type.ts";
import { bodyBytesMax } from "../limits.ts";
import { ProblemError } from "../problems.ts";

const limited = bodyLimit({
  maxSize: bodyBytesMax,
  onError: () => {
    throw new ProblemError("content-too-large", `a body has at most ${bodyBytesMax} bytes`);
  },
});

/** Of a route that takes a body: JSON, of a bounded size. */
export const jsonBody: MiddlewareHandler<AppEnvironment> = (context, next) => {
  const type = context.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type === "application/json") return limited(context, next);
  const detail = `a body is application/json, not ${type ?? "without a type"}`;
  const headers = { accept: "application/json" };
  throw new ProblemError("unsupported-media-type", detail, { headers });
};
