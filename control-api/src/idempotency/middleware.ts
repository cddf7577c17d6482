import { MetadataError } from "@millrace/core";
import type { MiddlewareHandler } from "hono";
import type { AppEnvironment, ControlDependencies } from "../app-type.ts";
import { ProblemError } from "../problems.ts";
import { plainAttempt } from "./attempt.ts";
import { KeptReplies, type KeptReply, type KeyedAttempt } from "./replies.ts";

const keptHeaders = ["content-type", "location", "etag"] as const;

/**
 * Serves a request that makes something. With an Idempotency-Key, of one caller, route and body, it
 * has its effect once in 24 hours, and its repeats are answered by the first one's reply.
 */
export function idempotent(
  deps: Pick<ControlDependencies, "clock" | "hashing" | "random" | "store">,
): MiddlewareHandler<AppEnvironment> {
  const replies = new KeptReplies(deps);
  return async (context, next) => {
    const header = context.req.header("idempotency-key");
    if (header === undefined) {
      context.set("attempt", plainAttempt(deps));
      return next();
    }
    const { id, kind } = context.get("principal");
    const { method, path } = context.req;
    const key = header.startsWith('"') ? header.slice(1, -1) : header;
    const scope = [kind, id, method, path].join(" ");
    const begun = await replies.begin({ scope, key, body: await context.req.text() });
    switch (begun.kind) {
      case "kept":
        return new Response(begun.reply.body, {
          status: begun.reply.status,
          headers: { ...begun.reply.headers, "idempotent-replayed": "true" },
        });
      case "otherRequest":
        throw new ProblemError("idempotency-key-reused", "its first request had another body");
      case "underWay": {
        const seconds = String(Math.ceil(begun.retryAfterMs / 1_000));
        const headers = { "retry-after": seconds };
        throw new ProblemError("repeat-under-way", "its answer is not known yet", { headers });
      }
      case "first":
    }
    context.set("attempt", begun.attempt);
    await next();
    await settle(replies, begun.attempt, context.res);
  };
}

/** A success is kept, a refusal frees the key, and after a failure the next one goes on. */
async function settle(
  replies: KeptReplies,
  attempt: KeyedAttempt,
  response: Response,
): Promise<void> {
  const { status } = response;
  try {
    if (status >= 500) await replies.abandon(attempt, "unknown");
    else if (status >= 400) await replies.abandon(attempt, "nothing");
    else await replies.finish(attempt, await replyOf(response.clone()));
  } catch (error) {
    // The request has its answer. A repeat waits for the lease, and then goes on in its place.
    if (!(error instanceof MetadataError)) throw error;
  }
}

async function replyOf(response: Response): Promise<KeptReply> {
  const headers = keptHeaders.flatMap((name): readonly (readonly [string, string])[] => {
    const value = response.headers.get(name);
    return value === null ? [] : [[name, value]];
  });
  return {
    status: response.status,
    headers: Object.fromEntries(headers),
    body: await response.text(),
  };
}
