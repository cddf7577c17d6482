/** What a schema says of a request, as a problem with the places that are wrong. */
import type { Hook } from "@hono/zod-openapi";
import type { AppEnvironment } from "./app-type.ts";
import { notFound, ProblemError, type ProblemPlace } from "./problems.ts";

interface SchemaIssue {
  readonly code?: string | undefined;
  readonly message: string;
  readonly path: readonly PropertyKey[];
  readonly keys?: readonly string[];
}

/** Throws ProblemError. A path that names nothing possible names nothing that is there. */
export const failedValidation: Hook<unknown, AppEnvironment, string, unknown> = (result) => {
  if (result.success) return;
  if (result.target === "param") throw notFound("such thing: its name or id can't be one");
  const issues = result.error.issues as readonly SchemaIssue[];
  const errors = issues.flatMap((issue) => placesOf(result.target, issue));
  const first = errors[0];
  const detail = first === undefined ? "it does not fit" : `${first.pointer}: ${first.detail}`;
  throw new ProblemError("invalid-request", detail, { errors });
};

function placesOf(target: string, issue: SchemaIssue): readonly ProblemPlace[] {
  // An unknown property is wrong where it stands, not the object around it.
  const unknown = issue.code === "unrecognized_keys" ? issue.keys : undefined;
  const paths = unknown?.map((key) => [...issue.path, key]) ?? [issue.path];
  return paths.map((path) => ({ pointer: pointerTo(target, path), detail: issue.message }));
}

/** RFC 6901 into a body; `query/limit` elsewhere. */
function pointerTo(target: string, path: readonly PropertyKey[]): string {
  const steps = path.map((step) => String(step).replaceAll("~", "~0").replaceAll("/", "~1"));
  if (target === "json") return steps.map((step) => `/${step}`).join("");
  return [target, ...steps].join("/");
}
