/** What routes have in common: their answers in the API's document, and how pages are made. */
import type { z } from "@hono/zod-openapi";
import { type ProblemKind, problemKinds } from "../problems.ts";
import { problemSchema } from "../schemas/common.ts";

// Aliases, because what takes them asks for index signatures, which interfaces do not have.
type JsonContent<Schema> = { readonly "application/json": { readonly schema: Schema } };

type JsonAnswer<Schema> = {
  readonly description: string;
  readonly content: JsonContent<Schema>;
};

export function json<Schema extends z.ZodType>(
  description: string,
  schema: Schema,
): JsonAnswer<Schema> {
  return { description, content: { "application/json": { schema } } };
}

/** An operation on what an answer shows, and where its parameters come from (OpenAPI's links). */
type Links = Record<string, { operationId: string; parameters: Record<string, string> }>;

/**
 * Links from the answer to the operations. `field` is that of the answer which they take as `parameter`;
 * what else stands in their paths is as in the request.
 */
export function links(
  from: { readonly parameter: string; readonly field: string; readonly inCluster: boolean },
  operations: readonly string[],
): { readonly links: Links } {
  const parameters = {
    ...(from.inCluster ? { clusterId: "$request.path.clusterId" } : {}),
    [from.parameter]: `$response.body#/${from.field}`,
  };
  const entries = operations.map((operationId) => [operationId, { operationId, parameters }]);
  return { links: Object.fromEntries(entries) as Links };
}

export function body<Schema extends z.ZodType>(
  schema: Schema,
): { readonly required: true; readonly content: JsonContent<Schema> } {
  return { required: true, content: { "application/json": { schema } } };
}

type ProblemAnswer = {
  readonly description: string;
  readonly content: {
    readonly "application/problem+json": { readonly schema: typeof problemSchema };
  };
};

/** Every route may answer these. */
const everywhere: readonly ProblemKind[] = [
  "invalid-request",
  "unauthenticated",
  "forbidden",
  "method-not-allowed",
  "too-many-requests",
  "internal",
  "store-unavailable",
];

/** The problems of a route, by their status. */
export function problems(...kinds: readonly ProblemKind[]): Record<string, ProblemAnswer> {
  const byStatus = new Map<number, string[]>();
  for (const kind of new Set([...everywhere, ...kinds])) {
    const { status, title } = problemKinds[kind];
    byStatus.set(status, [...(byStatus.get(status) ?? []), title]);
  }
  const content = { "application/problem+json": { schema: problemSchema } };
  return Object.fromEntries(
    Array.from(byStatus, ([status, titles]) => [
      String(status),
      { description: titles.join(", or: "), content },
    ]),
  );
}

/** Of routes that take a body. */
export const bodyProblems: readonly ProblemKind[] = ["content-too-large", "unsupported-media-type"];
/** Of routes that make something. */
export const creationProblems: readonly ProblemKind[] = [
  ...bodyProblems,
  "repeat-under-way",
  "idempotency-key-reused",
];
