/** What a schema says of a request, as a problem with the places that are wrong. */
import type { Hook } from "@hono/zod-openapi";
import type { AppEnvironment } from "./app-type.ts";
import { problemDetailCharactersMax, problemPlacesMax } from "./limits.ts";
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
  const told = issues.slice(0, problemPlacesMax);
  const errors = told.flatMap((issue) => placesOf(result.target, issue)).slice(0, problemPlacesMax);
  const first = errors[0];
  const detail = first === undefined ? "it does not fit" : `${first.pointer}: ${first.detail}`;
  throw new ProblemError("invalid-request", detail, { errors });
};

function placesOf(target: string, issue: SchemaIssue): readonly ProblemPlace[] {
  // An unknown property is wrong where it stands, not the object around it.
  const unknown = issue.code === "unrecognized_keys" ? issue.keys : undefined;
  const told = unknown?.slice(0, problemPlacesMax);
  const paths = told?.map((key) => [...issue.path, key]) ?? [issue.path];
  const detail = shortened(issue.message);
  return paths.map((path) => ({ pointer: pointerTo(target, path), detail }));
}

/** A schema's message may quote all that it was given, and stands at every place of it. */
function shortened(message: string): string {
  if (message.length <= problemDetailCharactersMax) return message;
  return `${message.slice(0, problemDetailCharactersMax).toWellFormed()}…`;
}

/** RFC 6901 into a body; `query/limit` elsewhere. */
function pointerTo(target: string, path: readonly PropertyKey[]): string {
  const steps = path.map((step) => String(step).replaceAll("~", "~0").replaceAll("/", "~1"));
  if (target === "json") return steps.map((step) => `/${step}`).join("");
  return [target, ...steps].join("/");
}
