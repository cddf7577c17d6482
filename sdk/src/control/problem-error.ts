/** What the control plane refused, in the SDK's one error model. */
import { MillraceError } from "../errors.ts";
import type { components } from "./generated/schema.ts";

type Problem = components["schemas"]["Problem"];

/**
 * The control plane answered, and it was no success (RFC 9457). `code` is Kafka's name of the error
 * where a broker refused, otherwise the problem's own name in capitals, such as `NOT_FOUND`.
 *
 * @example
 * ```ts
 * import { ControlPlaneError, controlPlane } from "@millrace/sdk";
 *
 * const cluster = controlPlane({ url: "http://localhost:8080" }).cluster("cl_01k2m3n4p5q6r7s8");
 * await cluster.topics.create({ name: "orders" }).catch((error: unknown) => {
 *   if (!(error instanceof ControlPlaneError)) throw error;
 *   console.error(error.status, error.code, error.places, error.requestId);
 * });
 * ```
 */
export class ControlPlaneError extends MillraceError {
  override readonly name: string = "ControlPlaneError";
  /** Of HTTP. */
  readonly status: number;
  /** Where the control plane explains this kind of problem: a path of it. */
  readonly type: string;
  /** Under which its log tells of the request. */
  readonly requestId: string | undefined;
  /** What is wrong in the request, by JSON Pointers into its body. */
  readonly places: readonly { readonly pointer: string; readonly detail: string }[];

  constructor(status: number, problem: Partial<Problem>) {
    const { type = "about:blank" } = problem;
    const kind = type.slice(type.indexOf("#") + 1);
    const code = problem.code ?? (kind === "about:blank" ? `HTTP_${status}` : nameOf(kind));
    const message = problem.detail ?? problem.title ?? `the control plane answered ${status}`;
    super({ code, message, retriable: isRetriable(status, kind) });
    this.status = status;
    this.type = type;
    this.requestId = problem.requestId;
    this.places = problem.errors ?? [];
  }
}

function nameOf(kind: string): string {
  return kind.replaceAll("-", "_").toUpperCase();
}

function isRetriable(status: number, kind: string): boolean {
  return status === 429 || status === 502 || status >= 503 || kind === "repeat-under-way";
}
