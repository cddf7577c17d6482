/**
 * Problems (RFC 9457): every answer of the API that is no success. `type` is a path of the API
 * itself, where a page says what it means; `code` is Kafka's name of the error where a broker
 * refused.
 */

interface ProblemTraits {
  readonly status: number;
  readonly title: string;
  /** For the page of problems: when it comes, and what helps. */
  readonly means: string;
}

export type ProblemKind =
  | "invalid-request"
  | "unauthenticated"
  | "forbidden"
  | "not-found"
  | "method-not-allowed"
  | "already-exists"
  | "limit-reached"
  | "operation-under-way"
  | "wrong-state"
  | "deletion-protected"
  | "group-not-empty"
  | "repeat-under-way"
  | "precondition-failed"
  | "content-too-large"
  | "unsupported-media-type"
  | "idempotency-key-reused"
  | "refused"
  | "too-many-requests"
  | "internal"
  | "cluster-unavailable"
  | "store-unavailable";

export const problemKinds: Readonly<Record<ProblemKind, ProblemTraits>> = {
  "invalid-request": {
    status: 400,
    title: "The request is not valid",
    means:
      "A header, a parameter or the body is not as the API's document says. `errors` names each place: `pointer` is a JSON Pointer into the body, or names the parameter.",
  },
  unauthenticated: {
    status: 401,
    title: "Not logged in",
    means: "There is no credential in the request, or it does not hold (any more).",
  },
  forbidden: {
    status: 403,
    title: "Not allowed",
    means: "The caller's role is below the one that the operation asks for.",
  },
  "not-found": { status: 404, title: "Not found", means: "There is no such thing (any more)." },
  "method-not-allowed": {
    status: 405,
    title: "Method not allowed",
    means:
      "`Allow` lists the methods that there are. A single broker makes and deletes no clusters.",
  },
  "already-exists": {
    status: 409,
    title: "It exists already",
    means: "Another one has the name.",
  },
  "limit-reached": {
    status: 409,
    title: "There may be no more of them",
    means: "As many as there may be are there. Delete one first.",
  },
  "operation-under-way": {
    status: 409,
    title: "Another operation is under way",
    means: "A cluster has one operation at a time. Wait for the one that `detail` names.",
  },
  "wrong-state": {
    status: 409,
    title: "Not in this state",
    means: "The cluster's state does not allow it.",
  },
  "deletion-protected": {
    status: 409,
    title: "Protected from deletion",
    means: "Set `deletionProtection` to false first.",
  },
  "group-not-empty": {
    status: 409,
    title: "The group has members",
    means: "Stop its consumers first.",
  },
  "repeat-under-way": {
    status: 409,
    title: "The same request is under way",
    means: "A request with this Idempotency-Key has no answer yet. Ask again after `Retry-After`.",
  },
  "precondition-failed": {
    status: 412,
    title: "It has changed",
    means: "The version of `If-Match` is not the present one. Read it again.",
  },
  "content-too-large": {
    status: 413,
    title: "The body is too large",
    means: "`detail` says how large it may be.",
  },
  "unsupported-media-type": {
    status: 415,
    title: "Not JSON",
    means: "Bodies are `application/json`.",
  },
  "idempotency-key-reused": {
    status: 422,
    title: "The Idempotency-Key was used for another request",
    means: "Within a day a key stands for one request. Take another one.",
  },
  refused: {
    status: 422,
    title: "The cluster refused it",
    means: "The brokers do not take it: `code` is Kafka's name of the error.",
  },
  "too-many-requests": {
    status: 429,
    title: "Too many requests",
    means:
      "The caller asks more often than it may. Ask again after `Retry-After` seconds. A gateway before the API has a limit of its own, for all callers together, and its 429 has another body.",
  },
  internal: {
    status: 500,
    title: "The control plane failed",
    means: "A defect. The log has more, under the `requestId`.",
  },
  "cluster-unavailable": {
    status: 503,
    title: "The cluster does not answer",
    means: "Its brokers, or its metadata store, could not be reached. Ask again later.",
  },
  "store-unavailable": {
    status: 503,
    title: "The control plane's store does not answer",
    means: "Ask again later, with the same Idempotency-Key.",
  },
};

/** One thing that is wrong with a request. */
export interface ProblemPlace {
  /** A JSON Pointer into the body (RFC 6901), or `query/limit`, `header/if-match` … */
  readonly pointer: string;
  readonly detail: string;
}

export interface Problem {
  /** Where the kind is explained: a path of this server. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** The path that was asked for. */
  readonly instance: string;
  /** As in the answer's X-Request-Id. */
  readonly requestId: string;
  readonly code?: string | undefined;
  readonly errors?: readonly ProblemPlace[] | undefined;
}

/** Thrown where a request is to be answered by a problem. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly kind: ProblemKind;
  readonly errors: readonly ProblemPlace[] | undefined;
  readonly code: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    kind: ProblemKind,
    detail: string,
    more: {
      readonly errors?: readonly ProblemPlace[];
      readonly code?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly cause?: unknown;
    } = {},
  ) {
    super(detail, more.cause === undefined ? {} : { cause: more.cause });
    this.kind = kind;
    this.errors = more.errors;
    this.code = more.code;
    this.headers = more.headers ?? {};
  }
}

/** The page of problems, and each kind's place on it. */
export const problemsPath = "/docs/problems";

export function problemType(kind: ProblemKind): string {
  return `${problemsPath}#${kind}`;
}

export function problemResponse(
  error: ProblemError,
  at: { readonly instance: string; readonly requestId: string },
): Response {
  const { status, title } = problemKinds[error.kind];
  const problem: Problem = {
    ...{ type: problemType(error.kind), title, status, detail: error.message, ...at },
    ...(error.code === undefined ? {} : { code: error.code }),
    ...(error.errors === undefined ? {} : { errors: error.errors }),
  };
  return new Response(JSON.stringify(problem), {
    status,
    headers: { ...error.headers, "content-type": "application/problem+json" },
  });
}

export function notFound(what: string): ProblemError {
  return new ProblemError("not-found", `there is no ${what}`);
}
