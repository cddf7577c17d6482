/**
 * Problem details for HTTP APIs (RFC 9457). `type` is `about:blank`, so that `title` is the status
 * code's own phrase; `detail` says what happened here.
 */
export interface Problem {
  readonly type: "about:blank";
  readonly title: string;
  readonly status: ProblemStatus;
  readonly detail: string;
  /** The path that was asked for. */
  readonly instance: string;
}

export type ProblemStatus = keyof typeof titles;

const titles = {
  404: "Not Found",
  405: "Method Not Allowed",
  500: "Internal Server Error",
  503: "Service Unavailable",
} as const;

export function problem(
  status: ProblemStatus,
  about: { readonly detail: string; readonly instance: string },
): Problem {
  return { type: "about:blank", title: titles[status], status, ...about };
}

export function problemResponse(details: Problem): Response {
  return new Response(JSON.stringify(details), {
    status: details.status,
    headers: { "content-type": "application/problem+json" },
  });
}
